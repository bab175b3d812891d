"""Prepaid credits.

Revision ID: 0019_credits
Revises: 0018_volume_terms
"""

from __future__ import annotations

from alembic import op

revision = "0019_credits"
down_revision = "0018_volume_terms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE credit_grant (
            id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            project_id integer     NOT NULL,
            key        text        NOT NULL,
            provider   text        NOT NULL,
            amount     numeric     NOT NULL CONSTRAINT credit_grant_amount_check CHECK (amount > 0),
            starts     date        NOT NULL,
            ends       date        NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            created_by text        NOT NULL,
            removed_at timestamptz,
            CONSTRAINT credit_grant_period_check CHECK (starts < ends)
        );
        CREATE UNIQUE INDEX credit_grant_project_id_key ON credit_grant (project_id, key) WHERE removed_at IS NULL;
        COMMENT ON COLUMN credit_grant.amount IS 'In the currency of the instance.'
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE credit_grant")
