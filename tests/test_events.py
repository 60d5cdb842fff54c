"""Promise S11: operations are told what happened, once, in words that a program reads too, and without a secret."""

from __future__ import annotations

import logging
import sys

import pytest
import sqlalchemy as sa
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import clio_nb as clio
from clio_nb import events
from clio_nb.errors import NeedsLogin, VaultError
from clio_nb.firm.apply import _together
from clio_nb.firm.manifest import parse_manifest

from .launches.conftest import _as_a_new_process, anna, site  # noqa: F401 -- fixtures

TOML = """
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Canary label"
target_url = "https://partner.example/launch"
locations = ["matters"]
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, caplog):
    monkeypatch.setattr(events, "_warnings", events._Warnings())
    caplog.set_level(logging.INFO, "clio_nb.events")


@pytest.fixture
def telemetry(monkeypatch):
    """OpenTelemetry as a server sets it up: what is traced, and what is counted."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader]).get_meter)
    events._tracer.cache_clear()
    events._counter.cache_clear()
    yield exporter, reader
    events._tracer.cache_clear()
    events._counter.cache_clear()


def told(caplog):
    return [record for record in caplog.records if record.name == "clio_nb.events"]


def fields(record):
    plain = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
    return {name: value for name, value in record.__dict__.items() if name not in plain and name != "message"}


def test_a_verified_launch_is_one_record_at_info_with_its_words_as_fields(anna, caplog):  # noqa: F811
    url = anna.click()
    caplog.clear()
    clio.verify_launch(url, anna.session)
    (record,) = told(caplog)
    subject = anna.subject()
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith(f"launch verified: user {anna.id}, action {anna.action().id}, Matter ")
    found = fields(record)
    assert found.pop("milliseconds") >= 0
    assert found == {
        "event": "proof",
        "state": "verified",
        "user_id": anna.id,
        "action_id": anna.action().id,
        "location": "matters/show",
        "record_id": int(subject.rpartition("/")[2]),
    }


def test_a_refused_launch_is_one_warning_with_its_reason(anna, caplog):  # noqa: F811
    url = anna.click()
    clio.verify_launch(url, anna.session)
    caplog.clear()
    clio.verify_launch(url, anna.session)
    clio.verify_launch("https://partner.example/launch", anna.session)
    assert [(one.levelno, fields(one)["reason"]) for one in told(caplog)] == [
        (logging.WARNING, "replayed"),
        (logging.WARNING, "malformed"),
    ]


def test_s11_under_attack_warnings_are_counted_and_their_number_is_told(anna, caplog, monkeypatch):  # noqa: F811
    now = [0.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    for number in range(50):
        url = anna.click(user_id=str(10**9 + number))
        clio.verify_launch(url, anna.session)
        clio.verify_launch("https://partner.example/launch", anna.session)
    assert len(told(caplog)) == 2 * events.A_MINUTE
    caplog.clear()
    now[0] = 60.0
    clio.verify_launch("https://partner.example/launch", anna.session)
    more = {fields(one).get("reason"): fields(one).get("more") for one in told(caplog)[:-1]}
    assert more == {"no-token": 40, "malformed": 40}
    assert "more" not in fields(told(caplog)[-1])


def test_connections_runs_items_renewals_and_disconnections_are_told(site, caplog):  # noqa: F811
    firm = clio.Firm(site)
    session = clio.login(site)
    firm.equip(session, parse_manifest(TOML))
    her = session.user.id
    site.advance(31 * 86_400)
    assert clio.Firm(site, firm.vault).session_of(her).list_actions()
    firm.vault.remove(site, her)
    kinds = [fields(one)["event"] for one in told(caplog)]
    assert kinds == ["connection", "item", "run", "renewal", "disconnection"]
    item = fields(told(caplog)[1])
    assert (item["kind"], item["outcome"], item["key"], item["user_id"]) == ("create", "done", "sign", her)
    assert "Canary label" not in caplog.text


@pytest.mark.parametrize("broken", ["INSERT", "UPDATE OF finished"])
def test_a_run_that_ends_with_an_error_is_a_warning_with_the_run_and_the_kind_of_error(
    site,  # noqa: F811
    caplog,
    monkeypatch,
    broken,
):
    monkeypatch.setattr(_together, "AWAY", 0.0)
    firm = clio.Firm(site)
    firm.sign_in_everyone()
    plan = firm.plan(parse_manifest(TOML))
    with firm.vault.database.transaction(write=True) as connection:
        fails = f"BEFORE {broken} ON clio_nb_runs BEGIN SELECT RAISE(ABORT, 'Canary'); END"
        connection.execute(sa.text(f"CREATE TRIGGER broken {fails}"))
    caplog.clear()
    with pytest.raises(VaultError):
        firm.apply(plan, progress=False)
    (record,) = told(caplog)
    found = fields(record)
    assert record.levelno == logging.WARNING
    assert found.pop("run") == ("" if broken == "INSERT" else firm.runs()["run"].item())
    assert found == {"event": "run", "outcome": "failed", "reason": "VaultError"}
    assert "Canary" not in record.getMessage()


def test_a_refused_renewal_is_a_warning(site, caplog):  # noqa: F811
    session = clio.login(site)
    site.revoke(session.user.id)
    with pytest.raises(NeedsLogin):
        session.list_actions()
    assert [(fields(one)["event"], fields(one)["outcome"], one.levelname) for one in told(caplog)] == [
        ("renewal", "refused", "WARNING")
    ]


def test_s11_spans_have_the_conventions_for_http_and_no_query_nonce_or_token(
    anna,  # noqa: F811
    site,  # noqa: F811
    telemetry,
    caplog,
):
    exporter, reader = telemetry
    caplog.set_level(logging.DEBUG)
    firm = clio.Firm(site)
    firm.add(anna.session)
    urls = [anna.click(), anna.click(custom_action_nonce="canary-nonce"), anna.click()]
    for url in urls[:2]:
        clio.verify_launch(url, firm)
    site.fault("reset", path="/api/v4/matters*")
    clio.verify_launch(urls[2], firm)
    spans = exporter.get_finished_spans()
    proof = next(one for one in spans if "/matters/" in one.attributes["url.full"])
    assert (proof.name, proof.kind, proof.attributes["http.request.method"]) == ("GET", trace.SpanKind.CLIENT, "GET")
    assert proof.attributes["server.address"] == "127.0.0.1"
    assert proof.attributes["http.response.status_code"] == 200
    failed = [one for one in spans if "error.type" in one.attributes]
    assert failed
    assert not any(one.status.is_ok for one in failed)
    said = repr([one.to_json() for one in spans]) + reader.get_metrics_data().to_json() + caplog.text
    for secret in (*(url.rpartition("=")[2] for url in urls), "canary-nonce", "custom_action_nonce"):
        assert secret not in said
    assert all("?" not in one.attributes["url.full"] for one in spans)
    told_of = reader.get_metrics_data().to_json()
    assert '"clio_nb.reason": "refused-by-clio"' in told_of
    assert str(anna.id) not in told_of


def test_without_opentelemetry_everything_works_as_before(anna, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    events._tracer.cache_clear()
    events._counter.cache_clear()
    try:
        assert clio.verify_launch(anna.click(), anna.session)
    finally:
        events._tracer.cache_clear()
        events._counter.cache_clear()
