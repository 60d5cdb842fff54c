"""The verbs that talk to a network, to be awaited: each by the name and with the arguments that it has in ``clio_nb``.

``from clio_nb import aio`` is for servers and other async code: ``await aio.create_action(session, ...)``, with a
session from ``aio.login`` or ``aio.Session``, from any event loop. What is awaited returns plain records; only the
verbs that wait make tables of them, for which pandas is loaded.

Examples:
    >>> import asyncio
    >>> async def names() -> list[str]:
    ...     session = await clio.aio.login(site)
    ...     return [user.name for user in await clio.aio.list_users(session)]
    >>> asyncio.run(names())[0]
    'Odalys Hartwell-Oyelaran'
"""

from .arguments import on_session
from .firm.async_firm import AsyncFirm as Firm
from .firm.async_firm import actions_table
from .firms.async_firms import AsyncFirms as Firms
from .launches.inbox import AsyncInbox as Inbox
from .launches.inbox import inbox as _inbox
from .launches.replay import replay as _replay
from .launches.verify import verify_launch as _verify_launch
from .login import AsyncLogin as Login
from .login import connect as _connect
from .login import login as _login
from .probe import probe as _probe
from .session import AsyncSession as Session

connect, login = _connect.aio, _login.aio
who_am_i = on_session(Session.who_am_i, Session)
list_users = on_session(Session.list_users, Session)
list_actions = on_session(Session.list_actions, Session)
get_action = on_session(Session.get_action, Session)
create_action = on_session(Session.create_action, Session)
update_action = on_session(Session.update_action, Session)
delete_action = on_session(Session.delete_action, Session)
record = on_session(Session.record, Session)
list_records = on_session(Session.list_records, Session)
logout = on_session(Session.logout, Session)
verify_launch, inbox = _verify_launch.aio, _inbox.aio
replay, probe = _replay.aio, _probe.aio

__all__ = ["connect", "login", "logout", "Login", "Session", "who_am_i", "list_users", "list_actions", "get_action"]
__all__ += ["create_action", "update_action", "delete_action", "record", "list_records", "verify_launch", "inbox"]
__all__ += ["Inbox", "replay", "probe", "Firm", "Firms", "actions_table"]


def __dir__() -> list[str]:
    return __all__
