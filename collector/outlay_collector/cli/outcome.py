"""``outlay outcome``: how work ended, from files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Import how work ended, so that a success has a cost.")

ACTOR = "outlay outcome"


@app.callback()
def outcome() -> None:
    """Import how work ended, so that a success has a cost."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV; docs/units.md names its columns.")],
    project: Annotated[str, typer.Option("--project", help="Whose calls they judge.")],
    as_json: AsJson = False,
) -> None:
    """Import outcomes: of a trace, a session or a customer. The same file again changes nothing."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.units import store
    from outlay_collector.units.outcomes import read_csv

    settings = Settings()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8 text; save it as that.") from error
    outcomes = read_csv(text, settings.zone, str(file))
    with transaction(settings) as connection:
        ids = project_ids(connection)
        if project not in ids:
            raise NotFound(f"There is no project {project!r}; outlay project list names them.")
        done = store.add_outcomes(connection, ids[project], outcomes, source=str(file))
        note(connection, ACTOR, "outcomes.imported", str(file), asdict(done))
    if as_json:
        show_json(asdict(done))
    else:
        typer.echo(f"{done.added:,} outcomes added, {done.corrected:,} corrected, {done.unchanged:,} as they were.")
