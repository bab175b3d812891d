"""What clients say became of their spans: what they dropped never arrives, and is to be known all the same.

Revision ID: 0006_client_counts
Revises: 0005_months
"""

from __future__ import annotations

from alembic import op

revision = "0006_client_counts"
down_revision = "0005_months"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE client_count (
            project_id integer     NOT NULL,
            instance   text        NOT NULL,
            outcome    text        NOT NULL,
            hour       timestamptz NOT NULL,
            n          bigint      NOT NULL,
            PRIMARY KEY (project_id, instance, outcome, hour)
        );
        COMMENT ON TABLE client_count IS
            'What clients say became of their spans: the sum since a client''s process began, as last heard in the hour.'
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE client_count")
