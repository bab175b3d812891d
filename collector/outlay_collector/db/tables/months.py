"""Closed months: which they are, and what their calls cost by now."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import TIME

closed_month = sa.Table(
    "closed_month",
    metadata,
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME, nullable=False),
    sa.Column("closed_at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("closed_by", sa.Text, nullable=False),
    sa.CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="closed_month_month_check"),
)

adjusted_charge = sa.Table(
    "adjusted_charge",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trace_id", UUID, primary_key=True),
    sa.Column("span_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("start_time", TIME, primary_key=True),
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("not_counted_reason", sa.Text),
    sa.Column("joined", JSONB),
    sa.Column("cost", sa.Numeric),
    sa.Column("charge_cost", sa.Numeric),
    sa.Column("charge_currency", sa.Text),
    sa.Column("charge_status", sa.Text),
    sa.Column("price_ids", ARRAY(sa.Integer)),
    sa.Column("price_version", sa.Integer),
    sa.Column("priced_at", TIME),
    sa.Column("fx_rate_id", sa.Integer),
    sa.Index("adjusted_charge_project_id_start_time", "project_id", "start_time"),
    comment="What is known by now of calls in closed months whose own rows are frozen; the differences are ledger lines.",
)
