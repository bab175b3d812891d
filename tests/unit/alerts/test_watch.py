"""When something about ourselves or the data is worth an alert, on both sides of every bound."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from outlay_collector.alerts.watch.checks import RUNBOOKS, Finding, Health, Vitals, keeps_up, of_data, of_ourselves
from outlay_collector.alerts.watch.metrics import page
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def some_vitals(lag: float = 0.0, age: float = 1.0) -> Vitals:
    return Vitals(lags={"settlement": lag, "delivery": 0.0}, ages={"worker": age, "delivery": 1.0})


def the(findings: list[Finding], type_: str) -> Finding:
    (found,) = [one for one in findings if one.type == type_]
    return found


@pytest.mark.parametrize(
    ("lag", "age", "bad", "good"),
    [(0, 1, False, True), (29, 1, False, True), (31, 1, False, False), (120, 1, False, False), (121, 1, True, False),
     (0, 120, False, True), (0, 121, True, False)],
)  # fmt: skip
def test_a_part_is_late_when_it_is_behind_or_silent(lag: float, age: float, bad: bool, good: bool) -> None:
    finding = the(of_ourselves(some_vitals(lag, age)), "operation.settlement_late")
    assert (finding.bad, finding.good) == (bad, good)
    assert keeps_up(some_vitals(lag, age)) is not bad


def test_a_part_that_never_was_is_not_missed_but_without_a_worker_nothing_is_well() -> None:
    assert {one.type for one in of_ourselves(some_vitals())} == {"operation.settlement_late", "operation.delivery_late"}
    assert not keeps_up(Vitals(lags={}, ages={}))


def a_health(**changed: Any) -> Health:
    return Health(project_id=1, project="acme", **changed)


@pytest.mark.parametrize(
    ("calls", "unpriced", "bad", "good"),
    [(1000, 10, False, False), (2000, 21, True, False), (1000, 19, False, False), (100, 19, False, False),
     (1000, 4, False, True), (0, 0, False, True), (20, 20, True, False)],
)  # fmt: skip
def test_calls_without_a_price(calls: int, unpriced: int, bad: bool, good: bool) -> None:
    finding = the(of_data(a_health(calls=calls, unpriced_calls=unpriced)), "data.unpriced")
    assert (finding.bad, finding.good) == (bad, good)


@pytest.mark.parametrize(
    ("heard", "gap", "quiet", "bad", "good"),
    [(300, 0, 3.1, True, False), (300, 0, 2.9, False, True), (23, 0, 100, False, False), (120, 62, 100, False, False),
     (120, 62, 125, True, False), (300, 10, 19, False, False)],
)  # fmt: skip
def test_silence_is_measured_by_the_projects_own_habit(
    heard: int, gap: float, quiet: float, bad: bool, good: bool
) -> None:
    finding = the(of_data(a_health(hours_heard=heard, longest_gap_hours=gap, quiet_hours=quiet)), "data.missing")
    assert (finding.bad, finding.good) == (bad, good)


@pytest.mark.parametrize(
    ("calls", "refused", "bad"), [(1000, 99, False), (1000, 100, True), (100_000, 900, False), (0, 100, True)]
)
def test_refused_spans(calls: int, refused: int, bad: bool) -> None:
    assert the(of_data(a_health(calls_lately=calls, refused_lately=refused)), "data.refused").bad is bad


def test_every_operational_alert_says_what_to_do_and_the_page_is_there() -> None:
    findings = [
        *of_ourselves(Vitals(lags={}, ages={"worker": 999, "evaluation": 999, "delivery": 999})),
        *of_data(a_health()),
    ]
    assert {one.type for one in findings} | {"webhook.disabled"} == set(RUNBOOKS)
    for finding in findings:
        assert RUNBOOKS[finding.type] in finding.event(NOW, resolves=False).summary
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert set(RUNBOOKS.values()) <= pages
    assert "worker-silent" in pages


def test_metrics_are_as_prometheus_reads_them() -> None:
    counts = {"deliveries": {"delivered": 3}, "alerts": {"critical": 1}, "disabled": 2}
    families = {one.name: one for one in text_string_to_metric_families(page(some_vitals(7.5), counts))}
    read = {(name, *sample.labels.values()): sample.value for name, one in families.items() for sample in one.samples}
    assert read["outlay_lag_seconds", "settlement"] == 7.5
    assert read["outlay_heartbeat_age_seconds", "worker"] == 1
    assert read["outlay_alerts", "critical"] == 1
    assert read["outlay_alerts", "info"] == 0
    assert read["outlay_deliveries", "delivered"] == 3
    assert read[("outlay_webhooks_disabled",)] == 2
