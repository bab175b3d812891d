"""Budgets: what people said, the sums that follow, and what was told of them.

Revision ID: 0012_budgets
Revises: 0011_outcomes
"""

from __future__ import annotations

from alembic import op

revision = "0012_budgets"
down_revision = "0011_outcomes"
branch_labels = None
depends_on = None

BUDGETS = """
CREATE TABLE budget (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id   integer     NOT NULL,
    name         text        NOT NULL,
    version      integer     NOT NULL DEFAULT 1,
    spec         jsonb       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    changed_at   timestamptz NOT NULL DEFAULT now(),
    removed_at   timestamptz,
    watched_from timestamptz NOT NULL,
    hours_from   timestamptz
);
CREATE UNIQUE INDEX budget_project_id_name ON budget (project_id, name) WHERE removed_at IS NULL;
COMMENT ON COLUMN budget.watched_from IS 'Periods that end after this are told of.';
COMMENT ON COLUMN budget.hours_from IS 'From here on budget_hour holds all; NULL: sums have still to be made.';

CREATE TABLE budget_version (
    budget_id uuid        NOT NULL,
    version   integer     NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text        NOT NULL,
    spec      jsonb       NOT NULL,
    PRIMARY KEY (budget_id, version)
);
"""

SUMS = """
CREATE TABLE budget_hour (
    budget_id      uuid        NOT NULL,
    instance       text        NOT NULL,
    hour           timestamptz NOT NULL,
    cost           numeric,
    calls          bigint      NOT NULL,
    unpriced_calls bigint      NOT NULL,
    whole          boolean     NOT NULL,
    PRIMARY KEY (budget_id, instance, hour, whole)
);
CREATE INDEX budget_hour_budget_id_hour ON budget_hour (budget_id, hour);
COMMENT ON TABLE budget_hour IS
    'Made as a whole from calls and ledger lines whenever one of the hour changes, never added to.';
COMMENT ON COLUMN budget_hour.whole IS 'Of the whole hour; else of one minute, as hours are kept while they are young.';

CREATE TABLE budget_instance (
    budget_id uuid NOT NULL,
    instance  text NOT NULL,
    PRIMARY KEY (budget_id, instance)
);
COMMENT ON TABLE budget_instance IS
    'Values that a split budget keeps apart; beyond its cap they are summed as __other__.';

CREATE TABLE sum_change (
    id         bigint        GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz   NOT NULL DEFAULT now(),
    project_id integer       NOT NULL,
    minutes    timestamptz[] NOT NULL
);
CREATE INDEX sum_change_project_id ON sum_change (project_id, id);
COMMENT ON TABLE sum_change IS
    'Minutes whose sums were made again, in the transaction that made them; whoever follows them takes them.';
"""

TOLD = """
CREATE TABLE budget_alert (
    budget_id    uuid        NOT NULL,
    instance     text        NOT NULL,
    period_start timestamptz NOT NULL,
    threshold    text        NOT NULL,
    epoch        integer     NOT NULL,
    version      integer     NOT NULL,
    told_at      timestamptz NOT NULL,
    amount       numeric     NOT NULL,
    level        numeric     NOT NULL,
    actual       numeric     NOT NULL,
    event_id     uuid,
    highest      boolean     NOT NULL DEFAULT true,
    corrected_at timestamptz,
    below_since  timestamptz,
    armed_at     timestamptz,
    PRIMARY KEY (budget_id, instance, period_start, threshold, epoch)
);
CREATE INDEX budget_alert_event_id ON budget_alert (event_id);
COMMENT ON TABLE budget_alert IS 'What was told. Its key is what makes each thing be told once.';
COMMENT ON COLUMN budget_alert.event_id IS
    'Of the message that told it; others may have been told in the same one.';
COMMENT ON COLUMN budget_alert.armed_at IS 'When it was armed again: the next telling has the next epoch.';
"""


def upgrade() -> None:
    for statements in (BUDGETS, SUMS, TOLD):
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP TABLE budget_alert, sum_change, budget_instance, budget_hour, budget_version, budget")
