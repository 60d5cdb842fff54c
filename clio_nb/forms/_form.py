"""What all forms share: state in traits, one status line, one button that does what ``submit()`` does, and the code."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from html import escape
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import anyio.to_thread
import ipywidgets as w
from traitlets import Any as Anything
from traitlets import Bool, HasTraits, Instance, Unicode, link

from .. import markup
from ..errors import ClioError, InvalidInput
from ..http import loop, timeouts
from ..tracebacks import verb, verbs
from ._copy import Copyable
from ._display import Displayed
from ._who import People

T = TypeVar("T")
U = TypeVar("U")
Work = Callable[[], Coroutine[Any, Any, T]]

REST: Final = 0.5  # seconds after a click, or the end of what it did, in which another one is half of a double click
SETTLE: Final = 0.3  # seconds: a frontend holds the last letters back while the kernel works, and no click and no Enter
_UNSEEN: Final = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"  # what copying from a page or chat brings along

_log: Final = logging.getLogger("clio_nb.forms")
_WRONG: Final = "clio-wrong"
_LABELS: Final = "9em"  # width of the column of labels
_ARROW: Final = (  # of dropdowns: the one of ipywidgets cannot be seen in a dark theme
    "url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E"
    "%3Cpath d='M5 7l4 4 4-4' fill='none' stroke='%23888' stroke-width='2'/%3E%3C/svg%3E\")"
)
_STYLE: Final = f"""
.clio-form{{--jp-widgets-dropdown-arrow:{_ARROW}}}
.clio-form{{container-type:inline-size;border:1px solid {markup.EDGE};border-radius:6px;padding:14px 18px 12px;margin:4px 2px;max-width:56em}}
.clio-form .widget-label{{text-align:left}}
.clio-form .widget-html-content{{line-height:1.45;color:{markup.INK}}}
.clio-form .widget-hbox{{flex-flow:row wrap}}
.clio-form .widget-checkbox{{height:auto}}
.clio-form .widget-label-basic{{white-space:normal;overflow:visible;height:auto}}
.clio-form .clio-title{{font-size:1.15em;font-weight:600;padding-bottom:4px}}
.clio-form td code{{display:inline-block;min-width:19em}}
.clio-form .clio-wrong :is(input,textarea){{border-color:{markup.BAD};box-shadow:0 0 0 1px {markup.BAD}}}
.clio-form .clio-hint.clio-hint{{margin:0 3px 4px calc({_LABELS} + 10px)}}
@container (max-width:44em){{
.clio-form .widget-inline-hbox{{flex-wrap:wrap;height:auto}}
.clio-form .widget-inline-hbox>.widget-label{{flex:1 0 100%}}
.clio-form .widget-inline-hbox>:is(input,select,textarea){{flex:1 1 100%;min-height:28px}}
.clio-form .widget-checkbox>.widget-label{{display:none}}
.clio-form .clio-hint.clio-hint{{margin-left:3px}}
}}
"""  # noqa: E501 -- a rule of style on a line


def trimmed(text: str) -> str:
    """Return what was pasted without the white space and the invisible characters around it."""
    seen = text.strip().strip(_UNSEEN).strip()
    return trimmed(seen) if seen != text else seen


class Trimmed(Unicode[str, str]):
    """A text that is trimmed, however it is set."""

    def validate(self, obj: Any, value: Any) -> str:
        return trimmed(super().validate(obj, value))


class Status(NamedTuple):
    """What the status line says."""

    kind: Literal["idle", "busy", "done", "failed"]
    text: str

    def drawn(self) -> str:
        """Draw the status with a role, so that it is also heard. Failures interrupt."""
        mark = {"done": markup.MARKS[True], "failed": markup.MARKS[False]}.get(self.kind, "")
        edge = {"done": markup.GOOD, "failed": markup.BAD}.get(self.kind, markup.EDGE)
        role = "alert" if self.kind == "failed" else "status"
        style = f"border-left:3px solid {edge};padding-left:8px"
        return f'<div role="{role}" style="{style}">{mark} {markup.text(self.text)}</div>'


@verbs
class Form(Displayed, HasTraits, Generic[T]):
    """A form over one verb of the library.

    ``value`` is what the last submit gave, ``status`` what the status line says, ``busy`` whether it is working, and
    ``code`` the call that it would make, without secrets. Set the traits of a form and :meth:`submit` it from code, or
    show it and use its button: it is the same. ``view`` is the widget, to be put into others.
    """

    value = Anything(None)
    busy = Bool(default_value=False)
    status = Instance(Status, ("idle", ""))
    code = Unicode()

    def __init_subclass__(cls) -> None:
        verbs(cls)

    def __init__(self, title: str, button: str, people: People | None = None) -> None:
        super().__init__(title)
        self._who: Final = people or People((), title)
        self._running: Future[Any] | None = None
        self._free: Final = threading.Lock()
        self._clicked: Final[dict[object, float]] = {}
        self._starters: Final[list[w.Button]] = []
        self.fields: Final[dict[str, w.Widget]] = {}
        self.button: Final = self._starter(button, self.prepare, self._finish, style="primary")
        self.show_code: Final = push("Show the code", self._toggle_code)
        self._heading: Final = w.HTML(f'<style>{_STYLE}</style><div class="clio-title">{escape(title)}</div>')
        self._nobody: Final = html()
        self._status_line: Final = html()
        self._code_block: Final = Copyable("the code", display="none")
        self.view.add_class("clio-form")
        self.observe(self._draw_status, "status")
        self.observe(self._draw_code, "code")
        if people is not None:
            people.on_change(self._follow)
            self._draw_nobody()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.status.text or self.title}>"

    # Each form implements these.

    def prepare(self) -> Work[T]:
        """Read and check the fields, and return the work to do. Secrets are read and cleared here, before any wait.

        Raises :class:`InvalidInput` with the field that is wrong; nothing was sent then.
        """
        raise NotImplementedError

    def outcome(self, value: T) -> Status:
        """Return the status for a value: one sentence."""
        raise NotImplementedError

    def follow(self) -> None:
        """Draw what depends on who is signed in; called when that has changed."""

    def enter(self, field: str) -> None:
        """Do what Enter in a field does: what the button does."""
        self.button.click()

    # The same in all forms.

    def submit(self) -> T:
        """Do what the button does, wait, and return the value. Raises what the verb raises."""
        return loop.run(self._carry_out, self._prepared(self.prepare), self._finish)

    def stop(self, _button: object = None) -> None:
        """Cancel what the button started."""
        if self._running is not None:
            self._running.cancel()

    def _arrange(self, *rows: w.Widget, buttons: tuple[w.Widget, ...] = (), below: tuple[w.Widget, ...] = ()) -> None:
        """Lay out the form: heading, its own rows, the buttons, the status line, the code, and the results."""
        line = w.HBox([self.button, *buttons, self.show_code], layout={"flex_flow": "row wrap", "margin": "8px 0 2px"})
        self.view.children = (self._heading, *rows, self._nobody, line, self._status_line, self._code_block, *below)

    def _field(self, name: str, widget: w.Widget) -> w.Widget:
        """Bind a widget to the trait of that name, where errors about it are shown."""
        widget = self._widget_for(name, widget)
        link((self, name), (widget, "value"))
        return widget

    def _widget_for(self, name: str, widget: w.Widget) -> w.Widget:
        """Remember the widget for that argument, so that an error about it names the widget."""
        widget.style = {"description_width": _LABELS}
        widget.layout.width = "auto"
        self.fields[name] = widget
        widget.observe(self._forget_error, "value")
        if isinstance(widget, w.Text):
            widget.on_msg(lambda _widget, content, _buffers: self._on_message(lambda: self.enter(name), content))
        return widget

    def _on_message(self, action: Callable[[], object], content: dict[str, object]) -> None:
        """Do something on a click or Enter in a page, once the letters that were typed before it are here, too."""

        async def settle() -> None:
            await timeouts.sleep(SETTLE)
            await anyio.to_thread.run_sync(action)

        if content.get("event") in ("click", "submit"):
            loop.submit(settle).add_done_callback(self._tell_unexpected)

    def _starter(
        self, text: str, prepare: Callable[[], Work[U]], finish: Callable[[U], Status], *, style: str = ""
    ) -> w.Button:
        """Return a button that starts work. It is disabled, with all others of this kind, while there is any."""
        button = push(text, lambda clicked: self._begin(prepare, finish, clicked), style=style)
        button.on_msg(button._handle_button_msg, remove=True)  # noqa: SLF001 -- which clicks at once
        button.on_msg(lambda clicked, content, _buffers: self._on_message(clicked.click, content))
        self._starters.append(button)
        return button

    def _begin(self, prepare: Callable[[], Work[U]], finish: Callable[[U], Status], clicked: object = None) -> None:
        """Start the work of a button. A click while the form is busy, or shortly after the one before, does nothing."""
        before = self._clicked.get(clicked, -REST)
        self._clicked[clicked] = timeouts.now()
        if self.busy or self._clicked[clicked] - before < REST:
            return
        try:
            work = self._prepared(prepare)
        except InvalidInput:
            del self._clicked[clicked]
            return  # the status line says it
        self._running = running = loop.submit(self._carry_out, work, finish, clicked)
        running.add_done_callback(self._tell_unexpected)

    def _finish(self, value: T) -> Status:
        self.value = value
        return self.outcome(value)

    def _prepared(self, prepare: Callable[[], Work[U]]) -> Work[U]:
        if not self._free.acquire(blocking=False):
            raise InvalidInput("This form is busy. Wait until it is done.")
        try:
            self._tidy()
            work = prepare()
        except BaseException as error:
            self._free.release()
            if isinstance(error, InvalidInput):
                self._tell(error)
            raise
        self.busy = True
        self._draw_buttons()
        return work

    async def _carry_out(self, work: Work[U], finish: Callable[[U], Status], clicked: object = None) -> U:
        try:
            value = await work()
            self.status = finish(value)
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
            self._free.release()
            self._draw_buttons(but=clicked)
            if clicked is not None:
                self._clicked[clicked] = timeouts.now()
                timeouts.apart(self._enable())

    async def _enable(self) -> None:
        """Let the button be clicked again, after a moment in which the second half of a double click would come."""
        await timeouts.sleep(REST)
        if not self.busy:
            self._draw_buttons()

    def _draw_buttons(self, *, but: object = None) -> None:
        """Disable what starts work while there is any; and one button a little longer."""
        for button in self._starters:
            button.disabled = self.busy or button is but

    def _tidy(self) -> None:
        """Show the fields as they are used, trimmed, and no error of the time before."""
        self._unmark()
        for name, widget in self.fields.items():
            if self.has_trait(name):
                widget.value = getattr(self, name)

    def _tell(self, error: ClioError) -> None:
        """Say what went wrong, name and mark the field it is about, and move the focus there."""
        self._unmark()
        field = self.fields.get(error.field or "") if isinstance(error, InvalidInput) else None
        self.status = Status("failed", f"{field.description}: {error}" if field else str(error))
        if field is not None:
            field.add_class(_WRONG)
            field.focus()

    def _forget_error(self, change: Any = None) -> None:
        """Take back an error once what it is about has changed: its field, or any where it names none."""
        marked = [field for field in self.fields.values() if _WRONG in field._dom_classes]  # noqa: SLF001 -- no other way
        if self.status.kind == "failed" and (not marked or change is None or change["owner"] in marked):
            self._unmark()
            self.status = Status("idle", "")

    def _unmark(self) -> None:
        for field in self.fields.values():
            field.remove_class(_WRONG)

    def _follow(self) -> None:
        """Somebody has signed in or out."""
        self._draw_nobody()
        self.follow()

    def _draw_nobody(self) -> None:
        say(self._nobody, "" if self._who.sessions else Status("idle", self._who.advice).drawn())
        if self._who.sessions and self.status.text == self._who.advice:
            self._forget_error()

    def _tell_unexpected(self, future: Future[Any]) -> None:
        """Log an unexpected error and show that there was one: a widget callback has no caller to raise it to."""
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, ClioError):
            _log.error("%s failed unexpectedly", type(self).__name__, exc_info=error)
            self.status = Status("failed", f"An unexpected error happened ({type(error).__name__}). Please report it.")

    def _draw_status(self, _change: object) -> None:
        say(self._status_line, self.status.drawn() if self.status.text else "")

    def _toggle_code(self, _button: object) -> None:
        hidden = self._code_block.layout.display == "none"
        self._code_block.layout.display = "flex" if hidden else "none"
        self.show_code.description = "Hide the code" if hidden else "Show the code"

    def _draw_code(self, _change: object) -> None:
        self._code_block.value = markup.block(self.code)


def push(text: str, action: Callable[[object], object], *, style: str = "") -> w.Button:
    """Return a button with text, which does something when it is clicked."""
    button = w.Button(description=text, button_style=style, layout={"width": "auto"})
    button.on_click(verb(action))
    return button


def html(*, hint: bool = False) -> w.HTML:
    """Return an empty, hidden HTML widget for :func:`say`; a hint stands under its field."""
    widget = w.HTML(layout={"display": "none"})
    if hint:
        widget.add_class("clio-hint")
    return widget


def say(widget: w.HTML, drawn: str) -> None:
    """Show HTML in a widget, or hide the widget when there is none."""
    widget.value = drawn
    widget.layout.display = "flex" if drawn else "none"


def call(verb: str, *arguments: str, on: str = "clio") -> str:
    """Write a call of the library's face as a person would: on one line where it fits."""
    line = f"{on}.{verb}({', '.join(arguments)})"
    if len(line) <= 88:
        return line
    return f"{on}.{verb}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"
