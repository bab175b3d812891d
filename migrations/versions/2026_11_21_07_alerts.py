"""Alerts: webhooks, events, the state of what they are about, and deliveries with every attempt.

Revision ID: 0007_alerts
Revises: 0006_client_counts
"""

from __future__ import annotations

from alembic import op

revision = "0007_alerts"
down_revision = "0006_client_counts"
branch_labels = None
depends_on = None

WEBHOOKS = """
CREATE TABLE webhook (
    id                    uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id            integer     REFERENCES project (id),
    kind                  text        NOT NULL,
    url                   text        NOT NULL,
    name                  text,
    secret                text        NOT NULL,
    previous_secret       text,
    previous_secret_until timestamptz,
    routing_key           text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    created_by            text        NOT NULL,
    removed_at            timestamptz,
    disabled_at           timestamptz,
    disabled_reason       text,
    failing_since         timestamptz,
    failures              integer     NOT NULL DEFAULT 0,
    rests_until           timestamptz,
    leased_until          timestamptz,
    CONSTRAINT webhook_kind_check
         CHECK (kind IN ('generic', 'slack', 'teams', 'discord', 'pagerduty', 'alertmanager', 'email'))
);
COMMENT ON COLUMN webhook.project_id IS 'NULL: events of every project, and of the installation itself.';
COMMENT ON COLUMN webhook.leased_until IS 'Somebody delivers to it until then; one delivery at a time.';
CREATE INDEX webhook_project_id ON webhook (project_id);
"""

EVENTS = """
CREATE TABLE alert_event (
    id          uuid        PRIMARY KEY,
    project_id  integer,
    type        text        NOT NULL,
    severity    text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    title       text        NOT NULL,
    summary     text        NOT NULL,
    link        text        NOT NULL,
    dedup_key   text        NOT NULL,
    resolves    boolean     NOT NULL,
    data        jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT alert_event_severity_check CHECK (severity IN ('info', 'warning', 'critical'))
);
COMMENT ON COLUMN alert_event.project_id IS 'NULL: the installation itself.';
CREATE INDEX alert_event_project_id_occurred_at ON alert_event (project_id, occurred_at);
"""

ALERTS = """
CREATE TABLE alert (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id      integer,
    key             text        NOT NULL,
    dedup_key       text        NOT NULL,
    type            text        NOT NULL,
    severity        text        NOT NULL,
    state           text        NOT NULL DEFAULT 'open',
    title           text        NOT NULL,
    summary         text        NOT NULL,
    link            text        NOT NULL,
    data            jsonb       NOT NULL,
    events          integer     NOT NULL DEFAULT 1,
    opened_at       timestamptz NOT NULL,
    last_event_at   timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at     timestamptz,
    resolved_by     text,
    CONSTRAINT alert_state_check CHECK (state IN ('open', 'acknowledged', 'resolved'))
);
COMMENT ON COLUMN alert.key IS 'The project and the dedup key; at most one alert of a key is not resolved.';
CREATE UNIQUE INDEX alert_key ON alert (key) WHERE state <> 'resolved';
CREATE INDEX alert_project_id_opened_at ON alert (project_id, opened_at);

CREATE TABLE alert_history (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id uuid        NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    action   text        NOT NULL,
    actor    text        NOT NULL,
    note     text,
    event_id uuid
);
CREATE INDEX alert_history_alert_id ON alert_history (alert_id);

CREATE TABLE alert_mute (
    key        text        PRIMARY KEY,
    project_id integer,
    until      timestamptz,
    muted_at   timestamptz NOT NULL DEFAULT now(),
    muted_by   text        NOT NULL,
    reason     text
);
COMMENT ON COLUMN alert_mute.until IS 'NULL: until it is unmuted.';

CREATE TABLE maintenance_window (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id integer,
    starts     timestamptz NOT NULL,
    ends       timestamptz NOT NULL,
    reason     text,
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT maintenance_window_check CHECK (starts < ends)
);
COMMENT ON COLUMN maintenance_window.project_id IS 'NULL: every project and the installation itself.';
"""

DELIVERIES = """
CREATE TABLE delivery (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id     uuid        NOT NULL REFERENCES alert_event (id) ON DELETE CASCADE,
    webhook_id   uuid        NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    state        text        NOT NULL DEFAULT 'pending',
    attempts     integer     NOT NULL DEFAULT 0,
    next_at      timestamptz,
    body         bytea,
    digest_of    uuid,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    last_status  integer,
    last_error   text,
    CONSTRAINT delivery_event_webhook UNIQUE (event_id, webhook_id),
    CONSTRAINT delivery_state_check CHECK (state IN ('pending', 'delivered', 'failed', 'muted'))
);
COMMENT ON COLUMN delivery.body IS 'Frozen before the first attempt, so that each attempt sends the same bytes.';
COMMENT ON COLUMN delivery.digest_of IS 'The delivery whose message tells of this event too.';
CREATE INDEX delivery_due ON delivery (webhook_id, next_at) WHERE state = 'pending';
CREATE INDEX delivery_created_at ON delivery (created_at);

CREATE TABLE delivery_attempt (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id uuid        NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    number      integer     NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms integer     NOT NULL,
    status      integer,
    error       text,
    answer      text
);
CREATE INDEX delivery_attempt_delivery_id ON delivery_attempt (delivery_id);
"""


def upgrade() -> None:
    for statement in (WEBHOOKS, EVENTS, ALERTS, DELIVERIES):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE delivery_attempt, delivery, maintenance_window, alert_mute, alert_history, alert, alert_event, webhook"
    )
