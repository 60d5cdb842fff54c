"""Make the pictures of the docs anew: ``python docs/images/regenerate.py``, with playwright, pillow and Chromium."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import clio_nb as clio

HERE = Path(__file__).parent
LABELS = ("Send for signature", "Order an appraisal", "Open in the partner's app")


def take(page: Page, name: str) -> None:
    """Keep what is on the screen as a small PNG."""
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)
    sys.stdout.write(f"{name}.png: {(HERE / f'{name}.png').stat().st_size // 1024} kB\n")


def main() -> None:
    """Take every picture."""
    with clio.sandbox() as site, sync_playwright() as playwright:
        session = clio.login(site)
        for label in LABELS:
            clio.create_action(session, label, "https://partner.example/launch", at="matters")
        matter = site.records("matters")[2]
        for action in clio.list_actions(session):
            url = site.click(session.user.id, action.id, matter["subject_url"])
            site.advance(19)
            clio.verify_launch(url, session)

        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 560})
        user = f"{site.origin}/as/{session.user.id}"

        page.goto(f"{user}/matters")
        page.locator(".arrow").nth(2).click()
        take(page, "sandbox-matters")

        page.goto(f"{user}/developer")
        take(page, "sandbox-developer")

        consent = clio.signin.Login(site).authorization_url
        page.set_viewport_size({"width": 760, "height": 620})
        page.goto(consent)
        take(page, "sandbox-consent")
        browser.close()


if __name__ == "__main__":
    main()
