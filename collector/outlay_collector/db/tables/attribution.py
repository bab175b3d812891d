"""Versions of the attribution rules, with how far each has come in the calls of the past and what it moved."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import TIME

_ZERO = sa.text("0")

attribution_version = sa.Table(
    "attribution_version",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("rules", sa.Text, nullable=False, comment="The file, as it was given."),
    sa.Column("zone", sa.Text, nullable=False, comment="In which its bare dates are midnights."),
    sa.Column("assigned", ARRAY(sa.Text), nullable=False, comment="Dimensions that its rules set."),
    sa.Column("undoes", sa.Integer, sa.ForeignKey("attribution_version.id")),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'running'")),
    sa.Column("window_start", TIME, nullable=False),
    sa.Column("window_end", TIME, nullable=False),
    sa.Column("at_project", sa.Integer),
    sa.Column(
        "at_time", TIME, comment="Of project at_project, everything before this is done; as of all projects before it."
    ),
    sa.Column("beat_at", TIME),
    sa.Column("finished_at", TIME),
    sa.Column("looked_at", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("changed_spans", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("changed_calls", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("changed_unpriced_calls", sa.BigInteger, nullable=False, server_default=_ZERO),
    sa.Column("changed_cost", sa.Numeric),
    sa.CheckConstraint("state IN ('running', 'done', 'superseded')", name="attribution_version_state_check"),
)

attribution_move = sa.Table(
    "attribution_move",
    metadata,
    sa.Column("version", sa.Integer, sa.ForeignKey("attribution_version.id"), nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("rule", sa.Text),
    sa.Column("dimension", sa.Text, nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("unpriced_calls", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.Numeric),
    sa.UniqueConstraint(
        *("version", "project_id", "rule", "dimension", "before", "after"), postgresql_nulls_not_distinct=True
    ),
)

adjusted_attribution = sa.Table(
    "adjusted_attribution",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trace_id", UUID, primary_key=True),
    sa.Column("span_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("start_time", TIME, primary_key=True),
    sa.Column("attributed", JSONB, comment="What the span's own column will hold when its month is opened again."),
    sa.Column("dimensions", JSONB, nullable=False, comment="The dimensions in force that rules may set."),
    sa.Index("adjusted_attribution_project_id_start_time", "project_id", "start_time"),
    comment="For whom calls in closed months were made, by rules since; their own rows are frozen.",
)
