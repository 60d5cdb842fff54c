"""Show the sandbox's screens inside a notebook, wherever its server is: on this machine, or behind a hub's proxy."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from .. import markup
from ..arguments import a_site
from ..errors import InvalidInput
from ..http.hub import in_browser
from ..session import Session

_THEMES: Final = (  # a page in a frame is light or dark as its frame is
    "<style>[data-jp-theme-light=true] .clio-screens iframe{color-scheme:light}"
    "[data-jp-theme-light=false] .clio-screens iframe{color-scheme:dark}</style>"
)


class Screens:
    """The sandbox's imitation of Clio's screens, in a frame.

    ``site`` is the sandbox, or what belongs to it: a session, a sign-in form, a :class:`clio_nb.Firm`. ``user`` is the
    id of a user, by default that of the session; without one it is chosen on the page. ``page`` is what that user looks
    at, such as ``"matters"`` or ``"matters/12"``. Raises :class:`InvalidInput` when the site is no sandbox.
    """

    def __init__(self, site: Any, user: int | None = None, page: str = "matters", *, height: int = 460) -> None:
        if user is None and isinstance(site, Session):
            user = site.user.id
        if a_site(site := getattr(site, "site", site)).control_url is None:
            raise InvalidInput(
                "Only the screens of a sandbox can be shown in a notebook. Open Clio itself in a browser tab.",
                field="site",
            )
        path = "/" if user is None else f"/as/{user}/{page}"
        self.url: Final = site.origin + path
        self.height: Final = height

    def __repr__(self) -> str:
        return f"<Screens of {self.url}>"

    def _repr_html_(self) -> str:
        address = in_browser(self.url)
        style = f"width:100%;height:{int(self.height)}px;border:1px solid {markup.EDGE};border-radius:6px"
        frame = f'<iframe src="{escape(address)}" title="Screens of the embedded Clio" style="{style}"></iframe>'
        link = markup.muted(markup.link(address, "Open these screens in a tab of their own"))
        return f'{_THEMES}<div class="clio-screens">{frame}{link}</div>'
