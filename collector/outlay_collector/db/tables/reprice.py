"""Jobs that reprice calls of the past, and the charges that they replaced."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import TIME

_ZERO = sa.text("0")

reprice_job = sa.Table(
    "reprice_job",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column(
        "created_at",
        TIME,
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
        comment="Also priced_at of the charges it writes, by which they are known as its own.",
    ),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'running'")),
    sa.Column("undoes", sa.Integer, sa.ForeignKey("reprice_job.id")),
    sa.Column("price_version", sa.Integer, nullable=False),
    sa.Column("window_start", TIME, nullable=False),
    sa.Column("window_end", TIME, nullable=False),
    sa.Column("project_id", sa.Integer, comment="NULL: every project."),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("at_project", sa.Integer),
    sa.Column(
        "at_time", TIME, comment="Of project at_project, everything before this is done; as of all projects before it."
    ),
    sa.Column("beat_at", TIME),
    sa.Column("finished_at", TIME),
    sa.Column("calls", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("changed_calls", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("unpriced_before", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("unpriced_after", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("cost_before", sa.Numeric),
    sa.Column("cost_after", sa.Numeric),
    sa.Column("currency", sa.Text),
    sa.CheckConstraint("state IN ('running', 'done', 'undone')", name="reprice_job_state_check"),
)

charge_history = sa.Table(
    "charge_history",
    metadata,
    sa.Column("job_id", sa.Integer, sa.ForeignKey("reprice_job.id"), primary_key=True, autoincrement=False),
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start_time", TIME, primary_key=True),
    sa.Column("trace_id", UUID, primary_key=True),
    sa.Column("span_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("cost", sa.Numeric),
    sa.Column("charge_cost", sa.Numeric),
    sa.Column("charge_currency", sa.Text),
    sa.Column("charge_status", sa.Text),
    sa.Column("price_ids", ARRAY(sa.Integer)),
    sa.Column("price_version", sa.Integer),
    sa.Column("priced_at", TIME),
    sa.Column("fx_rate_id", sa.Integer),
    comment="Charges as they were before a job replaced them.",
)
