"""Repricing: its jobs, and the charges that they replaced.

Revision ID: 0004_reprice
Revises: 0003_dead_letters
"""

from __future__ import annotations

from alembic import op

revision = "0004_reprice"
down_revision = "0003_dead_letters"
branch_labels = None
depends_on = None

JOBS = """
CREATE TABLE reprice_job (
    id              integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor           text        NOT NULL,
    state           text        NOT NULL DEFAULT 'running'
                    CONSTRAINT reprice_job_state_check CHECK (state IN ('running', 'done', 'undone')),
    undoes          integer     REFERENCES reprice_job (id),
    price_version   integer     NOT NULL,
    window_start    timestamptz NOT NULL,
    window_end      timestamptz NOT NULL,
    project_id      integer,
    provider        text,
    model           text,
    at_project      integer,
    at_time         timestamptz,
    beat_at         timestamptz,
    finished_at     timestamptz,
    calls           bigint      NOT NULL DEFAULT 0,
    changed_calls   bigint      NOT NULL DEFAULT 0,
    unpriced_before bigint      NOT NULL DEFAULT 0,
    unpriced_after  bigint      NOT NULL DEFAULT 0,
    cost_before     numeric,
    cost_after      numeric
);
COMMENT ON COLUMN reprice_job.created_at IS 'Also priced_at of the charges it writes, by which they are known as its own.';
COMMENT ON COLUMN reprice_job.project_id IS 'NULL: every project.';
COMMENT ON COLUMN reprice_job.at_time IS 'Of project at_project, everything before this is done; as of all projects before it.';
"""

HISTORY = """
CREATE TABLE charge_history (
    job_id          integer     NOT NULL REFERENCES reprice_job (id),
    project_id      integer     NOT NULL,
    start_time      timestamptz NOT NULL,
    trace_id        uuid        NOT NULL,
    span_id         bigint      NOT NULL,
    cost            numeric,
    charge_cost     numeric,
    charge_currency text,
    charge_status   text,
    price_ids       integer[],
    price_version   integer,
    priced_at       timestamptz,
    PRIMARY KEY (job_id, project_id, start_time, trace_id, span_id)
);
COMMENT ON TABLE charge_history IS 'Charges as they were before a job replaced them.';
"""


def upgrade() -> None:
    op.execute(JOBS)
    op.execute(HISTORY)


def downgrade() -> None:
    op.execute("DROP TABLE charge_history, reprice_job")
