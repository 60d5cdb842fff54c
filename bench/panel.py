"""Draw the coverage of a firm in a notebook: one table in one widget, whatever the number of users."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import ipywidgets

import clio_nb
from clio_nb.forms import _firm_view

from .clients.firm import MANIFEST
from .rounds import timed
from .table import Row, exactly


def rows(*, smoke: bool) -> Iterator[Row]:
    """Draw 200 users x 5 locations, and count the widgets that this makes beside those of the form."""
    users, times = (5, 1) if smoke else (200, 20)
    with clio_nb.sandbox(users=users, rate_limit=None) as site:
        firm = clio_nb.Firm(site)
        firm.sign_in_everyone()
        form = clio_nb.forms.firm(firm, MANIFEST)
        before = _widgets_in(form.view)
        coverage = form.read_coverage()
        made = _widgets_in(form.view) - before
    took = median(timed(times, ours=lambda: _firm_view.coverage(coverage))["ours"]) * 1000
    work = f"draw {users} users x 5 locations"
    yield Row("panel", work, f"{took:.1f} ms", goal="≤ 20 ms", met=took <= 20)
    yield exactly("panel", f"{work}: widgets made for it", made, 0, "widgets")


def _widgets_in(box: ipywidgets.Widget) -> int:
    return 1 + sum(_widgets_in(child) for child in getattr(box, "children", ()))
