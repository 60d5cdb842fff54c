"""Connected apps: what a user has allowed, what came of it, and the way to take it back."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from ...vocabulary import Location
from ..clock import iso
from .guard import Sorry
from .visit import Visit, screen


def _apps(visit: Visit) -> Response:
    grant = visit.state.app.grants.grant_of(visit.me.id)
    return visit.page(
        "apps.html",
        grant=grant,
        since=iso(grant.since) if grant else "",
        permissions=sorted(grant.permissions) if grant else [],
        tells=visit.state.url("deauthorization_url"),
        actions=[row.data for row in visit.state.actions.of(visit.me.id).values()],
        menus={location.value: location.menus for location in Location},
        revoked="revoked" in visit.request.query_params,
    )


def _revoke(visit: Visit) -> Response:
    if not visit.state.revoke(visit.me.id):
        raise Sorry(404, f"{visit.me.data['name']} has not allowed the app anything, so there is nothing to revoke.")
    return visit.go("apps?revoked")


ROUTES: Final = [screen("/as/{user}/apps", _apps), screen("/as/{user}/apps/revoke", _revoke, "POST")]
