"""How forms are displayed: as widgets, and beside them, for pages without a kernel, as the code that does the same."""

from __future__ import annotations

from html import escape
from typing import Any, Final

import ipywidgets as w
from IPython.display import display

from .. import markup

VIEW: Final = "application/vnd.jupyter.widget-view+json"

# A page that nbconvert made keeps the widgets' state and draws them with scripts from the network, if there is one.
_HIDDEN: Final = (
    "<style>:is(.jp-OutputArea,.output):has(.clio-live) :is(.jp-OutputArea-child,.output_area):has(>* .clio-static)"
    "{display:none}</style>"
)


class Displayed:
    """Widgets in ``view``, under a title, and ``code`` that does the same."""

    code: Any  # a text; in forms a trait

    def __init__(self, title: str, **traits: object) -> None:
        super().__init__(**traits)
        self.title: Final = title
        self.view: Final = w.VBox()

    def _repr_mimebundle_(self, **options: object) -> dict[str, object]:
        """Give the widgets, and the code that does the same."""
        lead = f"<p><strong>{escape(self.title)}</strong>: a form, in a live notebook. The same in code:</p>"
        bundle: dict[str, object] = dict(self.view._repr_mimebundle_(**options))
        return {**bundle, "text/plain": repr(self), "text/html": lead + markup.block(self.code)}

    def _ipython_display_(self) -> None:
        """Display both: a converted notebook would show either the widgets or nothing."""
        self.view.add_class("clio-live")
        bundle = self._repr_mimebundle_()
        live = {VIEW: bundle.pop(VIEW)}
        static = f'{_HIDDEN}<div class="clio-static">{bundle["text/html"]}</div>'
        display({**bundle, "text/html": static}, raw=True)
        display(live, raw=True)
