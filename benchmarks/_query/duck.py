"""DuckDB over the same rows as a yardstick: what an engine made for such questions takes, in memory on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

_COLUMNS = "start_time, project_id, response_model AS model, user_id, customer, cost, duration_us"

_PROGRAM = """
import json, sys, time
import duckdb
db = duckdb.connect()
db.execute(f"CREATE TABLE calls AS SELECT * FROM read_csv('{sys.argv[1]}', header = true)")
found = {}
for name, query in json.loads(sys.argv[2]).items():
    times = []
    for _ in range(5):
        began = time.perf_counter()
        db.execute(query).fetchall()
        times.append((time.perf_counter() - began) * 1000)
    found[name] = min(times)
print(json.dumps(found))
"""


def measure(connection: psycopg.Connection[Any], folder: Path, queries: dict[str, str]) -> dict[str, float]:
    """Best of five, in milliseconds, by query; empty, said aloud, where DuckDB cannot be installed."""
    uv = shutil.which("uv") or str(Path(sys.prefix).parent / ".tools" / "bin" / "uv")
    rows = folder / "calls.csv"
    statement = f"COPY (SELECT {_COLUMNS} FROM span) TO STDOUT (FORMAT csv, HEADER)".encode()
    with rows.open("wb") as file, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for part in copy:
            file.write(part)
    command = [
        uv,
        "run",
        "-q",
        "--no-project",
        "--with",
        "duckdb",
        "--with",
        "pytz",  # DuckDB asks for it where a time has a zone
        "python",
        "-c",
        _PROGRAM,
        str(rows),
        json.dumps(queries),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows.unlink()
    if done.returncode:
        print(f"DuckDB is not measured: {done.stderr.strip()[-300:]}")
        return {}
    return json.loads(done.stdout)
