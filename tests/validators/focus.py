"""``make check-focus``: an export of real demo data under the public FOCUS validator, and its sum against the API's spend.

The validator (https://pypi.org/project/focus-validator/) needs Python 3.12 and half a gigabyte, so it gets an environment of
its own under ``.tools``. It exits with 0 whatever it finds, hence the totals are read from what it prints; it looks for a
file beside itself by a relative path, hence it runs in its own folder; and pyarrow 22 and later do not work with its numpy.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from outlay_collector.access.keys import SCOPES
from outlay_collector.access.store import create_key
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.export.columns import CRITERIA, DEFAULT_VERSION
from outlay_collector.ledger.months.calendar import month_window
from outlay_collector.up.store import prepare

from tests.servers import Collector, Running, ended, outlay, wait_until

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".tools" / "focus-validator"
UV = ROOT / ".tools" / "bin" / "uv"
REQUIREMENTS = ("focus-validator==2.2.1", "pyarrow<22")
MODEL = "1.2.0.1"
DAYS = 10

ALLOWED = frozenset({"InvoiceId-C-005-C"})
"""A rule that its model applies without the condition it states. This export has no invoices, so it may not meet it."""

_TOTALS = re.compile(r"Total:?\s*(\d+).*?Pass(?:ed)?:?\s*(\d+).*?Fail(?:ed)?:?\s*(\d+)", re.IGNORECASE | re.DOTALL)
_RULE = re.compile(r"[A-Za-z]+-[CD]-\d{3}-[A-Z]")


def main() -> int:
    validator = _validator()
    if validator is None:
        print("SKIPPED: the FOCUS validator needs a Python 3.12 or newer, and none was found (python3.12, pyenv, uv).")
        return 0
    with tempfile.TemporaryDirectory(prefix="outlay-focus-") as folder:
        return _check(validator, Path(folder))


def _check(validator: Path, folder: Path) -> int:
    folder.chmod(0o755)
    file = folder / "focus.csv"
    with _served(folder) as (collector, month):
        env = {"OUTLAY_DATABASE_URL": collector.database_url}
        said = outlay("export", "focus", "--month", month, "-o", str(file), env=env, timeout=300)
        print(said.stdout, said.stderr, sep="", end="")
        if said.returncode:
            return 1
        window = month_window(month, _utc())
        bounds = {"from": window.start.isoformat(), "to": window.end.isoformat()}
        spend = Decimal(collector.get("/api/v1/spend", **bounds).raise_for_status().json()["rows"][0]["cost"])
    with file.open(encoding="utf-8", newline="") as rows:
        billed = sum((Decimal(row["BilledCost"]) for row in csv.DictReader(rows)), Decimal(0))
    print(f"Σ BilledCost {billed}, spend of the API {spend}: {'equal' if billed == spend else 'DIFFERENT'}")
    return _validate(validator, file) or int(billed != spend)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Collector, str]]:
    """A collector and a worker that have summed the demo, and the month that most of it is in."""
    now = datetime.now(UTC)
    middle = now - timedelta(days=DAYS // 2)
    home = folder / "home"
    home.mkdir(mode=0o755)
    with EmbeddedPostgres(home, bound=True) as url:
        prepare(url)
        with connect(url) as connection:
            key = create_key(connection, project=None, scopes=list(SCOPES), name="check-focus")
        collector = Collector(url, key, log=folder / "collector.log")
        worker = Running("worker", env={"OUTLAY_DATABASE_URL": url}, log=folder / "worker.log")
        with ended(collector), ended(worker):
            said = outlay(
                *("demo", "--days", str(DAYS), "--endpoint", collector.url),
                env={"OUTLAY_DATABASE_URL": url},
                timeout=600,
            )
            print(said.stdout.splitlines()[-1] if said.stdout else said.stderr)
            _add_lines(url, middle)
            wait_until(lambda: _is_quiet(url), seconds=120, every=0.5)
            yield collector, f"{middle:%Y-%m}"


def _add_lines(url: str, at: datetime) -> None:
    """What the demo has not: seats, a credit, and a correction of the month before."""
    month_before = at.replace(day=1) - timedelta(days=3)
    lines = (("seat", "40", 2, at), ("credit", "-5", None, at), ("adjustment", "0.0125", None, month_before))
    with connect(url) as connection:
        for kind, cost, quantity, incurred in lines:
            connection.execute(
                "INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, quantity, dimensions) "
                "SELECT id, %s, %s, %s, 'check', %s, %s, '{\"team\": \"search\"}' FROM project WHERE name = 'demo'",
                (at, incurred, kind, Decimal(cost), quantity),
            )
        connection.execute(
            "INSERT INTO dirty_minute (project_id, minute) SELECT project_id, date_trunc('minute', unnest(ARRAY[charge_time, "
            "incurred_time])) FROM ledger_line"
        )
        connection.execute(
            "INSERT INTO touched (project_id, trace_ids, first_start, last_start, minutes) "
            "SELECT id, '{}', %s, %s, '{}' FROM project WHERE name = 'demo'",
            (at, at),
        )


def _is_quiet(url: str) -> bool:
    with connect(url) as connection:
        row = connection.execute(
            "SELECT NOT EXISTS (SELECT FROM touched) AND NOT EXISTS (SELECT FROM dirty_minute) "
            "AND EXISTS (SELECT FROM cost_day)"
        ).fetchone()
        return bool(row and row[0])


def _validate(validator: Path, file: Path) -> int:
    packages = next((VENV / "lib").glob("python3.*/site-packages"))
    said = subprocess.run(
        [
            *(str(validator), "--data-file", str(file), "--validate-version", MODEL, "--block-download"),
            *("--applicability-criteria", ",".join(CRITERIA), "--show-violations"),
        ],
        cwd=packages,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    print(said.stdout[-6000:] if "-v" in sys.argv else "", end="")
    totals = _TOTALS.search(said.stdout)
    if totals is None:
        print(f"The validator printed no totals:\n{said.stdout[-3000:]}\n{said.stderr[-3000:]}")
        return 1
    checks, passed, failed = map(int, totals.groups())
    failures = _failures(said.stdout)
    print(f"focus-validator {MODEL} for FOCUS {DEFAULT_VERSION}: {checks} checks, {passed} passed, {failed} failed")
    for rule in sorted(failures):
        print(f"  {rule}: {'known, see ALLOWED' if rule in ALLOWED else 'NOT ALLOWED'}")
    return int(failed > len(ALLOWED) or not failures <= ALLOWED or failed > len(failures))


def _failures(text: str) -> set[str]:
    return {rule for line in text.splitlines() if "FAIL" in line.upper() for rule in _RULE.findall(line)}


def _validator() -> Path | None:
    """The validator's command, installed where it was not; None without a Python that it runs on."""
    command = VENV / "bin" / "focus-validator"
    if command.exists():
        return command
    python = _python()
    if python is None:
        return None
    print(f"Installing {' '.join(REQUIREMENTS)} into {VENV.relative_to(ROOT)} (once, about 650 MB)")
    subprocess.run([str(UV), "venv", "--quiet", "--clear", "--python", python, str(VENV)], check=True)
    subprocess.run(
        [str(UV), "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python"), *REQUIREMENTS], check=True
    )
    return command


def _python() -> str | None:
    named = [shutil.which(f"python3.{minor}") for minor in (12, 13)]
    installed = sorted(Path.home().glob(".pyenv/versions/3.1[23].*/bin/python"))
    for candidate in (*filter(None, named), *map(str, installed)):
        # A shim of pyenv is there for versions that are not chosen, and fails.
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    found = subprocess.run(
        [str(UV), "python", "find", "--no-python-downloads", ">=3.12,<3.14"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def _utc():
    from zoneinfo import ZoneInfo

    return ZoneInfo("UTC")


if __name__ == "__main__":
    sys.exit(main())
