"""The price book: models, prices, discounts and the versions that opened and closed them.

Revision ID: 0002_prices
Revises: 0001_core
"""

from __future__ import annotations

from alembic import op

revision = "0002_prices"
down_revision = "0001_core"
branch_labels = None
depends_on = None

CATALOGUE = """
CREATE TABLE price_catalogue (
    id      integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    kind    text        NOT NULL
            CONSTRAINT price_catalogue_kind_check CHECK (kind IN ('bundled', 'file', 'feed', 'override', 'undo')),
    name    text        NOT NULL,
    actor   text        NOT NULL,
    digest  text,
    undoes  integer     REFERENCES price_catalogue (id),
    summary jsonb       NOT NULL DEFAULT '{}'::jsonb
);
"""

MODELS = """
CREATE TABLE price_model (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer      text    NOT NULL,
    provider   text    NOT NULL,
    model      text    NOT NULL,
    match      jsonb   NOT NULL,
    position   integer NOT NULL,
    project_id integer,
    billed_as  jsonb   NOT NULL DEFAULT '{}'::jsonb,
    complete   boolean NOT NULL DEFAULT false,
    note       text,
    opened_in  integer NOT NULL REFERENCES price_catalogue (id),
    closed_in  integer REFERENCES price_catalogue (id)
);
COMMENT ON COLUMN price_model.project_id IS 'NULL: every project.';
CREATE INDEX price_model_provider_model ON price_model (provider, model);
"""

PRICES = """
CREATE TABLE price (
    id           integer NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer        text    NOT NULL,
    provider     text    NOT NULL,
    model        text    NOT NULL,
    unit         text    NOT NULL,
    amount       numeric NOT NULL CONSTRAINT price_amount_check CHECK (amount >= 0),
    per          bigint  NOT NULL CONSTRAINT price_per_check CHECK (per > 0),
    currency     text    NOT NULL CONSTRAINT price_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    tier         text,
    context_over bigint  NOT NULL,
    day_window   jsonb,
    region_class text,
    valid_from   timestamptz,
    valid_to     timestamptz,
    project_id   integer,
    source_url   text    NOT NULL,
    source_kind  text    NOT NULL,
    checked      date,
    opened_in    integer NOT NULL REFERENCES price_catalogue (id),
    closed_in    integer REFERENCES price_catalogue (id),
    CONSTRAINT price_valid_check CHECK (valid_from < valid_to)
);
COMMENT ON COLUMN price.tier IS 'NULL: every tier.';
COMMENT ON COLUMN price.day_window IS 'NULL: at any time of day.';
COMMENT ON COLUMN price.region_class IS 'NULL: everywhere.';
COMMENT ON COLUMN price.valid_from IS 'Included; NULL: since ever.';
COMMENT ON COLUMN price.valid_to IS 'Excluded; NULL: until further notice.';
COMMENT ON COLUMN price.project_id IS 'NULL: every project.';
CREATE INDEX price_provider_model ON price (provider, model);
"""

DISCOUNTS = """
CREATE TABLE price_discount (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider   text    NOT NULL,
    model      text    NOT NULL,
    unit       text    NOT NULL,
    percent    numeric NOT NULL CONSTRAINT price_discount_percent_check CHECK (percent > 0 AND percent <= 100),
    valid_from timestamptz,
    valid_to   timestamptz,
    project_id integer,
    note       text,
    opened_in  integer NOT NULL REFERENCES price_catalogue (id),
    closed_in  integer REFERENCES price_catalogue (id)
);
"""


def upgrade() -> None:
    for statements in (CATALOGUE, MODELS, PRICES, DISCOUNTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP TABLE price_discount, price, price_model, price_catalogue")
