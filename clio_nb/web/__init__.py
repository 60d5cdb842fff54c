"""What a partner's server mounts (``asgi``, ``wsgi``, ``django``): launches come in, proved before the page runs."""

from .proved_launch import AsyncProvedLaunch as AsyncProvedLaunch
from .proved_launch import ProvedLaunch as ProvedLaunch
from .vault_sessions import VaultSessions as VaultSessions
