"""A firm of 1,000 users is planned and applied, and planned again with one request a user."""

from __future__ import annotations

import pytest

from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.sandbox import Sandbox

USERS = 1000


@pytest.mark.clio_sandbox(users=USERS, rate_limit=None)
def test_a_thousand_users_are_planned_and_applied_and_nothing_is_left(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = firm.plan(manifest)
    assert plan.counts() == {"create": 2 * USERS}
    assert firm.apply(plan, progress=False)
    before = len(clio_sandbox.requests)
    assert firm.plan(manifest).counts() == {"ok": 2 * USERS}
    assert len(clio_sandbox.requests) - before == USERS + USERS // 200
    coverage = firm.coverage(manifest)
    assert (coverage["matters/show"] == "Send for signature").all()
    assert len(plan._repr_html_()) < 500_000
