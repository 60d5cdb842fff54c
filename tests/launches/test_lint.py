"""Linting an action before it is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clio_nb as clio
from clio_nb.action_rules import lint
from clio_nb.models import CustomAction
from clio_nb.vocabulary import Location

TARGET = "https://partner.example/launch"
LAUNCHED = "custom_action_id=1&user_id=1&subject_url=%2Fapi%2Fv4%2Fmatters%2F1&custom_action_nonce=sample-nonce"


def sentences(action, **known):
    return " ".join(finding.sentence for finding in lint(action, **known))


def test_a_good_action_has_no_findings():
    assert lint(("Send for signature", TARGET, "matters")) == []
    assert lint(CustomAction(id=1, label="Sign", target_url=TARGET, ui_reference="folders/show")) == []


@pytest.mark.parametrize(
    ("action", "field", "clio"),
    [
        (("", TARGET, "matters"), "label", "422 RecordInvalid"),
        (("  ", TARGET, "matters"), "label", "422 RecordInvalid"),
        (("x" * 33, TARGET, "matters"), "label", "422 RecordInvalid"),
        (("Sign", "", "matters"), "target_url", "422 RecordInvalid"),
        (("Sign", "/launch", "matters"), "target_url", "422 RecordInvalid"),
        (("Sign", "javascript:alert(1)", "matters"), "target_url", "422 RecordInvalid"),
        (("Sign", TARGET, "bills"), "at", "400 ArgumentError"),
        (CustomAction(id=1), "label", "422 RecordInvalid"),
    ],
)
def test_what_clio_refuses_is_an_error_with_clios_answer(action, field, clio):
    worst = lint(action)[0]
    assert (worst.field, worst.level, worst.clio) == (field, "error", clio)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (("", TARGET, "matters"), "The label is empty. Give the text that the menu shows."),
        (("x" * 33, TARGET, "matters"), "The label has 33 characters; Clio takes 32 at most. Shorten it by 1."),
        (("Sign", "", "matters"), "The URL is empty."),
    ],
)
def test_the_sentence_says_what_is_wrong(action, sentence):
    assert lint(action)[0].sentence == sentence


def test_a_place_that_is_none_is_named_with_those_that_there_are():
    assert "bills" in lint(("Sign", TARGET, "bills"))[0].sentence
    assert "matters" in lint(("Sign", TARGET, "bills"))[0].sentence


def test_an_action_of_which_clio_left_out_everything_has_a_finding_for_each_field():
    assert [finding.field for finding in lint(CustomAction(id=1))] == ["label", "at", "target_url"]


@pytest.mark.parametrize("label", [" Sign", "Sign ", "Sign  now", "Si\u200bgn"])
def test_spaces_at_an_end_and_characters_that_do_not_show_are_pointed_out(label):
    sentence = (
        "The label has leading, trailing or repeated spaces, or invisible characters. Clio may drop them: remove them."
    )
    assert lint((label, TARGET, "matters")) == [("label", "warning", sentence, "")]


def test_a_placeholder_in_a_label_is_pointed_out():
    sentence = "The label has a placeholder. Clio does not fill it in: users see it as it is."
    assert lint(("Sign {matter_id}", TARGET, "matters")) == [("label", "warning", sentence, "")]


def test_a_label_of_32_characters_is_short_enough():
    assert lint(("x" * 32, TARGET, Location.MATTERS)) == []


@pytest.mark.parametrize(
    "target",
    [
        "https://partner.example/launch?user_id=1",
        "https://partner.example/launch?a=1&subject%5Furl=x",
        "https://partner.example/launch?custom_action_nonce",
    ],
)
def test_a_reserved_name_in_the_target_breaks_every_launch(target):
    worst = lint(("Sign", target, "matters"))[0]
    assert (worst.field, worst.level, worst.clio) == ("target_url", "error", "")
    assert "have it twice" in worst.sentence


@pytest.mark.parametrize("target", ["https://user:pw@partner.example/launch", "https://partner.example/100%"])
def test_a_target_whose_launches_would_be_refused_is_an_error(target):
    worst = lint(("Sign", target, "matters"))[0]
    assert (worst.field, worst.level, worst.clio) == ("target_url", "error", "")
    assert clio.inspect_launch(f"{target}?{LAUNCHED}").reasons == (worst.sentence,)


@pytest.mark.parametrize(
    "target",
    [
        "https://partner.example/launch/{matter_id}",
        "https://partner.example/launch?matter={{matter.id}}",
        "https://partner.example/launch?matter=%7Bmatter_id%7D",
        "https://partner.example/launch/<matter_id>",
        "https://partner.example/matters/:id",
    ],
)
def test_a_placeholder_is_pointed_out_since_clio_does_not_fill_it_in(target):
    assert "does not fill it in" in sentences(("Sign", target, "matters"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://partner.example/launch?", "a path is safer"),
        ("http://partner.example/launch", "in the clear"),
        ("https://localhost/launch", "only from this machine or network"),
        ("https://127.0.0.1:8000/launch", "only from this machine or network"),
        ("https://[::1]/launch", "only from this machine or network"),
        ("https://10.1.2.3/launch", "only from this machine or network"),
        ("https://intranet/launch", "only from this machine or network"),
        ("https://localhost./launch", "only from this machine or network"),
        ("https://app.localhost/launch", "only from this machine or network"),
        ("https://app.local/launch", "only from this machine or network"),
        ("https://app.internal/launch", "only from this machine or network"),
        ("https://partner.example/launch?tenant=7", "a path is safer"),
        ("https://partner.example/#/launch", "never sends"),
    ],
)
def test_an_unwise_target_is_a_warning(target, words):
    (finding,) = lint(("Sign", target, "matters"))
    assert (finding.field, finding.level, finding.clio) == ("target_url", "warning", "")
    assert words in finding.sentence


def test_the_same_label_twice_in_a_place_is_an_error():
    there = CustomAction(id=7, label="Sign", target_url=TARGET, ui_reference="matters/show")
    (finding,) = lint(("Sign", TARGET, "matters"), beside=[there])
    assert (finding.field, finding.level, finding.clio) == ("label", "error", "422 RecordInvalid")
    assert "id 7" in finding.sentence
    assert lint(("Sign", TARGET, "contacts"), beside=[there]) == []
    assert lint(there, beside=[there]) == []


@given(st.text(), st.text(), st.text())
def test_any_text_gets_findings_and_the_errors_come_first(label, target_url, place):
    levels = [finding.level for finding in lint((label, target_url, place))]
    assert levels == sorted(levels)


REFUSED = [
    ("", TARGET, "matters/show"),
    ("x" * 33, TARGET, "matters/show"),
    ("Sign", "/launch", "matters/show"),
    ("Sign", "", "matters/show"),
    ("Sign", TARGET, "bills/show"),
    ("There", TARGET, "matters/show"),
]


@pytest.mark.parametrize(("label", "target_url", "place"), REFUSED)
def test_the_error_that_is_named_is_the_one_that_the_sandbox_gives(site, browser, label, target_url, place):
    there = clio.create_action(clio.login(site), "There", TARGET, "matters")
    worst = lint((label, target_url, place), beside=[there])[0]
    answer = browser.post(
        f"{site.api_url}/custom_actions",
        json={"data": {"label": label, "target_url": target_url, "ui_reference": place}},
        headers={"authorization": f"Bearer {site.token(site.users[0].id)['access_token']}"},
    )
    assert worst.clio == f"{answer.status_code} {answer.json()['error']['type']}"


@pytest.mark.parametrize("label", ["Sign", "x" * 32])
def test_what_has_no_error_is_taken_by_the_sandbox(site, label):
    session = clio.login(site)
    for location in Location:
        assert lint((label, TARGET, location), beside=clio.list_actions(session)) == []
        clio.create_action(session, label, TARGET, location)
