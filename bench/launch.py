"""Inspect launch URLs, against the standard library's own parsing of them, which checks nothing."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from urllib.parse import parse_qs, urlsplit

from clio_nb.launches import inspect_launch

from .rounds import ratio, timed
from .table import Row, at_most


def rows(*, smoke: bool) -> Iterator[Row]:
    """Inspect 100,000 different launches, as they come from Clio's screens."""
    count = 1_000 if smoke else 100_000
    urls = [
        f"https://partner.example/launch?custom_action_id={number}&user_id={number % 1000 + 1}"
        f"&subject_url=%2Fapi%2Fv4%2Fmatters%2F{number}&custom_action_nonce={number:032x}"
        for number in range(1, count + 1)
    ]
    if not all(inspect_launch(url) for url in urls[:100]):
        raise AssertionError("the bench's own launches are refused")

    def ours() -> None:
        for url in urls:
            inspect_launch(url)

    def plain() -> None:
        for url in urls:
            parse_qs(urlsplit(url).query)

    took = timed(1 if smoke else 5, ours=ours, plain=plain)
    each = {name: f"{median(several) / count * 1e6:.1f} µs" for name, several in took.items()}
    share = ratio(took["ours"], took["plain"])
    yield at_most("launch", f"inspect {count:,} URLs", each["ours"], f"urlsplit + parse_qs {each['plain']}", share, 2.5)
