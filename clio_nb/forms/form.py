"""What all forms share: state in traits, one status line, one button that does what ``submit()`` does, and the code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from html import escape
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import ipywidgets as w
from traitlets import Any as Anything
from traitlets import Bool, HasTraits, Instance, Unicode, link

from .. import portal
from ..errors import ClioError, InvalidInput
from . import markup

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

_log: Final = logging.getLogger("clio_nb.forms")
_LABELS: Final = {"description_width": "8.5em"}
WIDTH: Final = "46em"


class Status(NamedTuple):
    """What the status line says."""

    kind: Literal["idle", "busy", "done", "failed"]
    text: str


class Form(HasTraits, Generic[T]):
    """A form over one verb of the library.

    ``value`` is what the last submit gave, ``status`` what the status line says, ``busy`` whether it is at work, and
    ``code`` the call that it would make, without secrets. Set the traits of a form and :meth:`submit` it from code, or
    show it and use its button: it is the same.
    """

    value = Anything(None)
    busy = Bool(default_value=False)
    status = Instance(Status, ("idle", ""))
    code = Unicode()

    def __init__(self, title: str, button: str) -> None:
        super().__init__()
        self.title: Final = title
        self.fields: Final[dict[str, w.Widget]] = {}
        self.button: Final = w.Button(description=button, button_style="primary", layout={"width": "auto"})
        self.button.on_click(self._click)
        self.show_code: Final = w.Button(description="Show the code", layout={"width": "auto"})
        self.show_code.on_click(self._toggle_code)
        self._status_line: Final = w.HTML()
        self._code_block: Final = w.HTML(layout={"display": "none"})
        self._heading: Final = w.HTML(
            f'<div style="font-size:1.2em;font-weight:600;color:{markup.INK}">{escape(title)}</div>'
        )
        self.view: Final = w.VBox(layout={"max_width": WIDTH, "grid_gap": "6px", "padding": "8px 4px"})
        self.observe(self._draw_status, "status")
        self.observe(self._draw_code, "code")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.status.text or self.title}>"

    def _repr_mimebundle_(self, **options: object) -> dict[str, object]:
        """Show the widgets, or where there are none, the code that does the same."""
        bundle: dict[str, object] = dict(self.view._repr_mimebundle_(**options))
        lead = f"<p><strong>{escape(self.title)}</strong>: a form, in a live notebook. The same in code:</p>"
        return {**bundle, "text/plain": repr(self), "text/html": lead + markup.block(self.code)}

    # What each form says of itself.

    def prepare(self) -> Work[T]:
        """Read and check the fields, and return the work to do. Secrets are read and cleared here, before any wait.

        Raises :class:`InvalidInput` with the field that is wrong; nothing was sent then.
        """
        raise NotImplementedError

    def outcome(self, value: T) -> Status:
        """Say in one sentence what came of it."""
        raise NotImplementedError

    # What all forms do.

    def submit(self) -> T:
        """Do what the button does, wait for it, and return the value. Raises what the verb raises."""
        return portal.run(self._carry_out, self._prepared())

    def _arrange(self, *rows: w.Widget) -> None:
        """Lay out the form: heading, its own rows, the buttons, the status line, the code."""
        buttons = w.HBox([self.button, self.show_code], layout={"margin": "4px 0 0"})
        self.view.children = (self._heading, *rows, buttons, self._status_line, self._code_block)

    def _field(self, name: str, widget: w.Widget) -> w.Widget:
        """Bind a widget to the trait of that name, and remember it as the place of errors about it."""
        link((self, name), (widget, "value"))
        return self._place(name, widget)

    def _place(self, name: str, widget: w.Widget) -> w.Widget:
        """Remember a widget as the place of errors about that argument."""
        widget.style = {**_LABELS}
        widget.layout.width = "100%"
        self.fields[name] = widget
        return widget

    def _click(self, _button: object = None) -> None:
        if self.busy:
            return
        try:
            work = self._prepared()
        except InvalidInput:
            return  # the status line says it
        self._start(work)

    def _start(self, work: Work[T]) -> Future[T]:
        future = portal.submit(self._carry_out, work)
        future.add_done_callback(self._tell_unexpected)
        return future

    def _prepared(self) -> Work[T]:
        if self.busy:
            raise InvalidInput("This form is at work. Wait until it is done.")
        try:
            work = self.prepare()
        except InvalidInput as error:
            self._tell(error)
            raise
        self.busy = True
        return work

    async def _carry_out(self, work: Work[T]) -> T:
        try:
            self.value = value = await work()
            self.status = self.outcome(value)
        except ClioError as error:
            self._tell(error)
            raise
        except asyncio.CancelledError:
            self.status = Status("idle", "Stopped.")
            raise
        else:
            return value
        finally:
            self.busy = False

    def _tell(self, error: ClioError) -> None:
        """Say what went wrong, name the field it is about, and move the focus there."""
        field = self.fields.get(error.field or "") if isinstance(error, InvalidInput) else None
        self.status = Status("failed", f"{field.description}: {error}" if field else str(error))
        if field is not None:
            field.focus()

    def _tell_unexpected(self, future: Future[T]) -> None:
        """Say that there is a defect, and log it: a widget has nobody to raise to."""
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, ClioError):
            _log.error("%s failed unexpectedly", type(self).__name__, exc_info=error)
            self.status = Status("failed", f"Something unexpected happened ({type(error).__name__}). Please report it.")

    def _draw_status(self, _change: object) -> None:
        kind, sentence = self.status
        mark = {"idle": "", "busy": "… ", "done": "✓ ", "failed": "✗ "}[kind]
        edge = {"idle": "transparent", "busy": markup.EDGE, "done": markup.GOOD, "failed": markup.BAD}[kind]
        style = f"border-left:3px solid {edge};padding-left:8px;color:{markup.INK};line-height:1.4"
        role = "alert" if kind == "failed" else "status"
        self._status_line.value = (
            f'<div role="{role}" style="{style}">{mark}{markup.text(sentence)}</div>' if sentence else ""
        )

    def _toggle_code(self, _button: object) -> None:
        hidden = self._code_block.layout.display == "none"
        self._code_block.layout.display = "flex" if hidden else "none"
        self.show_code.description = "Hide the code" if hidden else "Show the code"

    def _draw_code(self, _change: object) -> None:
        self._code_block.value = markup.block(self.code)


def call(verb: str, arguments: Sequence[str]) -> str:
    """Write a call of the library's face as a person would: on one line where it fits."""
    line = f"clio.{verb}({', '.join(arguments)})"
    if len(line) <= 88:
        return line
    return f"clio.{verb}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"
