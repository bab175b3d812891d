"""The demo's project, a key to send to it, and what of it is there. Transactions belong to the caller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from outlay_collector.access import store as access
from outlay_collector.budgets import store as budgets
from outlay_collector.budgets.budget import parse
from outlay_collector.demo.shapes import Recording

_KEY_IS_GOOD_FOR = timedelta(hours=6)  # a run's time; longer than any takes


def demo_key(connection: psycopg.Connection[Any], project: str) -> str:
    """A key that may send to ``project`` and do nothing else; the project is made if it is not there."""
    if project not in access.project_ids(connection):
        access.create_project(connection, project, actor="outlay demo")
    return access.create_key(
        connection,
        project=project,
        scopes=["ingest"],
        name="outlay demo",
        expires_at=datetime.now(UTC) + _KEY_IS_GOOD_FOR,
        actor="outlay demo",
    )


_BUDGETS: tuple[dict[str, Any], ...] = (
    {"name": "company", "amount": "2400"},
    {"name": "team-legal", "filter": {"team": ["legal"]}, "amount": "700", "parent": "company"},
    {"name": "team-support", "filter": {"team": ["support"]}, "amount": "480", "parent": "company"},
    {"name": "team-risk", "filter": {"team": ["risk"]}, "amount": "520", "parent": "company"},
    {
        "name": "each-customer",
        "filter": {"customer": {"exists": True}},
        "per": "customer",
        "amount": "240",
        "enforce": "warn",
    },
)
"""In whole units of whatever currency the instance counts in."""


def demo_budgets(connection: psycopg.Connection[Any], project: str, *, currency: str, zone: ZoneInfo) -> None:
    """Budgets of the company, where they have not been made yet."""
    project_id = access.project_id(connection, project)
    there = {stored.budget.name for stored in budgets.active(connection, [project_id])}
    wanted = [
        parse(said, where="", project=project, currency=currency, zone=zone)
        for said in _BUDGETS
        if said["name"] not in there
    ]
    if len(wanted) == len(_BUDGETS):  # else somebody has made up their own mind
        budgets.save(connection, project_id, wanted, actor="outlay demo", now=datetime.now(UTC))


def is_there(connection: psycopg.Connection[Any], project: str, span: Recording) -> bool:
    """Whether the collector keeps this very span."""
    row = connection.execute(
        """
        SELECT 1
          FROM span JOIN project ON project.id = span.project_id
         WHERE project.name = %s AND trace_id = %s AND span_id = %s AND start_time = %s
        """,
        (
            project,
            UUID(int=span.trace_id),
            int.from_bytes(span.span_id.to_bytes(8, "big"), "big", signed=True),
            _EPOCH + timedelta(microseconds=span.start_ns // 1000),
        ),
    ).fetchone()
    return row is not None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
