"""The ``outlay`` command. A command's module is imported only when that command runs, so that help is there at once."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# Name, module below this package (its ``app`` is a Typer of one command or of a group), and what it is for.
COMMANDS = (
    ("up", "up", "Run everything on this machine: database, collector, worker and dashboard."),
    ("migrate", "migrate", "Bring the database to this version's schema; safe to repeat."),
    ("collector", "collector", "Run the collector: receives telemetry and answers the API."),
    ("worker", "worker", "Run the worker: settlement, rollups and everything periodic."),
    ("dashboard", "dashboard", "Run the dashboard."),
    ("demo", "demo", "Send a believable company's telemetry to project demo."),
    ("project", "project", "Create and list projects."),
    ("key", "key", "Create, list, rotate and revoke API keys."),
    ("tag", "tag", "Declare cost allocation tags: sums of their own for what is often asked."),
    ("price", "price", "Show, quote, import and override prices."),
    ("reprice", "reprice", "Give calls of the past the prices of today: look first, apply, undo."),
    ("cost", "cost", "Enter seats, reserved throughput, training and other costs that are no call's."),
    ("month", "month", "Close months, open them again, and list them."),
    ("report", "report", "Tell what a period cost, how surely, and what changed; as text, HTML or a picture."),
    ("bill", "bill", "Import, pull and reconcile what providers billed."),
    ("export", "export", "Write what was spent as files for other tools: FOCUS."),
    ("attribution", "attribution", "Say for whom calls were made, by dated rules: look first, apply, undo."),
    ("webhook", "webhook", "Tell people: add receivers of alerts, try them, read and repeat deliveries."),
    ("outcome", "outcome", "Import how work ended, so that a success has a cost."),
    ("budget", "budget", "Say what may be spent, in a file; and see how budgets stand."),
    ("explain", "explain", "Show how one call's charge came about, down to the source of each rate."),
    ("gpu", "gpu", "GPUs of your own: telemetry, rates, what tokens cost, sizing, break-even."),
    ("deadletter", "deadletter", "Read what was refused, and send it again."),
    ("db", "db", "Look after the database."),
    ("doctor", "doctor", "Find what is wrong with an installation, and say how to mend it."),
)


class _OnDemand(TyperGroup):
    """Lists every command by its line above, and imports the one that is called."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for name, _, help_line in COMMANDS:
            self.add_command(TyperCommand(name, help=help_line), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        for known, module, _ in COMMANDS:
            if name == known:
                command = typer.main.get_command(importlib.import_module(f"outlay_collector.cli.{module}").app)
        return name, command, rest


app = typer.Typer(
    cls=_OnDemand,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"outlay {version('outlay-server')}")
        raise typer.Exit


@app.callback()
def outlay(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """What LLM applications do and cost: an exact ledger on Postgres alone."""


def main() -> None:
    """Run the command line. What can be expected to go wrong is one sentence on stderr and exit code 1."""
    try:
        app(prog_name="outlay")
    except Exception as error:  # what has no sentence is raised again
        from outlay_collector.cli.sentences import sentence

        text = sentence(error)
        if text is None:
            raise
        typer.secho(f"outlay: {text}", err=True, fg=typer.colors.RED)
        sys.exit(1)
