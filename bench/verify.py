"""Prove launches, against raw httpx GETs of the same record, each with a nonce of its own."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any, Final

import httpx

import clio_nb
from clio_nb import CustomAction, Session
from clio_nb.models import Subject

from .processes import sandbox
from .rounds import rounds, seconds
from .table import Row, exactly

_TARGET: Final = "https://partner.example/launch"


def rows(*, smoke: bool) -> Iterator[Row]:
    """Prove one launch after the other at a sandbox in a process of its own, with no limit and a clock that stands."""
    count, times = (3, 1) if smoke else (50, 7)
    with sandbox(rate_limit=1_000_000) as about, httpx.Client(base_url=about["base_url"], trust_env=False) as plain:
        session = clio_nb.login(clio_nb.connect(about["base_url"]), user=about["users"][0]["id"])
        action = clio_nb.create_action(session, "Prove", _TARGET, at="matters")
        matter = clio_nb.list_records(session, "matters")[0].subject
        clicks = _Clicks(plain, about, session, action, matter)
        took = rounds({"ours": lambda: clicks.proved(count), "plain": lambda: clicks.fetched(count)}, times)
        before = clicks.api_requests()
        clicks.proved(1)
        asked = clicks.api_requests() - before
    ours, raw = (median(took[name]) * 1000 for name in ("ours", "plain"))
    more = median(mine - other for mine, other in zip(took["ours"], took["plain"], strict=True)) * 1000
    peer = f"raw httpx GET {raw:.2f} ms"
    yield exactly("verify", "prove one launch: requests to Clio", asked, 1, "request")
    yield Row("verify", "prove one launch", f"{ours:.2f} ms", peer, f"{more:+.2f} ms", "≤ +1 ms", more <= 1)


class _Clicks:
    """Clicks in Clio, minted beforehand, and what becomes of them."""

    def __init__(
        self, plain: httpx.Client, about: dict[str, Any], session: Session, action: CustomAction, matter: Subject
    ) -> None:
        self._plain = plain
        self._control = about["control_url"]
        self._session = session
        self._matter = matter
        user_id = about["users"][0]["id"]
        self._click = {"user_id": user_id, "custom_action_id": action.id, "subject_url": matter.path}
        token = plain.post(f"{self._control}/tokens", json={"user_id": user_id}).json()["access_token"]
        self._bearer = {"authorization": f"Bearer {token}"}

    def _urls(self, count: int) -> list[str]:
        url = f"{self._control}/clicks"
        return [self._plain.post(url, json=self._click).json()["launch_url"] for _ in range(count)]

    def proved(self, count: int) -> float:
        """Return the seconds that the proof of a launch takes."""

        def prove() -> None:
            for url in urls:
                if not clio_nb.verify_launch(url, self._session):
                    raise AssertionError("a genuine launch was not verified")

        urls = self._urls(count)
        return seconds(prove) / count

    def fetched(self, count: int) -> float:
        """Return the seconds that the bare request takes."""

        def fetch() -> None:
            for nonce in nonces:
                query = {"fields": "id,display_number,description", "custom_action_nonce": nonce}
                self._plain.get(self._matter.path, params=query, headers=self._bearer).raise_for_status()

        nonces = [httpx.URL(url).params["custom_action_nonce"] for url in self._urls(count)]
        return seconds(fetch) / count

    def api_requests(self) -> int:
        """Return how many requests the sandbox's API has seen."""
        return len(self._plain.get(f"{self._control}/requests").json())
