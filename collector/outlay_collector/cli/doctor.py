"""``outlay doctor``: asks the database and the collector, and prints what ``doctor.checks`` makes of the answers."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer

from outlay_collector.cli.arguments import settings
from outlay_collector.cli.output import AsJson, show_json
from outlay_collector.doctor.checks import CollectorFacts, DatabaseFacts, Finding, diagnose
from outlay_collector.doctor.store import look_at, look_at_embedded
from outlay_collector.up.home import OWNER_KEY, read_secret

app = typer.Typer()
_SIGNS = {"well": ("✓", typer.colors.GREEN), "wrong": ("✗", typer.colors.RED), "not checked": ("–", None)}


@app.command()
def doctor(
    endpoint: Annotated[
        str | None, typer.Option(envvar="OUTLAY_ENDPOINT", help="The collector; else this machine's own.")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar="OUTLAY_API_KEY", help="The key to try; else the owner's.")] = None,
    home: Annotated[Path | None, typer.Option(help="The home `outlay up` was given [OUTLAY_HOME].")] = None,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with an installation, and say how to mend it. Exit code 1 if something is.

    It looks at the database, the schema, the collector, the key, the worker, the partitions and the clocks, and changes nothing.
    """
    chosen = settings(home=home)
    database = look_at(chosen.database_url) if chosen.database_url else look_at_embedded(chosen.home)
    if database is None and endpoint is None:  # not a machine that only sends: something should be here
        database = DatabaseFacts(problem=f"OUTLAY_DATABASE_URL is not set, and {chosen.home} holds no database yet.")
    with contextlib.suppress(OSError):  # the owner's key is the owner's; others give theirs
        key = key or read_secret(chosen.home / OWNER_KEY)
    findings = diagnose(database, _ask(endpoint or f"http://127.0.0.1:{chosen.port}", key))
    if as_json:
        show_json([{"name": f.name, "verdict": f.verdict, "says": f.says, "mend": f.mend} for f in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


def _ask(endpoint: str, key: str | None) -> CollectorFacts:
    endpoint = endpoint.rstrip("/")
    try:
        with httpx.Client(base_url=endpoint, timeout=5) as client:
            begun = datetime.now(UTC)
            health = client.get("/healthz").raise_for_status()
            halfway = begun + (datetime.now(UTC) - begun) / 2
            ready = client.get("/readyz")
            headers = {"Authorization": f"Bearer {key}"}
            refused = key is not None and client.get("/api/v1/projects", headers=headers).status_code == 401
            return CollectorFacts(
                endpoint=endpoint,
                ready=ready.is_success,
                why_not_ready=_reason(ready),
                clock_ahead=_offset(health, halfway),
                key_given=key is not None,
                key_refused=refused,
            )
    except httpx.HTTPStatusError as error:
        return CollectorFacts(
            endpoint=endpoint, problem=f"what answers there is no collector ({error.response.status_code})"
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return CollectorFacts(endpoint=endpoint, problem=str(error) or type(error).__name__)


def _offset(health: httpx.Response, asked: datetime) -> timedelta | None:
    """How far the collector's clock is ahead of ours; None when it does not say."""
    try:
        return datetime.fromisoformat(health.json()["time"]) - asked
    except (KeyError, TypeError, ValueError):
        return None


def _reason(ready: httpx.Response) -> str:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return ready.json()["status"]
    return f"it answers {ready.status_code}"


def _print(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.verdict]
    typer.secho(f"{sign} {finding.name:11} {finding.says}", fg=colour)
    if finding.mend:
        typer.echo(f"{'':14}{finding.mend}")
