"""Last week's report as an event for webhooks: once per project and week. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from outlay_dashboard import formats

from outlay_collector.alerts.events import REPORT, Event, event_id
from outlay_collector.reports import facts
from outlay_collector.reports.period import Period
from outlay_collector.reports.report import Report, as_json
from outlay_collector.reports.words import Words

LATE = timedelta(hours=36)
"""Later than this nobody wants it any more: a worker that was away all week sends none."""

KINDS = ("generic", "slack", "teams", "discord", "email")
"""Webhooks that people read. A report must not page anybody."""


def is_due(at: str, zone: ZoneInfo, now: datetime) -> bool:
    """Whether Monday, ``at`` by the clock of ``zone``, has passed, and not long ago."""
    hour, minute = map(int, at.split(":"))
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    due = datetime.combine(monday, time(hour, minute), zone)
    return due <= now < due + LATE


def report_id(project_id: int, period: Period) -> str:
    return f"{REPORT}:{project_id}:{period.first.isoformat()}"


def weekly_event(report: Report, project: str, project_id: int, words: Words) -> Event:
    """What happened last week in a few lines: total, change, its main reason, the largest teams, what is missing."""
    key = report_id(project_id, report.period)
    sentences = [f"{facts.comparison(report, words)}."]
    if steps := facts.effects(report, words):
        sentences.append(f"{words('why')}: {', '.join(f'{name} {told}' for name, _, told in steps[:3])}.")
    for part in report.breakdowns[:1]:
        spenders = ", ".join(f"{line.name} {line.money}" for line in facts.lines(part, report, words)[:3])
        sentences.append(f"{words(f'by_{part.dimension}')}: {spenders}.")
    sentences.append(facts.sureness(report, words))
    days = {"project": project, "window": f"{report.period.first}..{report.period.end}"}
    return Event(
        id=event_id(key),
        type=REPORT,
        occurred_at=report.period.now,
        project_id=project_id,
        severity="info",
        title=f"{project}: {formats.money(report.now.cost, report.currency)}, {words.period(report.period)}",
        summary=" ".join(sentences),
        link=f"/?{urlencode(days)}",
        dedup_key=key,
        data=orjson.loads(orjson.dumps(as_json(report))),  # times as texts
    )
