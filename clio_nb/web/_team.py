"""Who of a firm has the buttons, and why not: from the vault and the ledger, with one list of users in ten minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from ..firm._state import ADVICE, Access
from ..firm.async_firm import AsyncFirm
from ..firm.manifest import Manifest
from ..firm.survey import Survey
from ..ledger.people import keep_people, people
from ..models import User
from ..vault.vault import firm_key_of

LISTED_FOR: Final = 600.0
"""Seconds for which the list of a firm's users is used again."""


class Member(NamedTuple):
    """A person of the firm. ``why`` says why the buttons are not there, where they are not."""

    user: User
    equipped: bool
    why: str
    invite: bool


async def members(
    firm: AsyncFirm, account_id: int, manifest: Manifest, may_list: Callable[[], Awaitable[bool]]
) -> list[Member]:
    """Return everyone of a firm, by name. ``may_list`` says whether Clio may be asked who they are by now."""
    vault, app = firm.vault, firm_key_of(firm.site, firm.name).app
    users = [] if await may_list() else await asyncio.to_thread(people, vault.database, app, account_id)
    if not users:  # also where the last who asked Clio got no answer
        listed = await Survey(firm.site, vault, firm.name, firm.timeout).users()
        users = [user for user, _ in listed.people]
        if not listed.note:  # else the list is not whole
            await asyncio.to_thread(keep_people, vault.database, app, account_id, users)
    grants = {grant.user.id: grant for grant in await asyncio.to_thread(list, vault.grants(firm.site, firm=firm.name))}
    there = {user.id for user in users}
    users += [grant.user for grant in grants.values() if grant.user.id not in there]
    known = await asyncio.to_thread(vault.ledger.known, app, account_id)
    wanted = [(one.who, (one.key, location.value)) for one in manifest.actions for location in one.ordered_locations]

    def member(user: User) -> Member:
        grant = grants.get(user.id)
        mine = {key for who, key in wanted if who.includes(user)}
        owned = known.of(user.id).owned.values()
        there = {(one.key, one.fields.ui_reference) for one in owned if one.manifest == manifest.app.name}
        if not user.enabled:
            return Member(user, equipped=False, why="This person cannot use Clio at the moment.", invite=False)
        if grant is None:
            return Member(user, equipped=False, why="Has not connected yet.", invite=True)
        if grant.problem:
            return Member(user, equipped=False, why=ADVICE[Access.REVOKED], invite=True)
        if not mine:
            return Member(user, equipped=False, why="No button is meant for this person.", invite=False)
        complete = mine <= there
        return Member(
            user, equipped=complete, why="" if complete else "Not complete: connect again.", invite=not complete
        )

    return [member(user) for user in sorted(users, key=lambda user: ((user.name or "").casefold(), user.id))]
