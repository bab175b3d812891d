"""``outlay webhook``: receivers of alerts, straight on the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from outlay_collector.cli.database import database, transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Add receivers of alerts, try them, read and repeat deliveries.")

ACTOR = "outlay webhook"

Project = Annotated[
    str | None, typer.Option(help="Its events only; without, those of all projects and the installation.")
]
WebhookId = Annotated[UUID, typer.Argument(metavar="ID", help="As `outlay webhook list` shows it.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="https://…, or mailto:name@example.com for e-mail.")],
    kind: Annotated[
        str, typer.Option(help="generic, slack, teams, discord, pagerduty, alertmanager or email.")
    ] = "generic",
    project: Project = None,
    name: Annotated[str | None, typer.Option(help="A name to recognise it by.")] = None,
    routing_key: Annotated[str | None, typer.Option(help="Of PagerDuty's integration.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a receiver. The secret that signs its messages is shown this once."""
    from outlay_collector.access.store import project_id
    from outlay_collector.alerts.webhooks import store
    from outlay_collector.alerts.webhooks.jobs import sender_of
    from outlay_collector.alerts.webhooks.sender import warning

    settings = Settings()
    wanted = store.checked(store.NewWebhook(kind=kind, url=url, name=name, routing_key=routing_key))
    said = warning(sender_of(settings), wanted.url)
    with transaction(settings) as connection:
        owner = None if project is None else project_id(connection, project)
        webhook_id, secret = store.add(connection, wanted, project_id=owner, actor=ACTOR)
    if as_json:
        show_json({"id": str(webhook_id), "secret": secret} | ({"warning": said} if said else {}))
        return
    typer.echo(f"Webhook {webhook_id}\nSecret  {secret}")
    if said:
        typer.secho(said, err=True, fg=typer.colors.YELLOW)
    typer.echo(f"Try it: outlay webhook test {webhook_id}")


@app.command("list")
def list_(project: Project = None, as_json: AsJson = False) -> None:
    """List receivers, without their secrets."""
    from outlay_collector.access.store import project_id, project_ids
    from outlay_collector.alerts.webhooks import store

    with transaction() as connection:
        ids = list(project_ids(connection).values()) if project is None else [project_id(connection, project)]
        rows = store.listed(connection, ids, for_all=project is None)
    show(
        rows if as_json else [row | {"project": row["project"] or "(all)", "state": _state(row)} for row in rows],
        {
            "id": "id", "kind": "kind", "project": "project", "name": "name", "url": "url", "state": "state",
            "pending": "waiting",
        },
        as_json=as_json,
        empty="There is no webhook yet: outlay webhook add https://… --kind slack",
    )  # fmt: skip


def _state(row: dict[str, object]) -> str:
    if row["disabled_at"]:
        return f"disabled: {row['disabled_reason']}"
    return "failing" if row["failing_since"] else "fine"


@app.command("test")
def try_out(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send a test message now, and say what the receiver answers."""
    from outlay_collector.alerts.webhooks import store
    from outlay_collector.alerts.webhooks.jobs import deliver, ours_of, sender_of
    from outlay_collector.db.engine import connect

    settings = Settings()
    with database(settings) as url, connect(url, application="outlay-cli") as connection:
        delivery_id = store.try_out(connection, webhook_id, now=datetime.now(UTC), actor=ACTOR)
        # Before the commit, so that no worker takes it first.
        parcels = store.claim(
            connection, now=datetime.now(UTC), limit=1, ours=ours_of(settings), only=webhook_id, delivery=delivery_id
        )
        for parcel in parcels:
            deliver(connection, sender_of(settings), parcel, lambda: datetime.now(UTC))
        row = store.delivery(connection, delivery_id)
    if as_json:
        show_json(row)
    elif row["state"] == "delivered":
        typer.echo(f"Delivered: the receiver answered {row['last_status']}.")
    else:
        said = row["last_error"] or "The receiver is being told something else at the moment; a worker sends it next."
        typer.secho(f"Not delivered: {said}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1)


@app.command()
def deliveries(
    project: Project = None,
    webhook: Annotated[UUID | None, typer.Option(help="To this receiver only.")] = None,
    state: Annotated[str | None, typer.Option(help="pending, delivered, failed or muted.")] = None,
    show_id: Annotated[UUID | None, typer.Option("--show", help="One delivery, with its message and attempts.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """What was told to whom, newest first."""
    from outlay_collector.access.store import project_id, project_ids
    from outlay_collector.alerts.webhooks import store

    with transaction() as connection:
        if show_id is not None:
            show_json(store.delivery(connection, show_id))
            return
        ids = list(project_ids(connection).values()) if project is None else [project_id(connection, project)]
        rows = store.deliveries(connection, ids, for_all=project is None, webhook_id=webhook, state=state, limit=limit)
    show(
        rows,
        {
            "id": "id", "created_at": "created", "type": "event", "title": "title", "kind": "to", "state": "state",
            "attempts": "attempts", "last_status": "status", "last_error": "said", "next_at": "next",
        },
        as_json=as_json,
        empty="Nothing was delivered yet.",
    )  # fmt: skip


@app.command()
def replay(
    delivery_id: Annotated[UUID, typer.Argument(metavar="ID", help="As `outlay webhook deliveries` shows it.")],
) -> None:
    """Deliver once more: the same id and the same bytes, with ten attempts."""
    from outlay_collector.alerts.webhooks import store

    with transaction() as connection:
        store.replay(connection, delivery_id, actor=ACTOR)
    typer.echo(f"Delivery {delivery_id} is due again; a worker sends it.")


@app.command()
def rotate(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Make a new secret, shown this once. For 24 hours messages are signed with the old one too."""
    from outlay_collector.alerts.webhooks import store

    with transaction() as connection:
        secret = store.rotate(connection, webhook_id, now=datetime.now(UTC), actor=ACTOR)
    if as_json:
        show_json({"id": str(webhook_id), "secret": secret})
    else:
        typer.echo(secret)


@app.command()
def enable(webhook_id: WebhookId) -> None:
    """Deliver again to a receiver that was given up."""
    from outlay_collector.alerts.webhooks import store

    with transaction() as connection:
        store.enable(connection, webhook_id, actor=ACTOR)
    typer.echo(f"Webhook {webhook_id} is enabled.")


@app.command()
def remove(webhook_id: WebhookId) -> None:
    """Remove a receiver; the log of what it was told stays."""
    from outlay_collector.alerts.webhooks import store

    with transaction() as connection:
        store.remove(connection, webhook_id, actor=ACTOR)
    typer.echo(f"Webhook {webhook_id} is removed.")
