"""A button that copies the text beside it, or selects it where the browser does not let a page copy."""

from __future__ import annotations

from typing import Final

import anywidget
import ipywidgets as w
from traitlets import Unicode

BOX: Final = "clio-copyable"

# The text is taken from the page, so that it is in no widget's state a second time.
_SCRIPT: Final = f"""
function render({{ model, el }}) {{
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button";
  button.style.width = "auto";
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${{model.get("what")}}`);
  const said = document.createElement("span");
  said.setAttribute("aria-live", "polite");
  said.style.cssText = "padding-left:8px;color:var(--jp-ui-font-color2, inherit)";
  button.addEventListener("click", async () => {{
    const source = el.closest(".{BOX}").querySelector("pre, code");
    try {{
      await navigator.clipboard.writeText(source.textContent);
      said.textContent = "Copied.";
    }} catch {{
      window.getSelection().selectAllChildren(source);
      said.textContent = "Selected. Press Ctrl+C, or ⌘C on a Mac.";
    }}
    setTimeout(() => {{ said.textContent = ""; }}, 5000);
  }});
  el.append(button, said);
}}
export default {{ render }};
"""


class _Button(anywidget.AnyWidget):
    _esm = _SCRIPT
    what = Unicode().tag(sync=True)


class Copyable(w.HBox):  # type: ignore[misc]  # ipywidgets has no types
    """HTML that holds one code element, with a button beside it that copies its text. Set ``value`` to show another."""

    def __init__(self, what: str, value: str = "", **layout: str) -> None:
        self._html: Final = w.HTML(value, layout={"flex": "0 1 auto", "min_width": "0"})
        row = {"flex_flow": "row wrap", "align_items": "center", **layout}
        super().__init__([self._html, _Button(what=what)], layout=row)
        self.add_class(BOX)

    @property
    def value(self) -> str:
        """The HTML that is shown."""
        return str(self._html.value)

    @value.setter
    def value(self, drawn: str) -> None:
        self._html.value = drawn
