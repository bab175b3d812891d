"""A company's calls of ninety days, made in the database itself: 20 projects, 40 models, 200 users, 10 tags."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
from outlay_collector.access import store as access
from outlay_collector.db.store import create_days

PROJECTS = 20
DAYS = 90

# Projects, models and users are used unevenly (the power), days grow and weekends are quiet: as bills look.
_DAY = """
INSERT INTO span (
    start_time, received_at, trace_id, span_id, parent_span_id, duration_us, project_id, input_tokens,
    cache_read_tokens, output_tokens, reasoning_tokens, time_to_first_token_ms, kind, status, streaming, counted,
    price_version, priced_at, cost, charge_status, price_ids, name, scope, dialect, span_type, operation, provider,
    request_model, response_model, usage_source, service, environment, release, team, feature, customer, user_id,
    session_id, attributes
)
SELECT at, at, trace_id, (random() * 9e18)::bigint, NULL, duration, project, tokens_in, tokens_in / 4, tokens_out,
       tokens_out / 8, duration / 4000, 3, CASE WHEN dice < 0.01 THEN 2 ELSE 0 END, model %% 2 = 0, true, 1, at,
       tokens_in * (1 + model) * 0.0000001 + tokens_out * (1 + model) * 0.0000004, 'priced', ARRAY[model * 2, model * 2 + 1],
       'chat model-' || model, 'outlay', 'outlay', 'call', 'chat', 'provider-' || model %% 5, 'model-' || model,
       'model-' || model || '-2026', 'reported', 'service-' || project %% 8,
       CASE WHEN dice < 0.8 THEN 'production' ELSE 'staging' END,
       '1.' || extract(day FROM at)::int / 7, 'team-' || project %% 6, 'feature-' || model %% 20, 'customer-' || person / 4,
       'user-' || person, 'session-' || person || '-' || minute / 30,
       jsonb_build_object('outlay.tag.experiment', 'arm-' || person %% 10, 'gen_ai.request.temperature', 0.2,
                          'server.address', 'api.example.com', 'app.release_channel', 'channel-' || person %% 3)
  FROM (
        SELECT %(day)s::timestamptz + random() * %(length)s AS at, gen_random_uuid() AS trace_id,
               (%(projects)s::int[])[1 + floor(power(random(), 2) * %(number)s)::int] AS project,
               floor(power(random(), 2) * 40)::int AS model, floor(power(random(), 1.5) * 200)::int AS person,
               (50 + 4000 * power(random(), 3))::int AS tokens_in, (5 + 900 * power(random(), 2))::int AS tokens_out,
               (2e5 + 2e7 * power(random(), 4))::int AS duration, random() AS dice, (random() * 1439)::int AS minute
          FROM generate_series(1, %(calls)s)
       ) AS made
"""


def make_projects(connection: psycopg.Connection[Any]) -> list[int]:
    return [access.create_project(connection, f"project-{number}") for number in range(PROJECTS)]


def make_calls(connection: psycopg.Connection[Any], projects: list[int], calls: int, until: datetime) -> None:
    """Insert about ``calls`` calls of the ninety days up to ``until``, day by day, and let the planner know."""
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    lengths = [min(timedelta(days=1), until - day) for day in days]
    weights = [
        (0.6 + 0.8 * number / DAYS) * (0.4 if day.weekday() > 4 else 1.0) * (length / timedelta(days=1))
        for number, (day, length) in enumerate(zip(days, lengths, strict=True))
    ]
    create_days(connection, [day.date() for day in days])
    connection.execute("SELECT setseed(0.5)")
    for day, length, weight in zip(days, lengths, weights, strict=True):
        share = round(calls * weight / sum(weights))
        values = {"day": day, "length": length, "projects": projects, "number": len(projects), "calls": share}
        connection.execute(_DAY, values)
        connection.commit()
    connection.execute("ANALYZE span")
    connection.commit()
