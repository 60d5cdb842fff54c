"""The page "Deploy": what it says to alert on is what is logged, and its keys are made as it says."""

from __future__ import annotations

import re
import subprocess
import sys

from clio_nb.vault.keys import find_keys
from clio_nb.web.signed_cookie import checked_keys

from .page import ROOT

PAGE = (ROOT / "docs" / "how-to" / "deploy.md").read_text()


def test_each_sentence_to_alert_on_is_one_that_its_logger_writes():
    table = PAGE.partition("## What to alert on")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if "the logger" in row]
    assert len(rows) == 2
    for row in rows:
        logger, _, *sentences = re.findall("`([^`]+)`", row.rpartition(" | ")[0])
        written = "".join(
            source
            for file in (ROOT / "clio_nb").rglob("*.py")
            if f'getLogger("{logger}")' in (source := file.read_text())
        )
        assert sentences
        for sentence in sentences:
            assert re.search(re.escape(sentence).replace("us", "(?:us|%s)"), written), sentence


def test_the_keys_of_the_page_are_made_as_it_says(monkeypatch, tmp_path, no_keyring):
    launch_key, vault_key = (
        subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.strip()
        for said in re.findall(r'`python -c "([^`]+)"`', PAGE)
    )
    assert checked_keys(launch_key)
    monkeypatch.setenv("CLIO_NB_KEY", vault_key)
    assert find_keys(tmp_path / "vault.key").store.name == "the variable CLIO_NB_KEY"
