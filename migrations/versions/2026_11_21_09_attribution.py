"""Attribution rules: their versions, what each moved, and what is known of calls in closed months.

Revision ID: 0009_attribution
Revises: 0008_currencies
"""

from __future__ import annotations

from alembic import op

revision = "0009_attribution"
down_revision = "0008_currencies"
branch_labels = None
depends_on = None

VERSION = """
CREATE TABLE attribution_version (
    id                     integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                     timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor                  text        NOT NULL,
    source                 text        NOT NULL,
    rules                  text        NOT NULL,
    zone                   text        NOT NULL,
    assigned               text[]      NOT NULL,
    undoes                 integer     REFERENCES attribution_version (id),
    state                  text        NOT NULL DEFAULT 'running',
    window_start           timestamptz NOT NULL,
    window_end             timestamptz NOT NULL,
    at_project             integer,
    at_time                timestamptz,
    beat_at                timestamptz,
    finished_at            timestamptz,
    looked_at              bigint      NOT NULL DEFAULT 0,
    changed_spans          bigint      NOT NULL DEFAULT 0,
    changed_calls          bigint      NOT NULL DEFAULT 0,
    changed_unpriced_calls bigint      NOT NULL DEFAULT 0,
    changed_cost           numeric,
    CONSTRAINT attribution_version_state_check CHECK (state IN ('running', 'done', 'superseded'))
);
COMMENT ON COLUMN attribution_version.rules IS 'The file, as it was given.';
COMMENT ON COLUMN attribution_version.zone IS 'In which its bare dates are midnights.';
COMMENT ON COLUMN attribution_version.assigned IS 'Dimensions that its rules set.';
COMMENT ON COLUMN attribution_version.at_time IS
    'Of project at_project, everything before this is done; as of all projects before it.';

CREATE TABLE attribution_move (
    version        integer NOT NULL REFERENCES attribution_version (id),
    project_id     integer NOT NULL,
    rule           text,
    dimension      text    NOT NULL,
    before         text,
    after          text,
    calls          bigint  NOT NULL,
    unpriced_calls bigint  NOT NULL,
    cost           numeric,
    UNIQUE NULLS NOT DISTINCT (version, project_id, rule, dimension, before, after)
);
"""

ADJUSTED = """
CREATE TABLE adjusted_attribution (
    project_id integer     NOT NULL,
    trace_id   uuid        NOT NULL,
    span_id    bigint      NOT NULL,
    start_time timestamptz NOT NULL,
    attributed jsonb,
    dimensions jsonb       NOT NULL,
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
);
CREATE INDEX adjusted_attribution_project_id_start_time ON adjusted_attribution (project_id, start_time);
COMMENT ON TABLE adjusted_attribution IS
    'For whom calls in closed months were made, by rules since; their own rows are frozen.';
COMMENT ON COLUMN adjusted_attribution.attributed IS
    'What the span''s own column will hold when its month is opened again.';
COMMENT ON COLUMN adjusted_attribution.dimensions IS 'The dimensions in force that rules may set.';
"""

# Which version of the rules the spans of a commit were given; where that is not the one in force, settlement gives them that.
TOUCHED = """
ALTER TABLE touched ADD COLUMN attribution integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN touched.attribution IS 'Version of the attribution rules that the spans were given; 0: none.';
"""


def upgrade() -> None:
    for part in (VERSION, ADJUSTED, TOUCHED):
        op.execute(part)


def downgrade() -> None:
    op.execute("ALTER TABLE touched DROP COLUMN attribution")
    op.execute("DROP TABLE adjusted_attribution, attribution_move, attribution_version")
