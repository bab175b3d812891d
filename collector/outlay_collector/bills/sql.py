"""The statements of bills."""

from __future__ import annotations

LINE_COLUMNS = (
    "import_id", "position", "number", "starts", "ends", "scope", "provider", "account", "model", "meter", "tier", "region",
    "quantity", "cost", "currency", "billed", "fx_rate_id", "description",
)  # fmt: skip

COPY_LINES = f"COPY bill_line ({', '.join(LINE_COLUMNS)}) FROM STDIN"

# A line holds until a later import, that is not undone, speaks of the same scope and time.
_SUPERSEDED = """
EXISTS (SELECT FROM bill_cover AS later JOIN bill_import AS its ON its.id = later.import_id AND its.undone_at IS NULL
         WHERE later.scope = {0}.scope AND later.import_id > {0}.import_id
           AND later.starts <= {0}.starts AND {0}.starts < later.ends)
"""

IN_FORCE = f"""
SELECT line.* FROM bill_line AS line
  JOIN bill_import ON bill_import.id = line.import_id AND bill_import.undone_at IS NULL
 WHERE NOT {_SUPERSEDED.format("line")}
"""

BILLED = f"""
SELECT (starts AT TIME ZONE 'UTC')::date AS day, provider, account, model, meter, coalesce(tier, 'standard') AS tier,
       max(ends - starts) AS longest, CASE WHEN bool_and(quantity IS NOT NULL) THEN sum(quantity) END AS quantity,
       coalesce(sum(billed), 0) AS billed
  FROM ({IN_FORCE}) AS line
 WHERE starts >= %(start)s AND starts < %(end)s AND (%(provider)s::text IS NULL OR provider = %(provider)s)
 GROUP BY 1, provider, account, model, meter, 6
 ORDER BY 1, provider, account, model, meter, 6
"""

# For each provider the stretch that bills in force speak of. A scope that holds no line is of the provider it is named after.
COVERS = """
SELECT provider, min(greatest(starts, %(start)s)), max(least(ends, %(end)s))
  FROM (
        SELECT cover.starts, cover.ends, coalesce(line.provider, cover.scope) AS provider
          FROM bill_cover AS cover
          JOIN bill_import ON bill_import.id = cover.import_id AND bill_import.undone_at IS NULL
          LEFT JOIN LATERAL (
                SELECT DISTINCT provider FROM bill_line
                 WHERE bill_line.import_id = cover.import_id AND bill_line.scope = cover.scope
               ) AS line ON true
       ) AS speaking
 WHERE starts < %(end)s AND ends > %(start)s AND (%(provider)s::text IS NULL OR provider = %(provider)s)
 GROUP BY provider
"""

# The same bill once more is no news while nothing later has taken its place.
SAME = """
SELECT id FROM bill_import AS known
 WHERE digest = %(digest)s AND undone_at IS NULL
   AND NOT EXISTS (
        SELECT FROM bill_cover AS mine
          JOIN bill_cover AS later ON later.scope = mine.scope AND later.import_id > mine.import_id
           AND later.starts < mine.ends AND mine.starts < later.ends
          JOIN bill_import AS its ON its.id = later.import_id AND its.undone_at IS NULL
         WHERE mine.import_id = known.id)
 ORDER BY id DESC LIMIT 1
"""

NEW = """
INSERT INTO bill_import (actor, format, name, digest, lines, billed, left_out, left_out_cost)
VALUES (%(actor)s, %(format)s, %(name)s, %(digest)s, %(lines)s, %(billed)s, %(left_out)s, %(left_out_cost)s)
RETURNING id
"""

LISTED = f"""
SELECT id, at, actor, format, name, lines, billed, left_out, left_out_cost, undone_at, undone_by,
       (SELECT min(starts) FROM bill_cover WHERE import_id = id) AS starts,
       (SELECT max(ends) FROM bill_cover WHERE import_id = id) AS ends,
       (SELECT array_agg(DISTINCT provider ORDER BY provider) FROM bill_line WHERE import_id = id) AS providers,
       CASE WHEN undone_at IS NOT NULL THEN 'undone'
            WHEN lines = 0 OR EXISTS (SELECT FROM bill_line AS line
                                       WHERE line.import_id = bill_import.id AND NOT {_SUPERSEDED.format("line")})
            THEN 'in force'
            ELSE 'replaced' END AS state
  FROM bill_import
 ORDER BY id DESC
 LIMIT %(limit)s
"""

ACCOUNTS = f"""
SELECT line.provider, line.account, bill_name.meaning AS project, sum(billed) AS billed, max(line.ends) AS until
  FROM ({IN_FORCE}) AS line
  LEFT JOIN bill_name ON bill_name.provider = line.provider AND bill_name.kind = 'account' AND bill_name.name = line.account
 WHERE account IS NOT NULL
 GROUP BY line.provider, line.account, bill_name.meaning
 ORDER BY sum(billed) DESC NULLS LAST, line.provider, line.account
"""

# What reconciliation has booked so far, by what it was booked for.
BOOKED = """
SELECT project.name, (incurred_time AT TIME ZONE 'UTC')::date, dimensions ->> 'provider', dimensions ->> 'model', cause,
       sum(cost)
  FROM ledger_line JOIN project ON project.id = project_id
 WHERE kind = 'reconciliation' AND incurred_time >= %(start)s AND incurred_time < %(end)s
   AND (%(provider)s::text IS NULL OR dimensions ->> 'provider' = %(provider)s)
 GROUP BY 1, 2, 3, 4, 5
"""

# In its own day, or in the open month where that day's month is closed.
BOOK = """
INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions, detail)
SELECT %(project)s, CASE WHEN EXISTS (SELECT FROM closed_month WHERE starts <= %(at)s AND %(at)s < ends)
                         THEN (SELECT greatest(now(), max(ends)) FROM closed_month) ELSE %(at)s END,
       %(at)s, 'reconciliation', %(cause)s, %(cost)s, %(dimensions)s, %(detail)s
RETURNING charge_time, incurred_time
"""
