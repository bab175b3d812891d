"""``outlay report``: what a period cost, in the terminal, as HTML or as a picture."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show_json
from outlay_collector.errors import BadRequest, NotFound, NotReady
from outlay_collector.settings import Settings

app = typer.Typer(help="What a period cost, and what changed.")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_TALLEST = 6000
_SHARPNESS = 2


@app.command()
def report(
    period: Annotated[
        str, typer.Option("--period", help="last-week, last-month, this-week, this-month, 2026-W46, 2026-10 or a day.")
    ] = "last-week",
    first: Annotated[str | None, typer.Option("--from", help="First day, instead of --period.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day after the last one; default tomorrow.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Only this project; default all.")] = None,
    filter_: Annotated[
        list[str] | None, typer.Option("--filter", help="dimension:value, dimension!:value or dimension:*; repeatable.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file ending in .html or .png.")] = None,
    language: Annotated[str, typer.Option("--language", help="en or ko.")] = "en",
    link: Annotated[
        str | None, typer.Option("--link", help="The dashboard's address, to link to from the file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what was spent in a period, how surely, what changed since the one before, and on what."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.ledger.reads.question import parse_filters
    from outlay_collector.reports import store
    from outlay_collector.reports.page import page
    from outlay_collector.reports.report import as_json as report_as_json
    from outlay_collector.reports.words import LANGUAGES, Words

    if output is not None and output.suffix.lower() not in (".html", ".png"):
        raise BadRequest(f"{output.name!r} says not what to write: end it in .html or .png.")
    if language not in LANGUAGES:
        raise BadRequest(f"There is no report in {language!r:.20}; there are {', '.join(LANGUAGES)}.")
    settings = Settings()
    asked = _asked(period, first, end, settings)
    with transaction(settings) as connection:
        known = project_ids(connection)
        if project is not None and project not in known:
            raise NotFound(f"There is no project {project!r}; outlay project list names them.")
        projects = known if project is None else {project: known[project]}
        found = store.made(connection, asked, projects, parse_filters(filter_ or ()), settings)
    words = Words(language)
    if as_json:
        show_json(report_as_json(found))
    elif output is None:
        from rich.console import Console

        from outlay_collector.reports.text import text

        Console(highlight=False).print(text(found, words))
    else:
        window = asked.window
        days = {"from": f"{asked.first}", "to": f"{asked.end}"} | ({"project": project} if project else {})
        document = page(found, words, link=f"{link.rstrip('/')}/?{urlencode(days)}" if link else None)
        if output.suffix.lower() == ".html":
            output.write_text(document, encoding="utf-8")
        else:
            _picture(document, output)
        typer.echo(f"{output}: {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}.")


def _asked(period: str, first: str | None, end: str | None, settings: Settings) -> Any:
    from outlay_collector.reports.period import between, parse_period

    now = datetime.now(UTC)
    if first is None and end is None:
        return parse_period(period, settings.zone, now)
    if first is None:
        raise BadRequest("--to needs --from.")
    try:
        since = date.fromisoformat(first)
        until = date.fromisoformat(end) if end else now.astimezone(settings.zone).date() + timedelta(days=1)
    except ValueError as error:
        raise BadRequest(f"That is no day: {error}. Write it as 2026-11-21.") from error
    return between(since, until, settings.zone, now)


def _picture(document: str, output: Path) -> None:
    """The page as a browser shows it, cut below its last line."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise NotReady(
            f"A picture needs Chromium or Chrome, and there is none: install it, or write {output.stem}.html."
        )
    from PIL import Image, ImageChops

    from outlay_collector.reports.page import WIDTH

    with tempfile.TemporaryDirectory(prefix="outlay-report-") as folder:
        source, drawn = Path(folder, "report.html"), Path(folder, "report.png")
        source.write_text(document, encoding="utf-8")
        unsafe = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
        done = subprocess.run(  # noqa: S603 - found by its full path, on a page of ours
            [browser, "--headless", *unsafe, "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
             f"--force-device-scale-factor={_SHARPNESS}", f"--window-size={WIDTH},{_TALLEST}", f"--screenshot={drawn}",
             source.as_uri()],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if not drawn.exists():
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            raise NotReady(f"{Path(browser).name} made no picture: {said[-1]:.200}")
        with Image.open(drawn) as whole:
            flat = whole.convert("RGB")
        ground = Image.new("RGB", flat.size, flat.getpixel((0, 0)))
        box = ImageChops.difference(flat, ground).getbbox()
        bottom = min(flat.height, (box[3] if box else 0) + 24 * _SHARPNESS)
        flat.crop((0, 0, flat.width, bottom)).save(output, optimize=True)
