"""All forms side by side, in tabs, for whoever signs in there; on a sandbox with its screens beside them."""

from __future__ import annotations

from itertools import count
from typing import Final

import ipywidgets as w

from ..arguments import a_site
from ..launches import Inbox, inbox
from ..models import Site
from ._display import Displayed
from ._form import html, say
from ._who import people_of
from .create_action import ActionForm
from .firm import FirmForm
from .inbox import InboxForm
from .launch import LaunchForm
from .login import LoginForm
from .my_actions import MyActionsForm
from .screens import Screens

_STYLE: Final = """<style>
.clio-workbench{container-type:inline-size}
.clio-workbench>.widget-hbox{flex-flow:row wrap;gap:12px;align-items:flex-start}
.clio-workbench .widget-tab{flex:2 1 34em;min-width:0;max-width:60em}
.clio-workbench .widget-tab>.widget-tab-contents{padding:0}
.clio-workbench .clio-form{border:0}
.clio-workbench :is(.lm-TabBar-content,.p-TabBar-content){flex-wrap:wrap}
.clio-workbench :is(.lm-TabBar-tab,.p-TabBar-tab){flex:0 0 auto!important;max-width:none!important;\
color:var(--jp-ui-font-color1, inherit)!important}
.clio-workbench .clio-beside{flex:1 1 26em;min-width:0;position:sticky;top:8px}
.clio-workbench .clio-beside>.widget-html-content{width:100%}
</style>"""
_HEIGHT: Final = 680


class Workbench(Displayed):
    """Sign in, create, change, receive launches and keep a firm in order, on one page.

    Each form is an attribute, and works for those who are signed in with ``login``. ``received`` is the inbox whose
    launches are shown: :meth:`close` ends it. ``view`` is the widget, to be put into others.

    Args:
        site: The app, or a sandbox.

    Raises:
        errors.InvalidInput: It is not a site.

    Examples:
        >>> workbench = clio.forms.workbench(site)
        >>> workbench.my_actions
        <MyActionsForm: My actions>
        >>> workbench.close()
    """

    code = "clio.forms.workbench(site)"

    def __init__(self, site: Site) -> None:
        super().__init__("Workbench")
        self._site: Final = a_site(site)
        self.login: Final = LoginForm(site)
        who = people_of(self.login, "forms.workbench")
        self.create_action: Final = ActionForm(who)
        self.my_actions: Final = MyActionsForm(who)
        self.launch: Final = LaunchForm(who)
        self.received: Final[Inbox] = inbox(site, who)
        self.inbox: Final = InboxForm(self.received, site)
        self.firm: Final = FirmForm(who)
        self._loads: Final = count()
        self._screens: Final = html()
        self._screens.add_class("clio-beside")
        launches = w.VBox([self.inbox.view, self.launch.view])
        tabs = {
            "Sign in": self.login.view,
            "Create": self.create_action.view,
            "My actions": self.my_actions.view,
            "Launches": launches,
            "The firm": self.firm.view,
        }
        tab = w.Tab(list(tabs.values()), titles=list(tabs))
        self.view.children = (w.HTML(_STYLE), w.HBox([tab, self._screens]))
        self.view.add_class("clio-workbench")
        self._draw_screens()
        self.login.observe(self._draw_screens, "sessions")
        for form in (self.create_action, self.my_actions, self.firm):
            form.observe(self._draw_screens, "value")
        for form in (self.create_action, self.firm):
            form.observe(lambda _change: self.my_actions.follow(), "value")

    def __repr__(self) -> str:
        return f"<Workbench at {self._site.origin}>"

    def close(self) -> None:
        """Stop receiving launches."""
        self.received.close()

    def _draw_screens(self, _change: object = None) -> None:
        """Load a sandbox's screens anew: as whoever has signed in last, where the action of the form is shown."""
        if self._site.control_url is None:
            return
        users = [session.user.id for session in self.login.sessions if session.user]
        screens = Screens(self._site, users[-1] if users else None, self.create_action.at.resource, height=_HEIGHT)
        say(self._screens, f"{screens._repr_html_()}<!-- {next(self._loads)} -->")
