"""Spans and what settlement needs to find those that belong together."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, REAL, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME

BY_DAY = "RANGE (start_time)"

span = sa.Table(
    "span",
    metadata,
    # Facts: written once, by ingest.
    sa.Column("start_time", TIME, nullable=False, primary_key=True),
    sa.Column("received_at", TIME, nullable=False),
    sa.Column("trace_id", UUID, nullable=False, primary_key=True),
    sa.Column("span_id", sa.BigInteger, nullable=False, primary_key=True, autoincrement=False),
    sa.Column("parent_span_id", sa.BigInteger),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False, primary_key=True, autoincrement=False),
    sa.Column("input_tokens", sa.Integer),
    sa.Column("cache_read_tokens", sa.Integer),
    sa.Column("cache_write_tokens", sa.Integer),
    sa.Column("cache_write_5m_tokens", sa.Integer),
    sa.Column("cache_write_1h_tokens", sa.Integer),
    sa.Column("input_audio_tokens", sa.Integer),
    sa.Column("output_tokens", sa.Integer),
    sa.Column("reasoning_tokens", sa.Integer),
    sa.Column("output_audio_tokens", sa.Integer),
    sa.Column("time_to_first_token_ms", REAL),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("streaming", sa.Boolean),
    # Derived: written by ingest, settlement, repricing and allocation.
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("price_version", sa.Integer),
    sa.Column("fx_rate_id", sa.Integer),
    sa.Column("priced_at", TIME),
    sa.Column("cost", sa.Numeric),
    sa.Column("charge_cost", sa.Numeric),
    sa.Column("charge_currency", sa.Text),
    sa.Column("charge_status", sa.Text),
    sa.Column("price_ids", ARRAY(sa.Integer)),
    sa.Column("not_counted_reason", sa.Text),
    sa.Column("joined", JSONB),
    sa.Column("attributed", JSONB),
    # Facts of variable length.
    sa.Column("api_key", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("status_message", sa.Text),
    sa.Column("error_type", sa.Text),
    sa.Column("scope", sa.Text),
    sa.Column("scope_version", sa.Text),
    sa.Column("dialect", sa.Text, nullable=False),
    sa.Column("span_type", sa.Text, nullable=False),
    sa.Column("operation", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("request_model", sa.Text),
    sa.Column("response_model", sa.Text),
    sa.Column("response_id", sa.Text),
    sa.Column("service_tier", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("account", sa.Text),
    sa.Column("finish_reasons", ARRAY(sa.Text)),
    sa.Column("usage_source", sa.Text, nullable=False),
    sa.Column("usage_extra", JSONB),
    sa.Column("flags", ARRAY(sa.Text)),
    sa.Column("twin_keys", ARRAY(sa.BigInteger)),
    sa.Column("reported_cost", sa.Numeric),
    sa.Column("service", sa.Text),
    sa.Column("environment", sa.Text),
    sa.Column("release", sa.Text),
    sa.Column("team", sa.Text),
    sa.Column("feature", sa.Text),
    sa.Column("customer", sa.Text),
    sa.Column("user_id", sa.Text),
    sa.Column("session_id", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("tool", sa.Text),
    sa.Column("prompt_version", sa.Text),
    sa.Column("gpu_pool", sa.Text),
    sa.Column("attributes", JSONB),
    sa.Column("events", JSONB),
    sa.Index("span_project_id_start_time", "project_id", "start_time"),
    postgresql_partition_by=BY_DAY,
)

span_content = sa.Table(
    "span_content",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trace_id", UUID, primary_key=True),
    sa.Column("span_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("start_time", TIME, primary_key=True),
    sa.Column("content", BYTEA, nullable=False, comment="JSON, compressed with zstd by the collector."),
    postgresql_partition_by=BY_DAY,
)

late_usage = sa.Table(
    "late_usage",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trace_id", UUID, primary_key=True),
    sa.Column("span_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", TIME, primary_key=True),
    sa.Column("usage", JSONB, nullable=False),
)

score = sa.Table(
    "score",
    metadata,
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sa.Column("trace_id", UUID),
    sa.Column("span_id", sa.BigInteger),
    sa.Column("response_id", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("label", sa.Text),
    sa.Column("explanation", sa.Text),
    sa.UniqueConstraint(
        *("project_id", "trace_id", "span_id", "response_id", "name", "at"), postgresql_nulls_not_distinct=True
    ),
    sa.Index("score_project_id_at", "project_id", "at"),
)

response_ref = sa.Table(
    "response_ref",
    metadata,
    sa.Column("start_time", TIME, nullable=False),
    sa.Column("response_key", sa.BigInteger, nullable=False),
    sa.Column("trace_id", UUID, nullable=False),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Index("response_ref_response_key", "response_key"),
    postgresql_partition_by=BY_DAY,
)

touched = sa.Table(
    "touched",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", TIME, nullable=False, server_default=NOW),
    sa.Column("project_id", sa.Integer, nullable=False),
    sa.Column("trace_ids", ARRAY(UUID), nullable=False),
    sa.Column("first_start", TIME, nullable=False),
    sa.Column("last_start", TIME, nullable=False),
    sa.Column("minutes", ARRAY(TIME), nullable=False),
    sa.Column(
        "attribution",
        sa.Integer,
        nullable=False,
        server_default=sa.text("0"),
        comment="Version of the attribution rules that the spans were given; 0: none.",
    ),
    sa.Index("touched_project_id", "project_id", "id"),
)

dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("received_at", TIME, nullable=False, server_default=NOW),
    sa.Column("project_id", sa.Integer),
    sa.Column("signal", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("payload", BYTEA),
    sa.Column("retried_at", TIME, comment="When it was accepted after all."),
    sa.Column("encoding", sa.Text, nullable=False, server_default="raw"),
    sa.Column("api_key", sa.Text),
    sa.Column("attempted_at", TIME, comment="When it was refused again."),
    sa.Column("attempt_detail", sa.Text),
    sa.CheckConstraint("encoding IN ('request', 'raw')", name="dead_letter_encoding_check"),
    sa.Index("dead_letter_received_at", "received_at"),
    sa.Index("dead_letter_project_id", "project_id", "id"),
)

ingest_count = sa.Table(
    "ingest_count",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hour", TIME, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
)

client_count = sa.Table(
    "client_count",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, primary_key=True),
    sa.Column("hour", TIME, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    comment="What clients say became of their spans: the sum since a client's process began, as last heard in the hour.",
)
