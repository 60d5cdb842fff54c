"""No token in a ledger, a log, a plan, a result or a table; and the same verbs from any event loop."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from clio_nb import aio
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault


def test_no_token_reaches_a_file_a_log_or_a_table(
    clio_sandbox: Sandbox, manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    firm = Firm(clio_sandbox, Vault.open(tmp_path / "vault.sqlite", key_file=tmp_path / "vault.key"))
    firm.sign_in_everyone()
    plan = firm.plan(manifest)
    plan.save(tmp_path / "plan.json")
    clio_sandbox.revoke(clio_sandbox.users[0].id)
    clio_sandbox.advance(2_592_001)
    result = firm.apply(plan, progress=False)
    assert not result
    firm.export(tmp_path / "exported.toml")
    shown = [repr(firm), repr(plan), repr(result), plan._repr_html_(), result._repr_html_(), caplog.text]
    shown += [firm.audit().to_csv(), firm.coverage().to_csv(), firm.users().to_csv(), firm.tokens().to_csv()]
    written = [file.read_bytes().decode(errors="replace") for file in tmp_path.iterdir()]
    secrets = [clio_sandbox.client_secret]
    for grant in firm.vault.grants(clio_sandbox):
        secrets += [grant.token.access.reveal(), grant.token.refresh.reveal() if grant.token.refresh else "none"]
    assert len(written) > 3
    assert not [secret for secret in secrets for text in (*shown, *written) if secret in text]


def test_the_verbs_can_be_awaited_from_any_loop(clio_sandbox: Sandbox, manifest: Manifest) -> None:
    async def run() -> tuple[bool, int]:
        firm = aio.Firm(clio_sandbox)
        await firm.sign_in_everyone()
        result = await firm.apply(await firm.plan(manifest))
        session = await firm.session_of(clio_sandbox.users[0].id)
        return bool(result), len(await session.list_actions())

    assert asyncio.run(run()) == (True, 2)
    assert asyncio.run(run()) == (True, 2)


def test_every_verb_of_the_async_firm_has_a_twin_of_the_same_name() -> None:
    verbs = {name for name, verb in vars(aio.Firm).items() if not name.startswith("_") and callable(verb)}
    assert verbs <= set(dir(Firm))


def test_progress_is_shown_on_stderr_and_only_if_wanted(
    firm: Firm, manifest: Manifest, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = firm.plan(manifest)
    firm.apply(plan, progress=False)
    assert capfd.readouterr() == ("", "")
    firm.undo(str(firm.runs()["run"].iloc[-1]))
    out, err = capfd.readouterr()
    assert out == ""
    assert "10/10" in err
