"""A sandbox for each test, a session at it, and a person: someone who waits for a form, and goes through consent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import urljoin

import httpx
import pytest
from ipywidgets import HTML, Button, Widget

import clio_nb as clio
from clio_nb.forms import Form, _form
from clio_nb.sandbox import Sandbox

from ..ports import free_port


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox(redirect_uris=(f"http://127.0.0.1:{free_port()}/callback",)) as sandbox:
        yield sandbox


@pytest.fixture
def session(site: Sandbox) -> clio.Session:
    return clio.login(site)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait, as a person does, until something is to be seen."""

    def wait(seen: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.005)

    return wait


@pytest.fixture
def click(until: Callable[[Callable[[], object]], None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Click a button, of a form the one that submits it, and wait until it can be clicked again: at once, here."""
    monkeypatch.setattr(_form, "REST", 0.0)

    def press(form: Form, button: Button | None = None) -> None:
        (button or form.button).click()
        until(lambda: not form.busy and not (button or form.button).disabled)

    return press


@pytest.fixture
def drawn() -> Callable[[Form], str]:
    """Return all that a form has drawn, as HTML, without what says where a line may break and where not."""

    def read(form: Form) -> str:
        html = "".join(widget.value for widget in _inside(form.view) if isinstance(widget, HTML))
        return re.sub(r"<wbr>|</?span[^>]*>", "", html)

    return read


def _inside(widget: Widget) -> Iterator[Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _inside(child)


@pytest.fixture
def consent() -> Callable[..., str]:
    """Decide at the consent page as a user of the firm; returns the address that the browser is sent to."""

    def decide(authorization_url: str, user_id: int, decision: str = "allow") -> str:
        with httpx.Client(trust_env=False, timeout=60) as browser:
            page = browser.get(authorization_url).raise_for_status()
            token = page.text.partition('name="consent" value="')[2].partition('"')[0]
            answer = browser.post(
                urljoin(str(page.url), "authorize"),
                data={"consent": token, "user_id": str(user_id), "decision": decision},
            )
            return answer.headers["location"]

    return decide
