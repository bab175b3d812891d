"""Bills of providers, in versions: imports, where each speaks, lines, and what names in them mean.

Revision ID: 0016_bills
Revises: 0015_later_sums
"""

from __future__ import annotations

from alembic import op

revision = "0016_bills"
down_revision = "0015_later_sums"
branch_labels = None
depends_on = None

BILLS = """
CREATE TABLE bill_import (
    id            integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor         text        NOT NULL,
    format        text        NOT NULL,
    name          text        NOT NULL,
    digest        text        NOT NULL,
    lines         integer     NOT NULL,
    billed        numeric     NOT NULL,
    left_out      integer     NOT NULL,
    left_out_cost numeric     NOT NULL,
    undone_at     timestamptz,
    undone_by     text
);
COMMENT ON COLUMN bill_import.billed IS 'In the instance''s currency.';

CREATE TABLE bill_cover (
    import_id integer     NOT NULL REFERENCES bill_import (id),
    scope     text        NOT NULL,
    starts    timestamptz NOT NULL,
    ends      timestamptz NOT NULL,
    PRIMARY KEY (import_id, scope)
);
CREATE INDEX bill_cover_scope ON bill_cover (scope, import_id);
COMMENT ON TABLE bill_cover IS
    'Where an import speaks: there the lines of earlier ones of the same scope hold no longer.';

CREATE TABLE bill_line (
    import_id   integer     NOT NULL REFERENCES bill_import (id),
    position    integer     NOT NULL,
    number      integer     NOT NULL,
    starts      timestamptz NOT NULL,
    ends        timestamptz NOT NULL,
    scope       text        NOT NULL,
    provider    text        NOT NULL,
    account     text,
    model       text,
    meter       text        NOT NULL,
    tier        text,
    region      text,
    quantity    numeric,
    cost        numeric,
    currency    text        NOT NULL,
    billed      numeric,
    fx_rate_id  integer,
    description text        NOT NULL,
    PRIMARY KEY (import_id, position)
);
CREATE INDEX bill_line_starts ON bill_line (starts);
COMMENT ON COLUMN bill_line.number IS 'The line of the file, or the result of the pages.';
COMMENT ON COLUMN bill_line.billed IS 'The cost in the instance''s currency.';

CREATE TABLE bill_name (
    provider text NOT NULL,
    kind     text NOT NULL CONSTRAINT bill_name_kind_check CHECK (kind IN ('account', 'model')),
    name     text NOT NULL,
    meaning  text NOT NULL,
    PRIMARY KEY (provider, kind, name)
);
COMMENT ON COLUMN bill_name.meaning IS 'A project''s name for an account, a model''s for a model.';
"""


def upgrade() -> None:
    op.execute(BILLS)


def downgrade() -> None:
    op.execute("DROP TABLE bill_name, bill_line, bill_cover, bill_import")
