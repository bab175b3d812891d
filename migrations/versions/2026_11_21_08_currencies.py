"""Currencies: dated exchange rates, and which of them a charge was converted by.

Revision ID: 0008_currencies
Revises: 0007_alerts
"""

from __future__ import annotations

from alembic import op

revision = "0008_currencies"
down_revision = "0007_alerts"
branch_labels = None
depends_on = None

RATES = """
CREATE TABLE fx_rate (
    id            integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    currency      text        NOT NULL CONSTRAINT fx_rate_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    target        text        NOT NULL CONSTRAINT fx_rate_target_check CHECK (target ~ '^[A-Z]{3}$'),
    day           date        NOT NULL,
    starts        timestamptz NOT NULL,
    ends          timestamptz NOT NULL,
    rate          numeric     NOT NULL CONSTRAINT fx_rate_rate_check CHECK (rate > 0),
    base          text        NOT NULL,
    base_currency numeric     NOT NULL,
    base_target   numeric     NOT NULL,
    source        text        NOT NULL,
    opened_in     integer     NOT NULL REFERENCES price_catalogue (id),
    closed_in     integer     REFERENCES price_catalogue (id),
    CONSTRAINT fx_rate_stretch_check CHECK (starts < ends)
);
CREATE INDEX fx_rate_target_currency_day ON fx_rate (target, currency, day);
COMMENT ON COLUMN fx_rate.rate IS 'One of currency is so much of target.';
COMMENT ON COLUMN fx_rate.base_currency IS 'As published: one of base is so much of currency, and base_target of target.';
COMMENT ON COLUMN fx_rate.ends IS 'Excluded; without a newer rate by then there is none.';
"""

KINDS = (
    "ALTER TABLE price_catalogue DROP CONSTRAINT price_catalogue_kind_check, ADD CONSTRAINT price_catalogue_kind_check"
)


def upgrade() -> None:
    op.execute(RATES)
    op.execute(f"{KINDS} CHECK (kind IN ('bundled', 'file', 'feed', 'override', 'undo', 'rates'))")
    op.execute("ALTER TABLE charge_history ADD COLUMN fx_rate_id integer")
    op.execute("ALTER TABLE adjusted_charge ADD COLUMN fx_rate_id integer")
    op.execute("ALTER TABLE reprice_job ADD COLUMN currency text")
    columns, source = _call()
    op.get_bind().exec_driver_sql(f"CREATE OR REPLACE VIEW call AS {columns}, fx_rate_id {source}")


def downgrade() -> None:
    columns, source = _call()
    op.execute("DROP VIEW call")
    op.get_bind().exec_driver_sql(f"CREATE VIEW call AS {columns.rpartition(',')[0]} {source}")
    op.execute("ALTER TABLE reprice_job DROP COLUMN currency")
    op.execute("ALTER TABLE adjusted_charge DROP COLUMN fx_rate_id")
    op.execute("ALTER TABLE charge_history DROP COLUMN fx_rate_id")
    op.execute("DELETE FROM price_catalogue WHERE kind = 'rates'")
    op.execute(f"{KINDS} CHECK (kind IN ('bundled', 'file', 'feed', 'override', 'undo'))")
    op.execute("DROP TABLE fx_rate")


def _call() -> tuple[str, str]:
    """The view ``call`` as it stands: its columns, and where they come from."""
    definition = op.get_bind().exec_driver_sql("SELECT pg_get_viewdef('call'::regclass)").scalar_one()
    columns, source, rest = str(definition).rpartition("FROM span")
    return columns.rstrip(), source + rest
