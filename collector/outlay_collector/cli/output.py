"""Lists for people (a table) or for programs (``--json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def show(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Print ``rows``: as a JSON list of whole rows, or as a table of ``columns`` (key of the row to heading).

    ``empty`` is the sentence that stands for an empty table.
    """
    if as_json:
        show_json(rows)
    elif not rows:
        typer.echo(empty)
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns.values(), box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(_cell(row[key]) for key in columns))
        # Piped into a file or another program, a line is never cut to some terminal's width.
        Console(width=None if _is_terminal() else 1000, highlight=False, markup=False).print(table)


def show_json(value: object) -> None:
    """Print ``value`` as JSON; times as ISO 8601, everything else that JSON does not know as text."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _cell(value: object) -> str:
    match value:
        case None:
            return "–"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()
