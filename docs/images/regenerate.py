"""Make the pictures of the docs anew: ``python docs/images/regenerate.py``, with the test extra, Chromium and pillow.

The forms are those that the browser tests look at; the sandbox's screens are visited here; who uses the button is what
the walkthrough shows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import clio_nb as clio
from clio_nb.login import Login

HERE = Path(__file__).parent
FORMS = ("create_action", "firm", "inbox", "launch", "login", "my_actions")
LABELS = ("Send for signature", "Order an appraisal", "Open in the partner's app")


def forms(folder: Path) -> Iterator[Path]:
    """Have the browser tests take pictures of the forms, and give those of the light theme."""
    tests = HERE.parents[1] / "tests" / "browser" / "test_looks.py"
    command = [sys.executable, "-m", "pytest", "-q", str(tests), "-k", "Light"]
    subprocess.run(command, check=True, env={**os.environ, "CLIO_NB_SCREENSHOTS": str(folder)})  # noqa: S603 - our own
    yield from (folder / f"form-{name}-light.png" for name in FORMS)


def screens(folder: Path) -> Iterator[Path]:
    """Visit the screens of a sandbox."""
    with clio.sandbox() as site, sync_playwright() as playwright:
        session = clio.login(site)
        for label in LABELS:
            clio.create_action(session, label, "https://partner.example/launch", at="matters")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 560})
        user = f"{site.origin}/as/{session.user.id}"
        page.goto(f"{user}/matters")
        page.locator(".arrow").nth(2).click()
        page.screenshot(path=folder / "sandbox-matters.png")
        yield folder / "sandbox-matters.png"
        page.goto(f"{user}/developer")
        page.screenshot(path=folder / "sandbox-developer.png")
        yield folder / "sandbox-developer.png"
        page.set_viewport_size({"width": 580, "height": 540})
        page.goto(Login(site).authorization_url)
        page.screenshot(path=folder / "sandbox-consent.png")
        yield folder / "sandbox-consent.png"
        browser.close()


def usage(folder: Path) -> Path:
    """Take the first picture of the walkthrough that plays a quarter: clicks by day."""
    notebook = json.loads((HERE.parents[1] / "notebooks" / "09-who-uses-the-button.ipynb").read_text(encoding="utf-8"))
    shown = (output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", []))
    svg = next("".join(data["text/html"]) for data in shown if "<svg" in "".join(data.get("text/html", "")))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 820, "height": 400})
        page.set_content(svg)
        page.locator("svg").screenshot(path=folder / "usage-clicks.png")
        browser.close()
    return folder / "usage-clicks.png"


def main() -> None:
    """Take every picture, and keep it small."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for picture in (*screens(folder), *forms(folder), usage(folder)):
            kept = HERE / picture.name.replace("-light", "")
            Image.open(picture).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(kept, optimize=True)
            sys.stdout.write(f"{kept.name}: {kept.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
