"""Dead letters that can be sent again: how a payload is kept, whose key sent it, and what became of a retry.

Revision ID: 0003_dead_letters
Revises: 0002_prices
"""

from __future__ import annotations

from alembic import op

revision = "0003_dead_letters"
down_revision = "0002_prices"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE dead_letter
    ADD COLUMN encoding       text NOT NULL DEFAULT 'raw'
               CONSTRAINT dead_letter_encoding_check CHECK (encoding IN ('request', 'raw')),
    ADD COLUMN api_key        text,
    ADD COLUMN attempted_at   timestamptz,
    ADD COLUMN attempt_detail text;
COMMENT ON COLUMN dead_letter.retried_at IS 'When it was accepted after all.';
COMMENT ON COLUMN dead_letter.attempted_at IS 'When it was refused again.';
CREATE INDEX dead_letter_project_id ON dead_letter (project_id, id);
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX dead_letter_project_id;
        ALTER TABLE dead_letter
            DROP COLUMN encoding, DROP COLUMN api_key, DROP COLUMN attempted_at, DROP COLUMN attempt_detail;
        COMMENT ON COLUMN dead_letter.retried_at IS NULL
        """
    )
