"""GPUs: telemetry, pools with their hours and rates, and what allocation made of them.

Revision ID: 0014_gpus
Revises: 0013_costs
"""

from __future__ import annotations

from alembic import op

revision = "0014_gpus"
down_revision = "0013_costs"
branch_labels = None
depends_on = None

POOLS = """
CREATE TABLE gpu_pool (
    id          integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text        NOT NULL UNIQUE,
    project_id  integer     NOT NULL REFERENCES project (id),
    dimensions  jsonb       NOT NULL DEFAULT '{}'::jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    removed_at  timestamptz
);
COMMENT ON COLUMN gpu_pool.project_id IS 'Whose ledger holds what is not a call''s: idle, startup, unattributed, unobserved.';

CREATE TABLE gpu_hours (
    id        integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool_id   integer     NOT NULL REFERENCES gpu_pool (id),
    gpu       text        NOT NULL,
    gpus      numeric     NOT NULL CONSTRAINT gpu_hours_gpus_check CHECK (gpus > 0),
    starts    timestamptz NOT NULL,
    ends      timestamptz,
    source    text        NOT NULL DEFAULT 'declared',
    CONSTRAINT gpu_hours_stretch_check CHECK (ends IS NULL OR starts < ends)
);
CREATE INDEX gpu_hours_pool_id ON gpu_hours (pool_id);
COMMENT ON COLUMN gpu_hours.gpus IS 'How many; a slice is a part of one, as three sevenths.';

CREATE TABLE gpu_rate (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool_id    integer     REFERENCES gpu_pool (id),
    gpu        text        NOT NULL,
    kind       text        NOT NULL CONSTRAINT gpu_rate_kind_check CHECK (kind IN ('on_demand', 'reserved', 'owned')),
    amount     numeric     NOT NULL CONSTRAINT gpu_rate_amount_check CHECK (amount >= 0),
    currency   text        NOT NULL,
    valid_from timestamptz,
    valid_to   timestamptz,
    source     text        NOT NULL,
    detail     jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text        NOT NULL,
    removed_at timestamptz
);
COMMENT ON COLUMN gpu_rate.amount IS 'Of one GPU for one hour.';

CREATE TABLE gpu_serving (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool_id    integer     NOT NULL REFERENCES gpu_pool (id),
    model      text        NOT NULL,
    providers  text[]      NOT NULL,
    project_id integer     REFERENCES project (id),
    gpus       numeric     CONSTRAINT gpu_serving_gpus_check CHECK (gpus > 0),
    valid_from timestamptz,
    valid_to   timestamptz
);
CREATE INDEX gpu_serving_pool_id ON gpu_serving (pool_id);
COMMENT ON TABLE gpu_serving IS 'Calls to these models run on this pool and are charged by allocation.';

CREATE TABLE gpu_job (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool_id    integer     NOT NULL REFERENCES gpu_pool (id),
    name       text        NOT NULL,
    gpus       numeric     NOT NULL CONSTRAINT gpu_job_gpus_check CHECK (gpus > 0),
    starts     timestamptz NOT NULL,
    ends       timestamptz,
    dimensions jsonb       NOT NULL DEFAULT '{}'::jsonb,
    CONSTRAINT gpu_job_stretch_check CHECK (ends IS NULL OR starts < ends)
);
CREATE INDEX gpu_job_pool_id ON gpu_job (pool_id);
COMMENT ON TABLE gpu_job IS 'Training and the like: work that owns GPUs of a pool for a time.';
"""

TELEMETRY = """
CREATE TABLE gpu_target (
    id               integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text        NOT NULL UNIQUE,
    project_id       integer     NOT NULL REFERENCES project (id),
    url              text,
    pool_id          integer     REFERENCES gpu_pool (id),
    model            text,
    interval_seconds integer     NOT NULL DEFAULT 15
                     CONSTRAINT gpu_target_interval_seconds_check CHECK (interval_seconds BETWEEN 1 AND 3600),
    created_at       timestamptz NOT NULL DEFAULT now(),
    removed_at       timestamptz
);
COMMENT ON COLUMN gpu_target.url IS 'NULL: it is not scraped, it sends.';

CREATE TABLE gpu_target_state (
    target_id integer     PRIMARY KEY,
    project_id integer    NOT NULL,
    at        timestamptz NOT NULL,
    error     text,
    state     jsonb       NOT NULL
);
COMMENT ON TABLE gpu_target_state IS 'Counters as last read, to tell by the next reading how much they grew.';

CREATE TABLE engine_sample (
    at              timestamptz NOT NULL,
    project_id      integer     NOT NULL,
    target_id       integer     NOT NULL,
    instance        text        NOT NULL,
    model           text        NOT NULL,
    engine          text        NOT NULL,
    up              boolean     NOT NULL,
    restarted       boolean     NOT NULL,
    seconds         real,
    seconds_kind    text,
    running         real,
    waiting         real,
    kv_usage        real,
    prompt_total    double precision,
    prompt_cached   double precision,
    prompt_computed double precision,
    output          double precision,
    prefill_seconds double precision,
    decode_seconds  double precision,
    queue_seconds   double precision,
    detail          jsonb,
    PRIMARY KEY (target_id, at, instance, model)
) PARTITION BY RANGE (at);
COMMENT ON COLUMN engine_sample.seconds IS 'Since the sample before; counters are what they grew by in it.';

CREATE TABLE gpu_sample (
    at                 timestamptz NOT NULL,
    project_id         integer     NOT NULL,
    target_id          integer     NOT NULL,
    uuid               text        NOT NULL,
    slice              text        NOT NULL,
    seconds            real,
    utilization        real,
    engine_active      real,
    sm_active          real,
    tensor_active      real,
    dram_active        real,
    memory_used_bytes  double precision,
    memory_total_bytes double precision,
    power_watts        real,
    energy_joules      double precision,
    temperature_celsius real,
    name               text        NOT NULL,
    host               text        NOT NULL,
    detail             jsonb,
    PRIMARY KEY (target_id, at, uuid, slice)
) PARTITION BY RANGE (at);
"""

ALLOCATION = """
CREATE TABLE gpu_window (
    pool_id      integer     NOT NULL REFERENCES gpu_pool (id),
    start_time   timestamptz NOT NULL,
    allocated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    gpu_seconds  numeric     NOT NULL,
    cost         numeric     NOT NULL,
    calls        numeric     NOT NULL,
    jobs         numeric     NOT NULL,
    unattributed numeric     NOT NULL,
    idle         numeric     NOT NULL,
    startup      numeric     NOT NULL,
    unobserved   numeric     NOT NULL,
    is_default   boolean     NOT NULL,
    detail       jsonb       NOT NULL,
    line_ids     uuid[]      NOT NULL DEFAULT '{}'::uuid[],
    booked       jsonb,
    PRIMARY KEY (pool_id, start_time)
);
COMMENT ON COLUMN gpu_window.booked IS 'Of a closed month: what its lines and adjustments stand at, by kind.';

CREATE TABLE gpu_share (
    start_time   timestamptz NOT NULL,
    pool_id      integer     NOT NULL,
    window_start timestamptz NOT NULL,
    project_id   integer     NOT NULL,
    trace_id     uuid        NOT NULL,
    span_id      bigint      NOT NULL,
    nano         bigint      NOT NULL,
    PRIMARY KEY (start_time, trace_id, span_id, project_id, pool_id, window_start)
) PARTITION BY RANGE (start_time);
CREATE INDEX gpu_share_pool_id_window_start ON gpu_share (pool_id, window_start);
COMMENT ON TABLE gpu_share IS 'What a call is charged for its part in a window, in billionths of the currency.';

CREATE TABLE gpu_dirty (
    pool_id    integer     NOT NULL,
    start_time timestamptz NOT NULL,
    PRIMARY KEY (pool_id, start_time)
);
COMMENT ON TABLE gpu_dirty IS 'Windows that are to be allocated again.';
"""

KINDS = (
    "ALTER TABLE price_catalogue DROP CONSTRAINT price_catalogue_kind_check, ADD CONSTRAINT price_catalogue_kind_check"
)


def upgrade() -> None:
    for part in (POOLS, TELEMETRY, ALLOCATION):
        op.execute(part)
    op.execute(f"{KINDS} CHECK (kind IN ('bundled', 'file', 'feed', 'override', 'undo', 'rates', 'pools'))")


def downgrade() -> None:
    op.execute("DELETE FROM price_catalogue WHERE kind = 'pools'")
    op.execute(f"{KINDS} CHECK (kind IN ('bundled', 'file', 'feed', 'override', 'undo', 'rates'))")
    op.execute("DROP TABLE gpu_dirty, gpu_share, gpu_window, gpu_sample, engine_sample, gpu_target_state, gpu_target")
    op.execute("DROP TABLE gpu_job, gpu_serving, gpu_rate, gpu_hours, gpu_pool")
