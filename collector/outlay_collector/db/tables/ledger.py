"""What was spent: lines that are not one call's charge, and the sums that pages read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, UUID

from outlay_collector.db.names import ALLOCATION_DIMENSIONS, SUMS
from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME

ledger_line = sa.Table(
    "ledger_line",
    metadata,
    sa.Column("id", UUID, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("charge_time", TIME, nullable=False),
    sa.Column("incurred_time", TIME, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("cost", sa.Numeric, nullable=False),
    sa.Column("quantity", sa.Numeric),
    sa.Column("unit", sa.Text),
    sa.Column("dimensions", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("detail", JSONB),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("entry_id", UUID, comment="The cost_entry that it is a part of."),
    sa.Column("charge_cost", sa.Numeric),
    sa.Column("charge_currency", sa.Text),
    sa.Column("fx_rate_id", sa.Integer),
    sa.Index("ledger_line_project_id_charge_time", "project_id", "charge_time"),
    sa.Index("ledger_line_project_id_incurred_time", "project_id", "incurred_time"),
    sa.Index("ledger_line_entry_id", "entry_id", postgresql_where=sa.text("entry_id IS NOT NULL")),
)

cost_entry = sa.Table(
    "cost_entry",
    metadata,
    sa.Column("id", UUID, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("cost", sa.Numeric, nullable=False, comment="In the currency of the instance."),
    sa.Column("fx_rate_id", sa.Integer),
    sa.Column("starts", sa.Date, nullable=False),
    sa.Column("ends", sa.Date, nullable=False),
    sa.Column("dimensions", JSONB, nullable=False),
    sa.Column("quantity", sa.Numeric),
    sa.Column("unit", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("created_at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", TIME),
    sa.Column("removed_by", sa.Text),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="cost_entry_currency_check"),
    sa.CheckConstraint("starts < ends", name="cost_entry_period_check"),
    sa.Index(
        "cost_entry_project_id_key", "project_id", "key", unique=True, postgresql_where=sa.text("removed_at IS NULL")
    ),
)

credit_grant = sa.Table(
    "credit_grant",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False, comment="In the currency of the instance."),
    sa.Column("starts", sa.Date, nullable=False),
    sa.Column("ends", sa.Date, nullable=False),
    sa.Column("created_at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", TIME),
    sa.CheckConstraint("amount > 0", name="credit_grant_amount_check"),
    sa.CheckConstraint("starts < ends", name="credit_grant_period_check"),
    sa.Index(
        "credit_grant_project_id_key", "project_id", "key", unique=True, postgresql_where=sa.text("removed_at IS NULL")
    ),
)

volume_term = sa.Table(
    "volume_term",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("tiers", JSONB, nullable=False),
    sa.Column("starts", sa.Date, nullable=False),
    sa.Column("ends", sa.Date),
    sa.Column("created_at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", TIME),
    sa.Index(
        "volume_term_project_id_key", "project_id", "key", unique=True, postgresql_where=sa.text("removed_at IS NULL")
    ),
)

dirty_minute = sa.Table(
    "dirty_minute",
    metadata,
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("minute", TIME, nullable=False),
    sa.Index("dirty_minute_project_id", "project_id"),
)

dimension_set = sa.Table(
    "dimension_set",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ALLOCATION_DIMENSIONS),
    sa.Column("tags", JSONB),
)


def _sums() -> list[sa.Column[Any]]:
    """Numbers of which most are 0 in most rows, and are left out there."""
    return [
        *(sa.Column(name, sa.BigInteger) for name in SUMS),
        sa.Column("cost", sa.Numeric),
        sa.Column("reported_cost", sa.Numeric),
    ]


def _cost_rollup(grain: str, kind: sa.types.TypeEngine[Any]) -> sa.Table:
    return sa.Table(
        f"cost_{grain}",
        metadata,
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column(grain, kind, nullable=False),
        sa.Column("dimension_set_id", UUID, nullable=False),
        sa.Column("basis", sa.SmallInteger, nullable=False),
        *_sums(),
        sa.Index(f"cost_{grain}_project_id_{grain}", "project_id", grain),
    )


def _latency_rollup(grain: str) -> sa.Table:
    return sa.Table(
        f"latency_{grain}",
        metadata,
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column(grain, TIME, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("service", sa.Text),
        sa.Column("feature", sa.Text),
        sa.Column(
            "measure",
            sa.SmallInteger,
            nullable=False,
            comment="0 duration, 1 time to first token; bucket b holds (1.02^(b-1), 1.02^b] us.",
        ),
        sa.Column("buckets", ARRAY(sa.SmallInteger), nullable=False),
        sa.Column("counts", ARRAY(sa.Integer), nullable=False),
        sa.Index(f"latency_{grain}_project_id_{grain}", "project_id", grain),
    )


cost_minute = _cost_rollup("minute", TIME)
cost_hour = _cost_rollup("hour", TIME)
cost_day = _cost_rollup("day", sa.Date())
latency_minute = _latency_rollup("minute")
latency_hour = _latency_rollup("hour")


def _key_rollup(grain: str, kind: sa.types.TypeEngine[Any]) -> sa.Table:
    return sa.Table(
        f"key_{grain}",
        metadata,
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column(grain, kind, nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("value", sa.Text, comment="NULL: calls without one; __other__: all beyond the most that are kept."),
        sa.Column("basis", sa.SmallInteger, nullable=False),
        *_sums(),
        sa.Index(f"key_{grain}_project_id_dimension_{grain}", "project_id", "dimension", grain),
        sa.Index(f"key_{grain}_other", "dimension", grain, postgresql_where=sa.text("value = '__other__'")),
        comment="Sums by one dimension at a time: user, customer, session, tag:<key>. NULL numbers are 0.",
    )


key_hour = _key_rollup("hour", TIME)
key_day = _key_rollup("day", sa.Date())

model_hour = sa.Table(
    "model_hour",
    metadata,
    sa.Column("hour", TIME, nullable=False),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("basis", sa.SmallInteger, nullable=False),
    *_sums(),
    sa.Index("model_hour_hour", "hour"),
    comment="Sums of all projects together. NULL numbers are 0.",
)

model_latency_hour = sa.Table(
    "model_latency_hour",
    metadata,
    sa.Column("hour", TIME, nullable=False),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("measure", sa.SmallInteger, nullable=False),
    sa.Column(
        "packed",
        BYTEA,
        nullable=False,
        comment="Bucket (2 bytes) and count (4 bytes), big-endian, of one histogram.",
    ),
    sa.Index("model_latency_hour_hour", "hour"),
)

stale_sum = sa.Table(
    "stale_sum",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="key_day, key_hour or model_hour."),
    sa.Column("bucket", TIME, primary_key=True),
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "dimension", sa.Text, primary_key=True, server_default=sa.text("''::text"), comment="Empty: all of them."
    ),
    sa.Column("at", TIME, nullable=False, server_default=NOW),
    sa.Column("touches", sa.Integer, nullable=False, server_default=sa.text("1")),
)

allocation_tag = sa.Table(
    "allocation_tag",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("declared_at", TIME, nullable=False, server_default=NOW),
    sa.Column("declared_by", sa.Text, nullable=False),
    sa.CheckConstraint("length(key) BETWEEN 1 AND 200", name="allocation_tag_key_check"),
)

sums_version = sa.Table(
    "sums_version",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    comment="Grows whenever a project's sums are made: as long as it stands, answers stand.",
)
