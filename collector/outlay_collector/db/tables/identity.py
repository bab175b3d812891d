"""Projects, keys and who did what."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP

from outlay_collector.db.tables.base import metadata

TIME = TIMESTAMP(timezone=True)
NOW = sa.text("now()")

project = sa.Table(
    "project",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("content", sa.Text, nullable=False, server_default="none"),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.CheckConstraint("content IN ('none', 'masked', 'full')", name="project_content_check"),
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), comment="NULL: all projects."),
    sa.Column("name", sa.Text),
    sa.Column("secret_sha256", BYTEA, nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("expires_at", TIME),
    sa.Column("revoked_at", TIME),
    sa.Column("last_used_at", TIME),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", TIME, nullable=False, server_default=NOW),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", JSONB),
)
