"""Budgets: what people said, the sums that follow, and what was told of them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME

budget = sa.Table(
    "budget",
    metadata,
    sa.Column("id", UUID, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("changed_at", TIME, nullable=False, server_default=NOW),
    sa.Column("removed_at", TIME),
    sa.Column("watched_from", TIME, nullable=False, comment="Periods that end after this are told of."),
    sa.Column("hours_from", TIME, comment="From here on budget_hour holds all; NULL: sums have still to be made."),
    sa.Index(
        "budget_project_id_name", "project_id", "name", unique=True, postgresql_where=sa.text("removed_at IS NULL")
    ),
)

budget_version = sa.Table(
    "budget_version",
    metadata,
    sa.Column("budget_id", UUID, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", TIME, nullable=False, server_default=NOW),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("spec", JSONB, nullable=False),
)

budget_hour = sa.Table(
    "budget_hour",
    metadata,
    sa.Column("budget_id", UUID, primary_key=True),
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("hour", TIME, primary_key=True),
    sa.Column("cost", sa.Numeric),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("unpriced_calls", sa.BigInteger, nullable=False),
    sa.Column(
        "whole",
        sa.Boolean,
        primary_key=True,
        comment="Of the whole hour; else of one minute, as hours are kept while they are young.",
    ),
    sa.Index("budget_hour_budget_id_hour", "budget_id", "hour"),
    comment="Made as a whole from calls and ledger lines whenever one of the hour changes, never added to.",
)

budget_instance = sa.Table(
    "budget_instance",
    metadata,
    sa.Column("budget_id", UUID, primary_key=True),
    sa.Column("instance", sa.Text, primary_key=True),
    comment="Values that a split budget keeps apart; beyond its cap they are summed as __other__.",
)

budget_alert = sa.Table(
    "budget_alert",
    metadata,
    sa.Column("budget_id", UUID, primary_key=True),
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("period_start", TIME, primary_key=True),
    sa.Column("threshold", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("told_at", TIME, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("level", sa.Numeric, nullable=False),
    sa.Column("actual", sa.Numeric, nullable=False),
    sa.Column("event_id", UUID, comment="Of the message that told it; others may have been told in the same one."),
    sa.Column("highest", sa.Boolean, nullable=False, server_default=sa.text("true")),
    sa.Column("corrected_at", TIME),
    sa.Column("below_since", TIME),
    sa.Column("armed_at", TIME, comment="When it was armed again: the next telling has the next epoch."),
    sa.Index("budget_alert_event_id", "event_id"),
    comment="What was told. Its key is what makes each thing be told once.",
)

sum_change = sa.Table(
    "sum_change",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", TIME, nullable=False, server_default=NOW),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("minutes", ARRAY(TIME), nullable=False),
    sa.Index("sum_change_project_id", "project_id", "id"),
    comment="Minutes whose sums were made again, in the transaction that made them; whoever follows them takes them.",
)
