"""``outlay deadletter``: what was refused, why, and sending it again; straight on the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import psycopg
import typer

from outlay_collector.cli.database import database, transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Read what was refused, and send it again.")

ACTOR = "operator"

Project = Annotated[str | None, typer.Option("--project", help="Only this project; default all.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only what was refused for this reason.")]
Days = Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back.")]
EMPTY = "Nothing was refused."


@app.command("list")
def list_(
    project: Project = None,
    reason: Reason = None,
    days: Days = 30,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was refused and why, newest first."""
    from outlay_collector.ledger.buckets import Window
    from outlay_collector.receive.deadletters import store
    from outlay_collector.receive.deadletters.shape import shown

    now = datetime.now(UTC)
    window = Window(now - timedelta(days=days), now + timedelta(days=1))
    with transaction() as connection:
        ids = _project_ids(connection, project)
        rows = store.letters(connection, ids, window=window, reason=reason, limit=limit)
        reasons = store.by_reason(connection, ids, window=window, reason=reason)
    if as_json:
        show_json({"reasons": reasons, "rows": [shown(row) for row in rows]})
        return
    show(
        [shown(row) for row in rows],
        {
            "id": "id",
            "received_at": "received",
            "project": "project",
            "reason": "reason",
            "status": "status",
            "detail": "what was wrong",
        },
        as_json=False,
        empty=EMPTY,
    )
    if reasons:
        counts = ", ".join(f"{row['letters']} {row['reason']} ({row['retried']} accepted since)" for row in reasons)
        typer.echo(
            f"\nOf the last {days} days: {counts}.\nOne of them: outlay deadletter show ID. Again: outlay deadletter retry."
        )


@app.command("show")
def show_(
    letter_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="As the list shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show one: why it was refused, and what was sent, as OTLP/JSON where it could be read that far."""
    from outlay_collector.receive.deadletters import store
    from outlay_collector.receive.deadletters.shape import opened

    with transaction() as connection:
        row = store.letter(connection, _project_ids(connection, None), letter_id)
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id}; outlay deadletter list shows all.")
    found = opened(row)
    if as_json:
        show_json(found)
        return
    typer.echo(f"{found['reason']}: {found['detail']}")
    typer.echo(
        f"Received {found['received_at']:%Y-%m-%d %H:%M:%S} UTC for project {found['project']}; {found['status']}."
    )
    if found["attempt_detail"]:
        typer.echo(f"Refused again {found['attempted_at']:%Y-%m-%d %H:%M:%S} UTC: {found['attempt_detail']}")
    if found["request"] is None:
        typer.echo("It could not be read as a span; its bytes in base64:")
        typer.echo(found["raw"])
    else:
        show_json(found["request"])


@app.command()
def retry(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Only these.", min=1, max=2**63 - 1)
    ] = None,
    project: Project = None,
    reason: Reason = None,
    days: Days = 30,
    every: Annotated[bool, typer.Option("--all", help="All that were not accepted yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send refused spans through ingest again; those that are refused again say why."""
    if not ids and not (every or project or reason):
        raise BadRequest("Which ones? Give their ids, --reason, --project, or --all.")
    settings = Settings()
    with database(settings) as url:
        outcomes = _retried(settings, url, ids, project, reason, days)
    rows = [{"id": one.id, "accepted": one.accepted, "detail": one.detail or None} for one in outcomes]
    if as_json:
        show_json(rows)
        return
    accepted = sum(one.accepted for one in outcomes)
    show(
        [row for row in rows if not row["accepted"]],
        {"id": "id", "detail": "why it is refused again"},
        as_json=False,
        empty="" if rows else "Nothing waits for a retry.",
    )
    if rows:
        typer.echo(f"{accepted} accepted, {len(rows) - accepted} refused again.")


def _retried(
    settings: Settings, url: str, ids: Sequence[int] | None, project: str | None, reason: str | None, days: int
) -> list[Any]:
    from outlay_collector.access.store import content_modes, note, project_ids
    from outlay_collector.db.engine import connect
    from outlay_collector.ledger.buckets import Window
    from outlay_collector.pricing.store import load_book
    from outlay_collector.receive.committer import Committer
    from outlay_collector.receive.deadletters import store
    from outlay_collector.receive.deadletters.retry import TOGETHER, Journey
    from outlay_collector.receive.deadletters.retry import retry as retry_letters
    from outlay_collector.receive.ingest import Limits

    now = datetime.now(UTC)
    outcomes: list[Any] = []
    committer = Committer(lambda: connect(url, application="outlay-cli"), writers=1)
    try:
        with connect(url, application="outlay-cli") as connection:
            allowed = _project_ids(connection, project)
            wanted = list(ids or ())
            if not wanted:
                window = Window(now - timedelta(days=days), now + timedelta(days=1))
                wanted = store.open_ids(connection, allowed, window=window, reason=reason)
            journey = Journey(
                book=load_book(connection),
                limits=Limits(retention=settings.retention, future_tolerance=settings.future_tolerance),
                now=now,
                projects=project_ids(connection),
                content_modes=content_modes(connection),
            )
            for start in range(0, len(wanted), TOGETHER):
                found = store.to_retry(connection, allowed, wanted[start : start + TOGETHER])
                done = retry_letters(found, journey, committer.submit, settings.ingest_timeout)
                store.mark(connection, done)
                connection.commit()
                outcomes += done
            note(connection, ACTOR, "deadletter.retry", reason or "", {"retried": len(outcomes)})
    finally:
        committer.close()
    return outcomes


def _project_ids(connection: psycopg.Connection[Any], name: str | None) -> list[int]:
    from outlay_collector.access.store import project_id, project_ids

    return list(project_ids(connection).values()) if name is None else [project_id(connection, name)]
