"""What the doctor makes of what it finds."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from outlay_collector.doctor.checks import (
    CLOCK_TOLERANCE,
    WORKER_SILENT_AFTER,
    CollectorFacts,
    DatabaseFacts,
    Finding,
    diagnose,
)

HEALTHY_DATABASE = DatabaseFacts(revision="r2", revision_wanted="r2", since_worker_beat=timedelta(seconds=3))
HEALTHY_COLLECTOR = CollectorFacts(endpoint="http://x", ready=True, clock_ahead=timedelta(0), key_given=True)
SECOND = timedelta(seconds=1)


def finding(name: str, findings: list[Finding]) -> Finding:
    return next(one for one in findings if one.name == name)


def test_nothing_is_wrong_with_a_healthy_installation():
    assert {one.verdict for one in diagnose(HEALTHY_DATABASE, HEALTHY_COLLECTOR)} == {"well"}


def test_everything_wrong_comes_with_a_remedy():
    broken = diagnose(DatabaseFacts(problem="gone"), CollectorFacts(endpoint="http://x", problem="refused"))
    assert [one.name for one in broken if one.verdict == "wrong"] == ["database", "collector"]
    assert all(one.mend for one in broken if one.verdict == "wrong")


def test_what_follows_from_a_missing_database_is_not_told_as_a_second_illness():
    findings = diagnose(DatabaseFacts(problem="gone"), HEALTHY_COLLECTOR)
    assert {one.verdict for one in findings if one.name in ("migrations", "worker")} == {"not checked"}


def test_a_machine_that_only_sends_needs_no_database():
    assert all(one.verdict != "wrong" for one in diagnose(None, HEALTHY_COLLECTOR))


@pytest.mark.parametrize(
    ("silence", "verdict"),
    [
        (WORKER_SILENT_AFTER, "well"),
        (WORKER_SILENT_AFTER + SECOND, "wrong"),
        (None, "wrong"),
    ],
)
def test_the_worker_has_stopped_when_it_is_silent_for_longer_than_half_a_minute(silence, verdict):
    database = replace(HEALTHY_DATABASE, since_worker_beat=silence)
    assert finding("worker", diagnose(database, HEALTHY_COLLECTOR)).verdict == verdict


@pytest.mark.parametrize(
    ("ahead", "verdict", "says"),
    [
        (CLOCK_TOLERANCE, "well", "agree"),
        (CLOCK_TOLERANCE + SECOND, "wrong", "31 s behind the collector's"),
        (-timedelta(hours=3), "wrong", "3 h ahead of the collector's"),
    ],
)
def test_a_clock_is_off_beyond_half_a_minute_and_the_direction_is_told(ahead, verdict, says):
    clock = finding("clock", diagnose(HEALTHY_DATABASE, replace(HEALTHY_COLLECTOR, clock_ahead=ahead)))
    assert clock.verdict == verdict
    assert says in clock.says


def test_the_database_clock_counts_too():
    clock = finding("clock", diagnose(replace(HEALTHY_DATABASE, clock_ahead=timedelta(minutes=5)), HEALTHY_COLLECTOR))
    assert "5 min behind the database's" in clock.says


def test_readers_that_only_the_collector_keeps_apart_are_told_of():
    found = finding("wall", diagnose(replace(HEALTHY_DATABASE, walled=False), HEALTHY_COLLECTOR))
    assert found.verdict == "wrong"
    assert "outlay migrate" in found.mend


def test_pending_migrations_name_both_revisions():
    migrations = finding("migrations", diagnose(replace(HEALTHY_DATABASE, revision="r1"), HEALTHY_COLLECTOR))
    assert "at r1" in migrations.says
    assert "needs r2" in migrations.says


def test_missing_and_half_removed_days_are_named():
    missing = replace(HEALTHY_DATABASE, days_missing=(date(2026, 11, 22), date(2026, 11, 23)))
    found = finding("partitions", diagnose(missing, HEALTHY_COLLECTOR))
    assert found.verdict == "wrong"
    assert "2 days from 2026-11-22 to 2026-11-23" in found.says
    assert "outlay worker" in found.mend
    half_removed = replace(HEALTHY_DATABASE, days_half_removed=(date(2026, 1, 5),))
    found = finding("partitions", diagnose(half_removed, HEALTHY_COLLECTOR))
    assert found.verdict == "wrong"
    assert "2026-01-05" in found.says
