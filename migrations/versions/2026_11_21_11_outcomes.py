"""How work ended, as files and requests tell it: what successes and revenue are known by.

Revision ID: 0011_outcomes
Revises: 0010_held_deliveries
"""

from __future__ import annotations

from alembic import op

revision = "0011_outcomes"
down_revision = "0010_held_deliveries"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE outcome (
            project_id  integer     NOT NULL,
            name        text        NOT NULL,
            at          timestamptz NOT NULL,
            trace_id    uuid,
            session_id  text,
            customer    text,
            success     boolean     NOT NULL,
            revenue     numeric,
            source      text        NOT NULL,
            imported_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE NULLS NOT DISTINCT (project_id, name, at, trace_id, session_id, customer)
        );
        CREATE INDEX outcome_project_id_at ON outcome (project_id, at);
        COMMENT ON COLUMN outcome.revenue IS 'In the instance''s currency.'
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE outcome")
