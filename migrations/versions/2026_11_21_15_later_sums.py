"""Sums made once an hour or a day is over: by user, customer, session and declared tag, and by model over all projects.

Revision ID: 0015_later_sums
Revises: 0014_gpus
"""

from __future__ import annotations

from alembic import op

revision = "0015_later_sums"
down_revision = "0014_gpus"
branch_labels = None
depends_on = None

_NUMBERS = (
    "calls", "errors", "unpriced_calls", "estimated_calls", "missing_usage_calls", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "input_audio_tokens", "output_tokens", "reasoning_tokens", "output_audio_tokens",
    "unpriced_tokens", "duration_us", "lines",
)  # fmt: skip
_SUMS = ",\n    ".join((*(f"{name} bigint" for name in _NUMBERS), "cost numeric", "reported_cost numeric"))

KEYED = "".join(
    f"""
CREATE TABLE key_{grain} (
    project_id integer  NOT NULL,
    {grain} {kind} NOT NULL,
    dimension  text     NOT NULL,
    value      text,
    basis      smallint NOT NULL,
    {_SUMS}
);
COMMENT ON TABLE key_{grain} IS 'Sums by one dimension at a time: user, customer, session, tag:<key>. NULL numbers are 0.';
COMMENT ON COLUMN key_{grain}.value IS 'NULL: calls without one; __other__: all beyond the most that are kept.';
CREATE INDEX key_{grain}_project_id_dimension_{grain} ON key_{grain} (project_id, dimension, {grain});
CREATE INDEX key_{grain}_other ON key_{grain} (dimension, {grain}) WHERE value = '__other__';
"""
    for grain, kind in (("hour", "timestamptz"), ("day", "date"))
)

MODELS = f"""
CREATE TABLE model_hour (
    hour     timestamptz NOT NULL,
    provider text,
    model    text,
    basis    smallint    NOT NULL,
    {_SUMS}
);
COMMENT ON TABLE model_hour IS 'Sums of all projects together. NULL numbers are 0.';
CREATE INDEX model_hour_hour ON model_hour (hour);

CREATE TABLE model_latency_hour (
    hour     timestamptz NOT NULL,
    provider text,
    model    text,
    measure  smallint    NOT NULL,
    packed   bytea       NOT NULL
);
COMMENT ON COLUMN model_latency_hour.packed IS 'Bucket (2 bytes) and count (4 bytes), big-endian, of one histogram.';
CREATE INDEX model_latency_hour_hour ON model_latency_hour (hour);
"""

# What has to be made (again). A day is named by its midnight in UTC, whatever the instance's zone.
STALE = """
CREATE TABLE stale_sum (
    name       text        NOT NULL,
    project_id integer     NOT NULL,
    bucket     timestamptz NOT NULL,
    dimension  text        NOT NULL DEFAULT '',
    at         timestamptz NOT NULL DEFAULT now(),
    touches    integer     NOT NULL DEFAULT 1,
    PRIMARY KEY (name, bucket, project_id, dimension)
) WITH (fillfactor = 50);
COMMENT ON COLUMN stale_sum.name IS 'key_day, key_hour or model_hour.';
COMMENT ON COLUMN stale_sum.dimension IS 'Empty: all of them.';
"""

TAGS = """
CREATE TABLE allocation_tag (
    key         text        PRIMARY KEY CONSTRAINT allocation_tag_key_check CHECK (length(key) BETWEEN 1 AND 200),
    declared_at timestamptz NOT NULL DEFAULT now(),
    declared_by text        NOT NULL
);
"""

VERSIONS = """
CREATE TABLE sums_version (
    project_id integer PRIMARY KEY,
    version    bigint  NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE sums_version IS 'Grows whenever a project''s sums are made: as long as it stands, answers stand.';
"""

# What there is already. Of old hours only those of the present and the past day are kept by key.
HISTORY = """
INSERT INTO stale_sum (name, project_id, bucket)
SELECT DISTINCT 'key_day', project_id, day::timestamp AT TIME ZONE 'UTC' FROM cost_day
 UNION ALL
SELECT DISTINCT 'key_hour', project_id, hour FROM cost_hour WHERE hour >= now() - interval '3 days'
 UNION ALL
SELECT DISTINCT 'model_hour', project_id, hour FROM cost_hour
"""


def upgrade() -> None:
    for part in (KEYED, MODELS, STALE, TAGS, VERSIONS, HISTORY):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE sums_version, allocation_tag, stale_sum, model_latency_hour, model_hour, key_day, key_hour")
