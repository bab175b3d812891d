"""The ledger's foundation: projects and keys, spans, what settlement and rollups need.

Revision ID: 0001_core
Revises:
"""

from __future__ import annotations

from importlib import resources

from alembic import op

revision = "0001_core"
down_revision = None
branch_labels = None
depends_on = None

IDENTITY = """
CREATE TABLE project (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text        NOT NULL UNIQUE,
    content     text        NOT NULL DEFAULT 'none' CHECK (content IN ('none', 'masked', 'full')),
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_key (
    id            text        PRIMARY KEY,
    project_id    integer     REFERENCES project (id),
    name          text,
    secret_sha256 bytea       NOT NULL,
    scopes        text[]      NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz
);
-- Where spans go whose key is for all projects and whose sender names none.
INSERT INTO project (name) VALUES ('default');

COMMENT ON COLUMN api_key.project_id IS 'NULL: all projects.';

CREATE TABLE audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text        NOT NULL,
    action  text        NOT NULL,
    subject text        NOT NULL,
    detail  jsonb
);
"""

SPANS = """
CREATE TABLE span (
    -- Facts: written once, by ingest.
    start_time             timestamptz NOT NULL,
    received_at            timestamptz NOT NULL,
    trace_id               uuid        NOT NULL,
    span_id                bigint      NOT NULL,
    parent_span_id         bigint,
    duration_us            bigint      NOT NULL,
    project_id             integer     NOT NULL,
    input_tokens           integer,
    cache_read_tokens      integer,
    cache_write_tokens     integer,
    cache_write_5m_tokens  integer,
    cache_write_1h_tokens  integer,
    input_audio_tokens     integer,
    output_tokens          integer,
    reasoning_tokens       integer,
    output_audio_tokens    integer,
    time_to_first_token_ms real,
    kind                   smallint    NOT NULL,
    status                 smallint    NOT NULL,
    streaming              boolean,
    -- Derived: written by ingest, settlement, repricing and allocation.
    counted                boolean     NOT NULL,
    price_version          integer,
    fx_rate_id             integer,
    priced_at              timestamptz,
    cost                   numeric,
    charge_cost            numeric,
    charge_currency        text,
    charge_status          text,
    price_ids              integer[],
    not_counted_reason     text,
    joined                 jsonb,
    attributed             jsonb,
    -- Facts of variable length.
    api_key                text,
    name                   text        NOT NULL,
    status_message         text,
    error_type             text,
    scope                  text,
    scope_version          text,
    dialect                text        NOT NULL,
    span_type              text        NOT NULL,
    operation              text,
    provider               text,
    request_model          text,
    response_model         text,
    response_id            text,
    service_tier           text,
    region                 text,
    account                text,
    finish_reasons         text[],
    usage_source           text        NOT NULL,
    usage_extra            jsonb,
    flags                  text[],
    twin_keys              bigint[],
    reported_cost          numeric,
    service                text,
    environment            text,
    release                text,
    team                   text,
    feature                text,
    customer               text,
    user_id                text,
    session_id             text,
    agent                  text,
    tool                   text,
    prompt_version         text,
    gpu_pool               text,
    attributes             jsonb,
    events                 jsonb,
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
) PARTITION BY RANGE (start_time);
CREATE INDEX span_project_id_start_time ON span (project_id, start_time);

CREATE TABLE span_content (
    project_id integer     NOT NULL,
    trace_id   uuid        NOT NULL,
    span_id    bigint      NOT NULL,
    start_time timestamptz NOT NULL,
    content    bytea       NOT NULL,
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
) PARTITION BY RANGE (start_time);
ALTER TABLE span_content ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON COLUMN span_content.content IS 'JSON, compressed with zstd by the collector.';

-- What log events told of a span: usage that came after it, and judgements of its answer.
CREATE TABLE late_usage (
    project_id   integer     NOT NULL,
    trace_id     uuid        NOT NULL,
    span_id      bigint      NOT NULL,
    at           timestamptz NOT NULL,
    usage        jsonb       NOT NULL,
    PRIMARY KEY (project_id, trace_id, span_id, at)
);

CREATE TABLE score (
    project_id  integer     NOT NULL,
    at          timestamptz NOT NULL,
    trace_id    uuid,
    span_id     bigint,
    response_id text,
    name        text        NOT NULL,
    value       double precision,
    label       text,
    explanation text,
    UNIQUE NULLS NOT DISTINCT (project_id, trace_id, span_id, response_id, name, at)
);
CREATE INDEX score_project_id_at ON score (project_id, at);

-- Where a response id, or another key that twins share, was seen. A table of its own, so that it can be distributed by it.
CREATE TABLE response_ref (
    start_time   timestamptz NOT NULL,
    response_key bigint      NOT NULL,
    trace_id     uuid        NOT NULL,
    project_id   integer     NOT NULL
) PARTITION BY RANGE (start_time);
CREATE INDEX response_ref_response_key ON response_ref (response_key);

-- What a commit touched and settlement has still to look at; one row per commit and project.
CREATE TABLE touched (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    project_id    integer     NOT NULL,
    trace_ids     uuid[]      NOT NULL,
    first_start   timestamptz NOT NULL,
    last_start    timestamptz NOT NULL,
    minutes       timestamptz[] NOT NULL
);
CREATE INDEX touched_project_id ON touched (project_id, id);

CREATE TABLE dead_letter (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    project_id  integer,
    signal      text        NOT NULL,
    reason      text        NOT NULL,
    detail      text        NOT NULL,
    payload     bytea,
    retried_at  timestamptz
);
CREATE INDEX dead_letter_received_at ON dead_letter (received_at);

-- Counts that have no row of their own: refused, duplicate and conflicting spans, drops a client told of.
CREATE TABLE ingest_count (
    project_id integer     NOT NULL,
    hour       timestamptz NOT NULL,
    name       text        NOT NULL,
    n          bigint      NOT NULL,
    PRIMARY KEY (project_id, hour, name)
);
"""

LEDGER = """
CREATE TABLE ledger_line (
    id            uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id    integer     NOT NULL,
    charge_time   timestamptz NOT NULL,
    incurred_time timestamptz NOT NULL,
    kind          text        NOT NULL,
    cause         text        NOT NULL,
    cost          numeric     NOT NULL,
    quantity      numeric,
    unit          text,
    dimensions    jsonb       NOT NULL DEFAULT '{}',
    detail        jsonb,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_line_project_id_charge_time ON ledger_line (project_id, charge_time);
CREATE INDEX ledger_line_project_id_incurred_time ON ledger_line (project_id, incurred_time);

-- Buckets whose sums are out of date. Appended by whoever changes charges, consumed by the rollup of the project.
CREATE TABLE dirty_minute (
    project_id integer     NOT NULL,
    minute     timestamptz NOT NULL
);
CREATE INDEX dirty_minute_project_id ON dirty_minute (project_id);

-- One row per distinct set of allocation dimensions; the id is a hash of the values, so nobody has to agree on it.
CREATE TABLE dimension_set (
    id             uuid PRIMARY KEY,
    environment    text,
    service        text,
    release        text,
    team           text,
    cost_center    text,
    owner          text,
    feature        text,
    agent          text,
    prompt_version text,
    provider       text,
    account        text,
    region         text,
    model          text,
    request_model  text,
    operation      text,
    service_tier   text,
    api_key        text,
    gpu_pool       text,
    tags           jsonb
);
"""

# basis: 0 counts for both views, 1 booked only, 2 incurred only (lines of closed months).
_SUMS = """
    basis               smallint NOT NULL,
    calls               bigint   NOT NULL,
    errors              bigint   NOT NULL,
    unpriced_calls      bigint   NOT NULL,
    estimated_calls     bigint   NOT NULL,
    missing_usage_calls bigint   NOT NULL,
    input_tokens        bigint   NOT NULL,
    cache_read_tokens   bigint   NOT NULL,
    cache_write_tokens  bigint   NOT NULL,
    input_audio_tokens  bigint   NOT NULL,
    output_tokens       bigint   NOT NULL,
    reasoning_tokens    bigint   NOT NULL,
    output_audio_tokens bigint   NOT NULL,
    unpriced_tokens     bigint   NOT NULL,
    duration_us         bigint   NOT NULL,
    lines               bigint   NOT NULL,
    cost                numeric,
    reported_cost       numeric
"""

ROLLUPS = "".join(
    f"""
CREATE TABLE cost_{grain} (
    project_id          integer  NOT NULL,
    {column} {kind} NOT NULL,
    dimension_set_id    uuid     NOT NULL,
    {_SUMS.strip()}
);
CREATE INDEX cost_{grain}_project_id_{column} ON cost_{grain} (project_id, {column});
"""
    for grain, column, kind in (
        ("minute", "minute", "timestamptz"),
        ("hour", "hour", "timestamptz"),
        ("day", "day", "date"),
    )
) + "".join(
    f"""
CREATE TABLE latency_{grain} (
    project_id integer     NOT NULL,
    {grain}    timestamptz NOT NULL,
    provider   text,
    model      text,
    service    text,
    feature    text,
    measure    smallint    NOT NULL,
    buckets    smallint[]  NOT NULL,
    counts     integer[]   NOT NULL
);
CREATE INDEX latency_{grain}_project_id_{grain} ON latency_{grain} (project_id, {grain});
COMMENT ON COLUMN latency_{grain}.measure IS '0 duration, 1 time to first token; bucket b holds (1.02^(b-1), 1.02^b] us.';
"""
    for grain in ("minute", "hour")
)

OPERATION = """
CREATE TABLE heartbeat (
    name   text        PRIMARY KEY,
    at     timestamptz NOT NULL,
    detail jsonb
);

CREATE TABLE instance_setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE instance_setting IS 'What stored rows depend on, such as the time zone that day rollups were cut in.';
"""

# Calls as they are in force: what settlement joined and what attribution assigned laid over the facts.
CALL_VIEW = """
CREATE VIEW call AS
SELECT project_id, trace_id, span_id, parent_span_id, start_time, received_at,
       coalesce((joined ->> 'duration_us')::bigint, duration_us) AS duration_us, kind, status,
       coalesce((joined ->> 'streaming')::boolean, streaming) AS streaming,
       coalesce((joined ->> 'time_to_first_token_ms')::real, time_to_first_token_ms) AS time_to_first_token_ms,
       coalesce((joined -> 'usage' ->> 'input_tokens')::integer, input_tokens) AS input_tokens,
       coalesce((joined -> 'usage' ->> 'cache_read_tokens')::integer, cache_read_tokens) AS cache_read_tokens,
       coalesce((joined -> 'usage' ->> 'cache_write_tokens')::integer, cache_write_tokens) AS cache_write_tokens,
       coalesce((joined -> 'usage' ->> 'cache_write_5m_tokens')::integer, cache_write_5m_tokens) AS cache_write_5m_tokens,
       coalesce((joined -> 'usage' ->> 'cache_write_1h_tokens')::integer, cache_write_1h_tokens) AS cache_write_1h_tokens,
       coalesce((joined -> 'usage' ->> 'input_audio_tokens')::integer, input_audio_tokens) AS input_audio_tokens,
       coalesce((joined -> 'usage' ->> 'output_tokens')::integer, output_tokens) AS output_tokens,
       coalesce((joined -> 'usage' ->> 'reasoning_tokens')::integer, reasoning_tokens) AS reasoning_tokens,
       coalesce((joined -> 'usage' ->> 'output_audio_tokens')::integer, output_audio_tokens) AS output_audio_tokens,
       coalesce(joined -> 'usage' -> 'extra', usage_extra) AS usage_extra,
       coalesce(joined ->> 'usage_source', usage_source) AS usage_source,
       counted, not_counted_reason, joined, attributed,
       cost, charge_cost, charge_currency, charge_status, price_ids, price_version, priced_at, reported_cost,
       name AS step, name, status_message,
       coalesce(joined ->> 'error_type', error_type) AS error_type,
       scope, scope_version, dialect, span_type,
       coalesce(joined ->> 'operation', operation) AS operation,
       coalesce(joined ->> 'provider', provider) AS provider,
       coalesce(joined ->> 'request_model', request_model) AS request_model,
       coalesce(joined ->> 'response_model', response_model) AS response_model,
       coalesce(joined ->> 'response_model', response_model, joined ->> 'request_model', request_model) AS model,
       response_id,
       coalesce(joined ->> 'service_tier', service_tier) AS service_tier,
       coalesce(joined ->> 'region', region) AS region,
       coalesce(attributed ->> 'account', joined ->> 'account', account) AS account,
       CASE WHEN joined ? 'finish_reasons' THEN ARRAY(SELECT jsonb_array_elements_text(joined -> 'finish_reasons'))
            ELSE finish_reasons END AS finish_reasons,
       CASE WHEN joined ? 'flags' THEN flags || ARRAY(SELECT jsonb_array_elements_text(joined -> 'flags'))
            ELSE flags END AS flags,
       api_key,
       coalesce(attributed ->> 'service', joined ->> 'service', service) AS service,
       coalesce(attributed ->> 'environment', joined ->> 'environment', environment) AS environment,
       coalesce(joined ->> 'release', release) AS release,
       coalesce(attributed ->> 'team', joined ->> 'team', team) AS team,
       attributed ->> 'cost_center' AS cost_center,
       attributed ->> 'owner' AS owner,
       coalesce(attributed ->> 'feature', joined ->> 'feature', feature) AS feature,
       coalesce(attributed ->> 'customer', joined ->> 'customer', customer) AS customer,
       coalesce(joined ->> 'user', user_id) AS user_id,
       coalesce(joined ->> 'session', session_id) AS session_id,
       coalesce(joined ->> 'agent', agent) AS agent,
       coalesce(joined ->> 'tool', tool) AS tool,
       coalesce(joined ->> 'prompt_version', prompt_version) AS prompt_version,
       coalesce(attributed ->> 'gpu_pool', gpu_pool) AS gpu_pool,
       attributes, events
  FROM span;
"""


def upgrade() -> None:
    for part in (IDENTITY, SPANS, LEDGER, ROLLUPS, OPERATION, CALL_VIEW):
        op.execute(part)
    # The job queue brings its own schema; it belongs to one revision like any other table.
    op.execute((resources.files("procrastinate.sql") / "schema.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The first revision has nothing to go back to; drop the database instead.")
