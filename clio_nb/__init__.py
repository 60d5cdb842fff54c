"""Custom actions in Clio Manage, explored in Jupyter.

Sign a user in, create actions in Clio's menus, read the launches that clicks send, prove that they are genuine, and see
who in the firm has which action. ``clio_nb.sandbox()`` is an embedded Clio, so that all of it runs with no account.

Everything is imported on first use: ``import clio_nb`` loads neither pandas, nor ipywidgets, nor an HTTP client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import forms as forms
    from .action_rules import lint
    from .client import (
        AsyncSession,
        Session,
        create_action,
        delete_action,
        get_action,
        list_actions,
        list_records,
        list_users,
        logout,
        record,
        update_action,
        who_am_i,
    )
    from .errors import ClioError
    from .firm import AsyncFirm, Firm, actions_table
    from .launch import inbox, inspect_launch, verify_launch
    from .launch.attack import probe
    from .models import App, CustomAction, Record, Subject, Token, User
    from .places import PLACES, Location, Place, Region
    from .portal import allow_nested_asyncio, timeout
    from .sandbox import Sandbox as sandbox
    from .secret import Secret
    from .signin import connect, login
    from .tables import places_matrix
    from .vault import Vault

_HOMES = {
    # sites and signing in
    "sandbox": "sandbox",
    "connect": "signin",
    "login": "signin",
    "logout": "client",
    # one user's session
    "Session": "client",
    "AsyncSession": "client",
    "who_am_i": "client",
    "list_users": "client",
    "list_actions": "client",
    "get_action": "client",
    "create_action": "client",
    "update_action": "client",
    "delete_action": "client",
    "record": "client",
    "list_records": "client",
    "timeout": "portal",
    # launches
    "inspect_launch": "launch",
    "lint": "action_rules",
    "probe": "launch.attack",
    "verify_launch": "launch",
    "inbox": "launch",
    # everyone of a firm
    "Firm": "firm",
    "AsyncFirm": "firm",
    "Vault": "vault",
    # tables and forms
    "actions_table": "firm",
    "places_matrix": "tables",
    "forms": "forms",
    # vocabulary
    "Region": "places",
    "Location": "places",
    "Place": "places",
    "PLACES": "places",
    "App": "models",
    "Token": "models",
    "User": "models",
    "CustomAction": "models",
    "Subject": "models",
    "Record": "models",
    "Secret": "secret",
    "ClioError": "errors",
    "allow_nested_asyncio": "portal",
}
_ROOMS = {"sandbox", "forms"}  # these names are the rooms themselves; the sandbox can be called

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Fetch a public name from the room it lives in, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'clio_nb' has no attribute {name!r}")
    room = importlib.import_module(f".{_HOMES[name]}", __name__)
    value = room if name in _ROOMS else getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
