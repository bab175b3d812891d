"""Contracts whose rate falls with what is used in a month.

Revision ID: 0018_volume_terms
Revises: 0017_lean_sums
"""

from __future__ import annotations

from alembic import op

revision = "0018_volume_terms"
down_revision = "0017_lean_sums"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE volume_term (
            id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            project_id integer     NOT NULL,
            key        text        NOT NULL,
            provider   text        NOT NULL,
            model      text        NOT NULL,
            unit       text        NOT NULL,
            currency   text        NOT NULL,
            tiers      jsonb       NOT NULL,
            starts     date        NOT NULL,
            ends       date,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            created_by text        NOT NULL,
            removed_at timestamptz
        );
        CREATE UNIQUE INDEX volume_term_project_id_key ON volume_term (project_id, key) WHERE removed_at IS NULL
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE volume_term")
