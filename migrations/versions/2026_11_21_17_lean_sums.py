"""Sums leave out the numbers that are 0, which most are: a third less to store and to read.

Revision ID: 0017_lean_sums
Revises: 0016_bills
"""

from __future__ import annotations

from alembic import op

revision = "0017_lean_sums"
down_revision = "0016_bills"
branch_labels = None
depends_on = None

_GRAINS = ("minute", "hour", "day")
_NUMBERS = (
    "calls", "errors", "unpriced_calls", "estimated_calls", "missing_usage_calls", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "input_audio_tokens", "output_tokens", "reasoning_tokens", "output_audio_tokens",
    "unpriced_tokens", "duration_us", "lines",
)  # fmt: skip


def upgrade() -> None:
    for grain in _GRAINS:
        op.execute(f"ALTER TABLE cost_{grain} " + ", ".join(f"ALTER COLUMN {name} DROP NOT NULL" for name in _NUMBERS))


def downgrade() -> None:
    for grain in _GRAINS:
        op.execute(f"UPDATE cost_{grain} SET " + ", ".join(f"{name} = coalesce({name}, 0)" for name in _NUMBERS))  # noqa: S608 - our own names
        op.execute(f"ALTER TABLE cost_{grain} " + ", ".join(f"ALTER COLUMN {name} SET NOT NULL" for name in _NUMBERS))
