"""GPUs: telemetry, pools with their hours and rates, and what allocation made of them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME

_NOTHING = sa.text("'{}'::jsonb")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True)


def _pool(*, optional: bool = False) -> sa.Column[int]:
    return sa.Column("pool_id", sa.Integer, sa.ForeignKey("gpu_pool.id"), nullable=optional)


def _project(*, optional: bool = False, comment: str | None = None) -> sa.Column[int]:
    return sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), nullable=optional, comment=comment)


gpu_pool = sa.Table(
    "gpu_pool",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _project(comment="Whose ledger holds what is not a call's: idle, startup, unattributed, unobserved."),
    sa.Column("dimensions", JSONB, nullable=False, server_default=_NOTHING),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("removed_at", TIME),
)

gpu_hours = sa.Table(
    "gpu_hours",
    metadata,
    _id(),
    _pool(),
    sa.Column("gpu", sa.Text, nullable=False),
    sa.Column("gpus", sa.Numeric, nullable=False, comment="How many; a slice is a part of one, as three sevenths."),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME),
    sa.Column("source", sa.Text, nullable=False, server_default="declared"),
    sa.CheckConstraint("gpus > 0", name="gpu_hours_gpus_check"),
    sa.CheckConstraint("ends IS NULL OR starts < ends", name="gpu_hours_stretch_check"),
    sa.Index("gpu_hours_pool_id", "pool_id"),
)

gpu_rate = sa.Table(
    "gpu_rate",
    metadata,
    _id(),
    _pool(optional=True),
    sa.Column("gpu", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False, comment="Of one GPU for one hour."),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("valid_from", TIME),
    sa.Column("valid_to", TIME),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("detail", JSONB),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", TIME),
    sa.CheckConstraint("kind IN ('on_demand', 'reserved', 'owned')", name="gpu_rate_kind_check"),
    sa.CheckConstraint("amount >= 0", name="gpu_rate_amount_check"),
)

gpu_serving = sa.Table(
    "gpu_serving",
    metadata,
    _id(),
    _pool(),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("providers", ARRAY(sa.Text), nullable=False),
    _project(optional=True),
    sa.Column("gpus", sa.Numeric),
    sa.Column("valid_from", TIME),
    sa.Column("valid_to", TIME),
    sa.CheckConstraint("gpus > 0", name="gpu_serving_gpus_check"),
    sa.Index("gpu_serving_pool_id", "pool_id"),
    comment="Calls to these models run on this pool and are charged by allocation.",
)

gpu_job = sa.Table(
    "gpu_job",
    metadata,
    _id(),
    _pool(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("gpus", sa.Numeric, nullable=False),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME),
    sa.Column("dimensions", JSONB, nullable=False, server_default=_NOTHING),
    sa.CheckConstraint("gpus > 0", name="gpu_job_gpus_check"),
    sa.CheckConstraint("ends IS NULL OR starts < ends", name="gpu_job_stretch_check"),
    sa.Index("gpu_job_pool_id", "pool_id"),
    comment="Training and the like: work that owns GPUs of a pool for a time.",
)

gpu_target = sa.Table(
    "gpu_target",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _project(),
    sa.Column("url", sa.Text, comment="NULL: it is not scraped, it sends."),
    _pool(optional=True),
    sa.Column("model", sa.Text),
    sa.Column("interval_seconds", sa.Integer, nullable=False, server_default=sa.text("15")),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("removed_at", TIME),
    sa.CheckConstraint("interval_seconds BETWEEN 1 AND 3600", name="gpu_target_interval_seconds_check"),
)

gpu_target_state = sa.Table(
    "gpu_target_state",
    metadata,
    sa.Column("target_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("state", JSONB, nullable=False),
    comment="Counters as last read, to tell by the next reading how much they grew.",
)

engine_sample = sa.Table(
    "engine_sample",
    metadata,
    sa.Column("at", TIME, nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("target_id", sa.Integer, nullable=False),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("up", sa.Boolean, nullable=False),
    sa.Column("restarted", sa.Boolean, nullable=False),
    sa.Column("seconds", REAL, comment="Since the sample before; counters are what they grew by in it."),
    sa.Column("seconds_kind", sa.Text),
    *(sa.Column(name, REAL) for name in ("running", "waiting", "kv_usage")),
    *(
        sa.Column(name, sa.Double)
        for name in (
            "prompt_total",
            "prompt_cached",
            "prompt_computed",
            "output",
            "prefill_seconds",
            "decode_seconds",
            "queue_seconds",
        )
    ),
    sa.Column("detail", JSONB),
    sa.PrimaryKeyConstraint("target_id", "at", "instance", "model"),
    postgresql_partition_by="RANGE (at)",
)

gpu_sample = sa.Table(
    "gpu_sample",
    metadata,
    sa.Column("at", TIME, nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("target_id", sa.Integer, nullable=False),
    sa.Column("uuid", sa.Text, nullable=False),
    sa.Column("slice", sa.Text, nullable=False),
    *(
        sa.Column(name, REAL)
        for name in ("seconds", "utilization", "engine_active", "sm_active", "tensor_active", "dram_active")
    ),
    sa.Column("memory_used_bytes", sa.Double),
    sa.Column("memory_total_bytes", sa.Double),
    sa.Column("power_watts", REAL),
    sa.Column("energy_joules", sa.Double),
    sa.Column("temperature_celsius", REAL),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("detail", JSONB),
    sa.PrimaryKeyConstraint("target_id", "at", "uuid", "slice"),
    postgresql_partition_by="RANGE (at)",
)

gpu_window = sa.Table(
    "gpu_window",
    metadata,
    sa.Column("pool_id", sa.Integer, sa.ForeignKey("gpu_pool.id"), primary_key=True, autoincrement=False),
    sa.Column("start_time", TIME, primary_key=True),
    sa.Column("allocated_at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    *(
        sa.Column(name, sa.Numeric, nullable=False)
        for name in ("gpu_seconds", "cost", "calls", "jobs", "unattributed", "idle", "startup", "unobserved")
    ),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("detail", JSONB, nullable=False),
    sa.Column("line_ids", ARRAY(UUID), nullable=False, server_default=sa.text("'{}'::uuid[]")),
    sa.Column("booked", JSONB, comment="Of a closed month: what its lines and adjustments stand at, by kind."),
)

gpu_share = sa.Table(
    "gpu_share",
    metadata,
    sa.Column("start_time", TIME, nullable=False),
    sa.Column("pool_id", sa.Integer, nullable=False),
    sa.Column("window_start", TIME, nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("trace_id", UUID, nullable=False),
    sa.Column("span_id", sa.BigInteger, nullable=False),
    sa.Column("nano", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("start_time", "trace_id", "span_id", "project_id", "pool_id", "window_start"),
    sa.Index("gpu_share_pool_id_window_start", "pool_id", "window_start"),
    postgresql_partition_by="RANGE (start_time)",
    comment="What a call is charged for its part in a window, in billionths of the currency.",
)

gpu_dirty = sa.Table(
    "gpu_dirty",
    metadata,
    sa.Column("pool_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start_time", TIME, primary_key=True),
    comment="Windows that are to be allocated again.",
)
