"""How work ended, as files and requests tell it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME

outcome = sa.Table(
    "outcome",
    metadata,
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sa.Column("trace_id", UUID),
    sa.Column("session_id", sa.Text),
    sa.Column("customer", sa.Text),
    sa.Column("success", sa.Boolean, nullable=False),
    sa.Column("revenue", sa.Numeric, comment="In the instance's currency."),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("imported_at", TIME, nullable=False, server_default=NOW),
    sa.UniqueConstraint(
        *("project_id", "name", "at", "trace_id", "session_id", "customer"), postgresql_nulls_not_distinct=True
    ),
    sa.Index("outcome_project_id_at", "project_id", "at"),
)
