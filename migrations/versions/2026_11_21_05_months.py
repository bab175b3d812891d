"""Closed months: which they are, and what their calls cost by now.

Revision ID: 0005_months
Revises: 0004_reprice
"""

from __future__ import annotations

from alembic import op

revision = "0005_months"
down_revision = "0004_reprice"
branch_labels = None
depends_on = None

MONTHS = """
CREATE TABLE closed_month (
    month     text        PRIMARY KEY CONSTRAINT closed_month_month_check CHECK (month ~ '^[0-9]{4}-[0-9]{2}$'),
    starts    timestamptz NOT NULL,
    ends      timestamptz NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_by text        NOT NULL
);
"""

ADJUSTED = """
CREATE TABLE adjusted_charge (
    project_id         integer     NOT NULL,
    trace_id           uuid        NOT NULL,
    span_id            bigint      NOT NULL,
    start_time         timestamptz NOT NULL,
    counted            boolean     NOT NULL,
    not_counted_reason text,
    joined             jsonb,
    cost               numeric,
    charge_cost        numeric,
    charge_currency    text,
    charge_status      text,
    price_ids          integer[],
    price_version      integer,
    priced_at          timestamptz,
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
);
COMMENT ON TABLE adjusted_charge IS
    'What is known by now of calls in closed months whose own rows are frozen; the differences are ledger lines.';
CREATE INDEX adjusted_charge_project_id_start_time ON adjusted_charge (project_id, start_time);
"""


def upgrade() -> None:
    op.execute(MONTHS)
    op.execute(ADJUSTED)


def downgrade() -> None:
    op.execute("DROP TABLE adjusted_charge, closed_month")
