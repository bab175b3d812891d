"""Bills of providers: what was imported when, its lines, and what the names in them mean."""

from __future__ import annotations

import sqlalchemy as sa

from outlay_collector.db.tables.base import metadata
from outlay_collector.db.tables.identity import TIME

bill_import = sa.Table(
    "bill_import",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("billed", sa.Numeric, nullable=False, comment="In the instance's currency."),
    sa.Column("left_out", sa.Integer, nullable=False),
    sa.Column("left_out_cost", sa.Numeric, nullable=False),
    sa.Column("undone_at", TIME),
    sa.Column("undone_by", sa.Text),
)

bill_cover = sa.Table(
    "bill_cover",
    metadata,
    sa.Column("import_id", sa.Integer, sa.ForeignKey("bill_import.id"), primary_key=True, autoincrement=False),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME, nullable=False),
    sa.Index("bill_cover_scope", "scope", "import_id"),
    comment="Where an import speaks: there the lines of earlier ones of the same scope hold no longer.",
)

bill_line = sa.Table(
    "bill_line",
    metadata,
    sa.Column("import_id", sa.Integer, sa.ForeignKey("bill_import.id"), primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, nullable=False, comment="The line of the file, or the result of the pages."),
    sa.Column("starts", TIME, nullable=False),
    sa.Column("ends", TIME, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("account", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("tier", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("quantity", sa.Numeric),
    sa.Column("cost", sa.Numeric),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("billed", sa.Numeric, comment="The cost in the instance's currency."),
    sa.Column("fx_rate_id", sa.Integer),
    sa.Column("description", sa.Text, nullable=False),
    sa.Index("bill_line_starts", "starts"),
)

bill_name = sa.Table(
    "bill_name",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("meaning", sa.Text, nullable=False, comment="A project's name for an account, a model's for a model."),
    sa.CheckConstraint("kind IN ('account', 'model')", name="bill_name_kind_check"),
)
