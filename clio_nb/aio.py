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

from . import launch, signin
from .arguments import on_session
from .client import AsyncSession as Session
from .firm.aio import AsyncFirm as Firm
from .firm.aio import actions_table
from .launch.receive import AsyncInbox as Inbox
from .signin import AsyncLogin as Login

connect, login = signin.connect.aio, signin.login.aio
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
verify_launch, inbox = launch.verify_launch.aio, launch.inbox.aio
replay, probe = launch.replay.aio, launch.probe.aio

__all__ = ["connect", "login", "logout", "Login", "Session", "who_am_i", "list_users", "list_actions", "get_action"]
__all__ += ["create_action", "update_action", "delete_action", "record", "list_records", "verify_launch", "inbox"]
__all__ += ["Inbox", "replay", "probe", "Firm", "actions_table"]


def __dir__() -> list[str]:
    return __all__
