"""Prices: models and the names they go by, amounts and when they hold, and the versions that opened and closed them.

Two times are kept apart: ``valid_from``/``valid_to`` say when an amount holds, ``opened_in``/``closed_in`` since which
version of the book we say so. No row is edited but for closing it once, so every version can be read again.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import NOW, TIME


def _identity() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True)


def _versions() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("opened_in", sa.Integer, sa.ForeignKey("price_catalogue.id"), nullable=False),
        sa.Column("closed_in", sa.Integer, sa.ForeignKey("price_catalogue.id")),
    )


price_catalogue = sa.Table(
    "price_catalogue",
    metadata,
    _identity(),
    sa.Column("at", TIME, nullable=False, server_default=NOW),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("undoes", sa.Integer, sa.ForeignKey("price_catalogue.id")),
    sa.Column("summary", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.CheckConstraint(
        "kind IN ('bundled', 'file', 'feed', 'override', 'undo', 'rates', 'pools')",
        name="price_catalogue_kind_check",
    ),
)

price_model = sa.Table(
    "price_model",
    metadata,
    _identity(),
    sa.Column("layer", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("match", JSONB, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("project_id", sa.Integer, comment="NULL: every project."),
    sa.Column("billed_as", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("complete", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("note", sa.Text),
    *_versions(),
    sa.Index("price_model_provider_model", "provider", "model"),
)

price = sa.Table(
    "price",
    metadata,
    _identity(),
    sa.Column("layer", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("per", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("tier", sa.Text, comment="NULL: every tier."),
    sa.Column("context_over", sa.BigInteger, nullable=False),
    sa.Column("day_window", JSONB, comment="NULL: at any time of day."),
    sa.Column("region_class", sa.Text, comment="NULL: everywhere."),
    sa.Column("valid_from", TIME, comment="Included; NULL: since ever."),
    sa.Column("valid_to", TIME, comment="Excluded; NULL: until further notice."),
    sa.Column("project_id", sa.Integer, comment="NULL: every project."),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("source_kind", sa.Text, nullable=False),
    sa.Column("checked", sa.Date),
    *_versions(),
    sa.CheckConstraint("amount >= 0", name="price_amount_check"),
    sa.CheckConstraint("per > 0", name="price_per_check"),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="price_currency_check"),
    sa.CheckConstraint("valid_from < valid_to", name="price_valid_check"),
    sa.Index("price_provider_model", "provider", "model"),
)

price_discount = sa.Table(
    "price_discount",
    metadata,
    _identity(),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("percent", sa.Numeric, nullable=False),
    sa.Column("valid_from", TIME),
    sa.Column("valid_to", TIME),
    sa.Column("project_id", sa.Integer),
    sa.Column("note", sa.Text),
    *_versions(),
    sa.CheckConstraint("percent > 0 AND percent <= 100", name="price_discount_percent_check"),
)

fx_rate = sa.Table(
    "fx_rate",
    metadata,
    _identity(),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME, nullable=False, comment="Excluded; without a newer rate by then there is none."),
    sa.Column("rate", sa.Numeric, nullable=False, comment="One of currency is so much of target."),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column(
        "base_currency",
        sa.Numeric,
        nullable=False,
        comment="As published: one of base is so much of currency, and base_target of target.",
    ),
    sa.Column("base_target", sa.Numeric, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    *_versions(),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="fx_rate_currency_check"),
    sa.CheckConstraint("target ~ '^[A-Z]{3}$'", name="fx_rate_target_check"),
    sa.CheckConstraint("rate > 0", name="fx_rate_rate_check"),
    sa.CheckConstraint("starts < ends", name="fx_rate_stretch_check"),
    sa.Index("fx_rate_target_currency_day", "target", "currency", "day"),
)
