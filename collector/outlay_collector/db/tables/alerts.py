"""Webhooks, events, the state of what they are about, and deliveries with every attempt."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, UUID

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME

_CLOCK = sa.text("clock_timestamp()")
_ZERO = sa.text("0")


def _uuid() -> sa.Column[str]:
    return sa.Column("id", UUID, primary_key=True, server_default=sa.text("gen_random_uuid()"))


def _to(column: str, target: str) -> sa.Column[str]:
    return sa.Column(column, UUID, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False)


webhook = sa.Table(
    "webhook",
    metadata,
    _uuid(),
    sa.Column(
        "project_id",
        sa.Integer,
        sa.ForeignKey("project.id"),
        comment="NULL: events of every project, and of the installation itself.",
    ),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("previous_secret", sa.Text),
    sa.Column("previous_secret_until", TIME),
    sa.Column("routing_key", sa.Text),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", TIME),
    sa.Column("disabled_at", TIME),
    sa.Column("disabled_reason", sa.Text),
    sa.Column("failing_since", TIME),
    sa.Column("failures", sa.Integer, nullable=False, server_default=_ZERO),
    sa.Column("rests_until", TIME),
    sa.Column("leased_until", TIME, comment="Somebody delivers to it until then; one delivery at a time."),
    sa.CheckConstraint(
        "kind IN ('generic', 'slack', 'teams', 'discord', 'pagerduty', 'alertmanager', 'email')",
        name="webhook_kind_check",
    ),
    sa.Index("webhook_project_id", "project_id"),
)

alert_event = sa.Table(
    "alert_event",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("project_id", sa.Integer, comment="NULL: the installation itself."),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("occurred_at", TIME, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("dedup_key", sa.Text, nullable=False),
    sa.Column("resolves", sa.Boolean, nullable=False),
    sa.Column("data", JSONB, nullable=False),
    sa.Column("created_at", TIME, nullable=False, server_default=_CLOCK),
    sa.CheckConstraint("severity IN ('info', 'warning', 'critical')", name="alert_event_severity_check"),
    sa.Index("alert_event_project_id_occurred_at", "project_id", "occurred_at"),
)

alert = sa.Table(
    "alert",
    metadata,
    _uuid(),
    sa.Column("project_id", sa.Integer),
    sa.Column(
        "key",
        sa.Text,
        nullable=False,
        comment="The project and the dedup key; at most one alert of a key is not resolved.",
    ),
    sa.Column("dedup_key", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("data", JSONB, nullable=False),
    sa.Column("events", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.Column("opened_at", TIME, nullable=False),
    sa.Column("last_event_at", TIME, nullable=False),
    sa.Column("acknowledged_at", TIME),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("resolved_at", TIME),
    sa.Column("resolved_by", sa.Text),
    sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name="alert_state_check"),
    sa.Index("alert_key", "key", unique=True, postgresql_where=sa.text("state <> 'resolved'")),
    sa.Index("alert_project_id_opened_at", "project_id", "opened_at"),
)

alert_history = sa.Table(
    "alert_history",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _to("alert_id", "alert.id"),
    sa.Column("at", TIME, nullable=False, server_default=_CLOCK),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("event_id", UUID),
    sa.Index("alert_history_alert_id", "alert_id"),
)

alert_mute = sa.Table(
    "alert_mute",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Integer),
    sa.Column("until", TIME, comment="NULL: until it is unmuted."),
    sa.Column("muted_at", TIME, nullable=False, server_default=NOW),
    sa.Column("muted_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
)

maintenance_window = sa.Table(
    "maintenance_window",
    metadata,
    _uuid(),
    sa.Column("project_id", sa.Integer, comment="NULL: every project and the installation itself."),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", TIME, nullable=False, server_default=NOW),
    sa.CheckConstraint("starts < ends", name="maintenance_window_check"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    _uuid(),
    _to("event_id", "alert_event.id"),
    _to("webhook_id", "webhook.id"),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=_ZERO),
    sa.Column("next_at", TIME),
    sa.Column("body", BYTEA, comment="Frozen before the first attempt, so that each attempt sends the same bytes."),
    sa.Column("digest_of", UUID, comment="The delivery whose message tells of this event too."),
    sa.Column("created_at", TIME, nullable=False, server_default=_CLOCK),
    sa.Column("finished_at", TIME),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    sa.Column("held", sa.Boolean, nullable=False, server_default=sa.text("false"), comment="By a maintenance window."),
    sa.UniqueConstraint("event_id", "webhook_id", name="delivery_event_webhook"),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'failed', 'muted')", name="delivery_state_check"),
    sa.Index("delivery_due", "webhook_id", "next_at", postgresql_where=sa.text("state = 'pending'")),
    sa.Index("delivery_created_at", "created_at"),
)

delivery_attempt = sa.Table(
    "delivery_attempt",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _to("delivery_id", "delivery.id"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("error", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Index("delivery_attempt_delivery_id", "delivery_id"),
)
