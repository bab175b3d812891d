"""Which deliveries a maintenance window has held back.

Revision ID: 0010_held_deliveries
Revises: 0009_attribution
"""

from __future__ import annotations

from alembic import op

revision = "0010_held_deliveries"
down_revision = "0009_attribution"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE delivery ADD COLUMN held boolean NOT NULL DEFAULT false")
    op.execute("COMMENT ON COLUMN delivery.held IS 'By a maintenance window.'")


def downgrade() -> None:
    op.execute("ALTER TABLE delivery DROP COLUMN held")
