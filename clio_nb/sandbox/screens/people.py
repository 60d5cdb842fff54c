"""The front door, where a person picks whom of the firm to be."""

from __future__ import annotations

import dataclasses
from typing import Final

from starlette.responses import Response

from ..world.scope import states_of
from .listing import sheet
from .visit import Visit, screen


def _users(visit: Visit) -> Response:
    firms = states_of(visit.request)
    asked = visit.request.query_params.get("firm")
    firm = next((each for each in firms if str(each.account_id) == asked), firms[0])
    visit = dataclasses.replace(visit, state=firm)
    kept = {"firm": str(firm.account_id)} if len(firms) > 1 else {}
    wanted = visit.request.query_params.get("find", "").strip()
    rows = [row for row in visit.state.records("users").values() if _fits(row.data["name"], row.data["email"], wanted)]
    page = sheet(rows, visit.request.query_params.get("page"), {**kept, **({"find": wanted} if wanted else {})})
    return visit.page(
        "users.html",
        firms=firms if len(firms) > 1 else [],
        wanted=wanted,
        searchable=len(visit.state.users) > len(page.rows) or bool(wanted),
        sheet=page,
        actions={row.id: len(visit.state.actions.of(row.id)) for row in page.rows},
        connected={row.id: visit.state.app.grants.grant_of(row.id) is not None for row in page.rows},
    )


def _fits(name: str, email: str, wanted: str) -> bool:
    return wanted.casefold() in f"{name} {email}".casefold()


ROUTES: Final = [screen("/", _users)]
