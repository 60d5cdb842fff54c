"""Every table that a form shows is saved beside the notebook."""

from __future__ import annotations

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import forms

TARGET = "https://partner.example/launch"
MANIFEST = """[app]
name = "partner-sign"
[[actions]]
key = "sign"
label = "Sign"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


@pytest.fixture
def sessions(site):
    return [clio.login(site, user=user.id) for user in site.users[:2]]


def saved(form, folder, ending=".csv"):
    return {path.stem: pd.read_csv(path) for path in form.save.save(ending) if path.parent == folder}


def test_what_was_created_for_each_user_is_saved(sessions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clio.create_action(sessions[1], "=Sign", TARGET, at="matters")
    form = forms.create_action(sessions)
    assert form.save.view.layout.display == "none"
    form.label, form.target_url = "=Sign", TARGET
    form.submit()
    [created] = saved(form, tmp_path).values()
    assert created["user_id"].tolist() == [session.user.id for session in sessions]
    assert created["label"].tolist() == ["'=Sign"] * 2
    assert created["action_id"].isna().tolist() == [False, True]


def test_who_is_signed_in_is_saved_without_a_token(site, consent, until, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    form = forms.login(site)
    form.button.click()
    until(lambda: form.authorization_url)
    form.paste.value = consent(form.authorization_url, site.users[1].id)
    until(lambda: form.sessions)
    [table] = saved(form, tmp_path).values()
    assert table.columns.tolist() == ["user", "firm", "id"]
    assert table["user"].tolist() == [site.users[1].name]


def test_coverage_plan_and_result_of_a_firm_are_saved_as_long_as_they_are_shown(site, sessions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "actions.toml").write_text(MANIFEST)
    form = forms.firm(sessions, "actions.toml")
    form.read_coverage()
    assert saved(form, tmp_path)["coverage"]["user_id"].tolist() == [user.id for user in site.users]
    form.make_plan()
    assert {"coverage-2", "plan"} == set(saved(form, tmp_path))
    form.submit()
    assert any(name.startswith("result") for name in saved(form, tmp_path))
