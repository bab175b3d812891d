"""What the processes tell of themselves, and what stored rows depend on."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import TIME

heartbeat = sa.Table(
    "heartbeat",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", TIME, nullable=False),
    sa.Column("detail", JSONB),
)

instance_setting = sa.Table(
    "instance_setting",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    comment="What stored rows depend on, such as the time zone that day rollups were cut in.",
)
