"""How long pages take to be read in a browser, over the calls that ``make bench-query BENCH="--keep DIR"`` made.

    python -m benchmarks.pages --keep DIR [--rounds 3] [--out FILE]                               (make bench-pages)

A real Chromium opens every page as a reader would who comes back: scripts are in its cache, answers are not (a dashboard
keeps them for ten seconds, and a page is opened again only after that). *First* is when a figure, a title or a table is
there, *all* when Streamlit has nothing left to run and every figure is drawn. Targets: 1.5 s and 3 s.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from outlay_collector.access import store as access
from outlay_collector.db.engine import connect
from outlay_dashboard.run import HEALTH_PATH, command_line
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks._ingest.installation import free_port, installation

FIRST_SECONDS, ALL_SECONDS = 1.5, 3.0
FRESH_SECONDS = 10.5
"""A little longer than a dashboard keeps an answer."""

PAGES = {
    "overview": "/",
    "overview, 90 days": "/?window=90d",
    "explore": "/explore",
    "models": "/models",
    "service": "/service",
    "latency": "/latency",
    "traces": "/traces",
    "customers and units": "/units",
    "health": "/health",
    "data quality": "/quality",
    "settings": "/settings",
}

_CONTENT = ".o-headline, .o-title, .o-page-title, .o-ledger, [data-testid=stDataFrame], .js-plotly-plot"
_DONE = "[data-testid=stApp][data-test-script-state=notRunning]"
_DRAWN = "() => [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.querySelector('.main-svg'))"


def main() -> int:
    """0 when every page reaches both targets in its median, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--keep", type=Path, required=True, help="the folder that bench-query kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="file for all figures as JSON")
    arguments = parser.parse_args()
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        print("A page needs a browser: install Chromium or Chrome.", file=sys.stderr)
        return 1
    with installation(keep=arguments.keep) as ours:
        with connect(ours.database_url, autocommit=True) as connection:
            key = access.create_key(connection, project=None, scopes=["read"])
        with dashboard(ours.url, key, ours.home / "dashboard.log") as url, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
            taken = measured(chromium, url, arguments.rounds)
            chromium.close()
    rows = [
        {"page": name, "first_s": statistics.median(first), "all_s": statistics.median(whole), "slowest_s": max(whole)}
        for name, (first, whole) in taken.items()
    ]
    print(f"{'page':24} {'first s':>8} {'all s':>8} {'slowest':>8}   targets {FIRST_SECONDS} and {ALL_SECONDS} s")
    missed = False
    for row in rows:
        late = float(row["first_s"]) > FIRST_SECONDS or float(row["all_s"]) > ALL_SECONDS
        missed |= late
        print(
            f"{row['page']:24} {row['first_s']:8.2f} {row['all_s']:8.2f} {row['slowest_s']:8.2f}"
            f"{'   MISSED' if late else ''}"
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n")
    return int(missed)


def measured(browser: Browser, url: str, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds to the first content and to all of it, by page; the first round only fills the browser's cache."""
    context = browser.new_context(viewport={"width": 1360, "height": 850})
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in PAGES}
    last: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, path in PAGES.items():
            time.sleep(max(0.0, last.get(name, 0.0) + FRESH_SECONDS - time.monotonic()))
            first, whole = opened(context, url + path)
            last[name] = time.monotonic()
            if number:
                taken[name][0].append(first)
                taken[name][1].append(whole)
    return taken


def opened(context: BrowserContext, url: str) -> tuple[float, float]:
    page = context.new_page()
    began = time.monotonic()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(_CONTENT, timeout=60_000)
    first = time.monotonic() - began
    page.wait_for_selector(_DONE, timeout=60_000)
    page.wait_for_function(_DRAWN, timeout=60_000)
    whole = time.monotonic() - began
    page.close()
    return first, whole


@contextmanager
def dashboard(endpoint: str, key: str, log: Path) -> Iterator[str]:
    """Its address, for as long as it runs."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command_line(port=port),
            env=os.environ | {"OUTLAY_ENDPOINT": endpoint, "OUTLAY_API_KEY": key},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 60
        while True:
            try:
                if httpx.get(url + HEALTH_PATH).status_code == httpx.codes.OK:
                    break
            except httpx.TransportError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


if __name__ == "__main__":
    sys.exit(main())
