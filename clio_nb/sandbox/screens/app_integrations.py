"""Add to Clio: the page whose button opens the app in a new window, and the page where such a sign-in ends."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from .menus import is_web
from .visit import Visit, screen


def _integrations(visit: Visit) -> Response:
    url = visit.state.url("add_to_clio_url")
    return visit.page(
        "app_integrations.html",
        opens=url if url and is_web(url) else None,
        connected=visit.state.app.grants.grant_of(visit.me.id) is not None,
    )


def _ended(visit: Visit) -> Response:
    """Clio closes this window and loads its page anew; without scripts the person does."""
    return visit.page("app_integrations_callback.html")


ROUTES: Final = [screen("/as/{user}/app_integrations", _integrations), screen("/app_integrations_callback", _ended)]
