"""When something is worth an alert about our own work or the data, and when it is over. Pure: figures in, verdicts out.

Each check has a bound to open and a lower one to close, so that what wavers is not told again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from outlay_collector.alerts.events import Event, Severity, event_id

LATE_SECONDS, LATE_OVER_SECONDS = 120.0, 30.0
"""Behind the commits (settlement, evaluation) or the clock (delivery) by so much; and so little again."""

SILENT_SECONDS = 120.0
"""A part says every five seconds that it lives, or after the longest of its rounds."""

UNPRICED_SHARE, UNPRICED_OVER, UNPRICED_CALLS = 0.01, 0.005, 20
REFUSED_SHARE, REFUSED_OVER, REFUSED_SPANS = 0.01, 0.005, 100

QUIET_HOURS = 3
QUIET_TIMES = 2
"""No data: for three hours, and twice as long as ever in the last two weeks, in which nights and weekends have passed."""

BUSY_HOURS = 24
"""Who was heard in fewer hours of those has no habit yet."""

PARTS = {"worker": "settlement", "evaluation": "evaluation", "delivery": "delivery"}
"""Heartbeats by name, and what has stopped when one is missing."""

RUNBOOKS = {
    "operation.settlement_late": "settlement-late",
    "operation.evaluation_late": "evaluation-late",
    "operation.delivery_late": "delivery-late",
    "data.unpriced": "unpriced",
    "data.missing": "no-data",
    "data.refused": "refused",
    "webhook.disabled": "webhook-disabled",
}
"""What to do about each, in ``docs/runbooks``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vitals:
    """How our own parts do. Lags and ages in seconds, by part; a part that was never heard of is not there."""

    lags: Mapping[str, float]
    ages: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Of one project: the last day, and how it was heard in the last two weeks."""

    project_id: int
    project: str
    calls: int = 0
    unpriced_calls: int = 0
    calls_lately: int = 0
    refused_lately: int = 0
    hours_heard: int = 0
    longest_gap_hours: float = 0.0
    quiet_hours: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A check's verdict: ``bad`` opens its alert, ``good`` closes it, neither leaves it as it is."""

    type: str
    dedup_key: str
    project_id: int | None
    bad: bool
    good: bool
    severity: Severity = "warning"
    title: str = ""
    summary: str = ""
    link: str = "/health"
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def event(self, now: datetime, *, resolves: bool) -> Event:
        runbook = RUNBOOKS[self.type]
        return Event(
            id=event_id(f"{self.project_id}:{self.dedup_key}:{now.isoformat()}:{resolves}"),
            type=self.type,
            occurred_at=now,
            project_id=self.project_id,
            severity=self.severity,
            title=self.title,
            summary="It is over." if resolves else f"{self.summary} What to do: docs/runbooks/{runbook}.md.",
            link=self.link,
            dedup_key=self.dedup_key,
            resolves=resolves,
            data={**self.data, "runbook": runbook},
        )


_TITLES = {
    "settlement": "Sums are behind",
    "evaluation": "Budgets are not being evaluated",
    "delivery": "Alerts are not being delivered",
}
_SUMMARIES = {
    "settlement": "What was received is stored, and will be counted; until then figures and budgets are too low.",
    "evaluation": "Budgets that are crossed now are told of late.",
    "delivery": "Messages are kept and will be delivered, late.",
}


def of_ourselves(vitals: Vitals) -> list[Finding]:
    """One finding per part of ours: late, or not heard of any more."""
    found: list[Finding] = []
    for heart, part in PARTS.items():
        if heart not in vitals.ages:
            continue
        lag, age = vitals.lags.get(part, 0.0), vitals.ages[heart]
        worst = max(lag, age if age > SILENT_SECONDS else 0.0)
        silent = age > SILENT_SECONDS
        said = f"Nothing was heard of it for {_long(age)}." if silent else f"It is behind by {_long(lag)}."
        found.append(
            Finding(
                type=f"operation.{part}_late",
                dedup_key=f"operation:{part}",
                project_id=None,
                bad=silent or lag > LATE_SECONDS,
                good=not silent and lag < LATE_OVER_SECONDS,
                severity="critical" if part == "settlement" or worst > 10 * LATE_SECONDS else "warning",
                title=_TITLES[part],
                summary=f"{said} {_SUMMARIES[part]}",
                data={"lag_seconds": round(lag, 1), "last_heard_seconds": round(age, 1)},
            )
        )
    return found


def keeps_up(vitals: Vitals) -> bool:
    """Whether a dead man's switch may be told that all is well: every part that there is lives and is on time."""
    return "worker" in vitals.ages and not any(finding.bad for finding in of_ourselves(vitals))


def of_data(health: Health) -> list[Finding]:
    """What a project's figures lack."""
    return [_unpriced(health), _missing(health), _refused(health)]


def _unpriced(health: Health) -> Finding:
    share = health.unpriced_calls / health.calls if health.calls else 0.0
    return Finding(
        type="data.unpriced",
        dedup_key="data:unpriced",
        project_id=health.project_id,
        bad=share > UNPRICED_SHARE and health.unpriced_calls >= UNPRICED_CALLS,
        good=share < UNPRICED_OVER,
        title=f"{_percent(share)} of calls have no price",
        summary=f"{health.unpriced_calls:,} of {health.calls:,} calls of the last 24 hours; totals are too low by theirs.",
        link=f"/quality?project={health.project}",
        data={"unpriced_calls": health.unpriced_calls, "calls": health.calls},
    )


def _missing(health: Health) -> Finding:
    patience = max(QUIET_HOURS, QUIET_TIMES * health.longest_gap_hours)
    return Finding(
        type="data.missing",
        dedup_key="data:missing",
        project_id=health.project_id,
        bad=health.hours_heard >= BUSY_HOURS and health.quiet_hours > patience,
        good=health.quiet_hours < QUIET_HOURS,
        title=f"Nothing was heard for {_long(health.quiet_hours * 3600)}",
        summary=f"The longest silence of the two weeks before was {_long(health.longest_gap_hours * 3600)}.",
        link=f"/service?project={health.project}",
        data={"quiet_hours": round(health.quiet_hours, 1)},
    )


def _refused(health: Health) -> Finding:
    spans = health.calls_lately + health.refused_lately
    share = health.refused_lately / spans if spans else 0.0
    return Finding(
        type="data.refused",
        dedup_key="data:refused",
        project_id=health.project_id,
        bad=share > REFUSED_SHARE and health.refused_lately >= REFUSED_SPANS,
        good=share < REFUSED_OVER,
        title=f"{health.refused_lately:,} spans were refused",
        summary=f"In the last two hours, beside {health.calls_lately:,} calls. They are kept as dead letters, with reasons.",
        link=f"/quality?project={health.project}",
        data={"refused": health.refused_lately, "calls": health.calls_lately},
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 else f"{share * 100:.1f} %"


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours" if seconds < 2 * 86400 else f"{timedelta(seconds=seconds).days} days"
