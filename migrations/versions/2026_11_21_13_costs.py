"""Costs that are no call's: what was entered, and the ledger lines it became.

Revision ID: 0013_costs
Revises: 0012_budgets
"""

from __future__ import annotations

from alembic import op

revision = "0013_costs"
down_revision = "0012_budgets"
branch_labels = None
depends_on = None

ENTRY = """
CREATE TABLE cost_entry (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id integer     NOT NULL,
    key        text        NOT NULL,
    kind       text        NOT NULL,
    amount     numeric     NOT NULL,
    currency   text        NOT NULL CONSTRAINT cost_entry_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    cost       numeric     NOT NULL,
    fx_rate_id integer,
    starts     date        NOT NULL,
    ends       date        NOT NULL,
    dimensions jsonb       NOT NULL,
    quantity   numeric,
    unit       text,
    note       text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text        NOT NULL,
    removed_at timestamptz,
    removed_by text,
    CONSTRAINT cost_entry_period_check CHECK (starts < ends)
);
CREATE UNIQUE INDEX cost_entry_project_id_key ON cost_entry (project_id, key) WHERE removed_at IS NULL;
COMMENT ON COLUMN cost_entry.cost IS 'In the currency of the instance.';
"""

LINE = """
ALTER TABLE ledger_line
    ADD COLUMN entry_id        uuid,
    ADD COLUMN charge_cost     numeric,
    ADD COLUMN charge_currency text,
    ADD COLUMN fx_rate_id      integer;
CREATE INDEX ledger_line_entry_id ON ledger_line (entry_id) WHERE entry_id IS NOT NULL;
COMMENT ON COLUMN ledger_line.entry_id IS 'The cost_entry that it is a part of.';
"""


def upgrade() -> None:
    op.execute(ENTRY)
    op.execute(LINE)


def downgrade() -> None:
    op.execute("DELETE FROM ledger_line WHERE entry_id IS NOT NULL")
    op.execute(
        "ALTER TABLE ledger_line DROP COLUMN entry_id, DROP COLUMN charge_cost, DROP COLUMN charge_currency,"
        " DROP COLUMN fx_rate_id"
    )
    op.execute("DROP TABLE cost_entry")
