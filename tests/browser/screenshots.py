"""Pictures of every page into ``docs/img``: ``make screenshots [ONLY="--only NAME"]``.

Starts a whole Outlay with demo data in a temporary folder, unless ``OUTLAY_ENDPOINT`` and ``OUTLAY_API_KEY`` name one that
runs. States that a running one cannot be put into (first run, no permission) come from the made-up company of
``fake_api``. Needs a Chromium, like the browser tests.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from tests.browser.conftest import FLAGS, running_dashboard  # noqa: E402
from tests.browser.fake_api import KEY, FakeApi, serving  # noqa: E402
from tests.servers import environment, free_port, wait_until  # noqa: E402

OUT = ROOT / "docs" / "img"
MOST_BYTES = 300_000

DESK, PHONE = (1360, 850), (390, 844)
CHART = ".js-plotly-plot .main-svg"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """``of`` is which dashboard: ``demo``, ``first_run``, ``refused``, ``away`` or ``made_up`` (the company of ``fake_api``)."""

    name: str
    path: str = "/"
    of: str = "demo"
    size: tuple[int, int] = DESK
    scheme: str = "light"
    wait_for: str = CHART
    whole: bool = True  # the page's full height, not only the first screen


SHOTS = [
    Shot(name="overview"),
    Shot(name="overview-dark", scheme="dark"),
    Shot(name="overview-korean", path="/?lang=ko"),
    Shot(name="overview-phone", size=PHONE),
    Shot(name="overview-changed", path="/?window=7d&by=feature"),
    Shot(name="overview-one-day", path="/?window=24h&by=model"),
    Shot(name="overview-not-priced", path="/?filter=provider:fireworks_ai&by=model"),
    Shot(name="first-run", of="first_run", wait_for=".o-waiting"),
    Shot(name="first-run-korean-dark", path="/?lang=ko", of="first_run", scheme="dark", wait_for=".o-waiting"),
    Shot(name="unreachable", of="away", wait_for=".o-empty", whole=False),
    Shot(name="no-permission", of="refused", wait_for=".o-empty", whole=False),
    Shot(name="traces-agents", path="/traces?view=agents", wait_for=".o-ledger"),
    Shot(name="traces-sessions", path="/traces?view=sessions", wait_for=".o-ledger"),
    Shot(name="traces", path="/traces", wait_for="[data-testid=stDataFrame] canvas", whole=False),
    Shot(name="trace", path="/traces?trace={trace}"),
    Shot(name="trace-dark", path="/traces?trace={trace}", scheme="dark"),
    Shot(name="trace-phone", path="/traces?trace={trace}", size=PHONE),
    Shot(name="explore", path="/explore?by=feature"),
    Shot(name="explore-pivot", path="/explore?shape=pivot&by=feature&across=model"),
    Shot(name="explore-ranking-dark", path="/explore?shape=ranking&by=customer", scheme="dark"),
    Shot(name="models", path="/models"),
    Shot(name="models-korean-dark", path="/models?lang=ko", scheme="dark"),
    Shot(name="units", path="/units"),
    Shot(name="units-korean-dark", path="/units?lang=ko&who=user", scheme="dark"),
    Shot(name="budgets", path="/budgets"),
    Shot(name="budgets-korean-dark", path="/budgets?lang=ko", scheme="dark"),
    Shot(name="bills", path="/bills"),
    Shot(name="bills-korean-dark", path="/bills?lang=ko", scheme="dark"),
    Shot(name="bills-none", path="/bills", of="first_run", wait_for=".o-empty"),
    Shot(name="service", path="/service"),
    Shot(name="service-dark", path="/service", scheme="dark"),
    Shot(name="latency", path="/latency?by=model"),
    Shot(name="latency-phone-dark", path="/latency?by=model", size=PHONE, scheme="dark"),
    Shot(name="alerts", path="/alerts", of="made_up", wait_for=".o-calendar"),
    Shot(name="alerts-korean-dark", path="/alerts?lang=ko", of="made_up", scheme="dark", wait_for=".o-calendar"),
    Shot(name="alerts-unusual", path="/alerts?show=unusual", of="made_up", wait_for=".o-facts"),
    Shot(name="alerts-deliveries", path="/alerts?show=deliveries", of="made_up", wait_for=".o-ledger"),
    Shot(name="gpus", path="/gpus?window=7d", of="made_up"),
    Shot(name="gpus-korean-dark", path="/gpus?window=7d&lang=ko&pool=research", of="made_up", scheme="dark"),
    Shot(name="health", path="/health"),
    Shot(name="quality", path="/quality", wait_for=".o-ledger"),
    Shot(name="settings", path="/settings", wait_for=".o-ledger"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Take pictures of the dashboard.")
    parser.add_argument("--only", action="append", help="Name of a picture; repeatable. Without: all.")
    parser.add_argument("--out", type=Path, default=OUT, help="Folder for the pictures.")
    arguments = parser.parse_args()
    chosen, out = arguments.only, arguments.out
    shots = [shot for shot in SHOTS if not chosen or shot.name in chosen]
    chromium = os.environ.get("OUTLAY_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No Chromium on this machine: install one, or name it in OUTLAY_TEST_CHROMIUM.")
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        stack.callback(browser.close)
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls: dict[str, str] = {}
        for kind in {shot.of for shot in shots}:
            endpoint, key = stack.enter_context(_collector(kind, logs))
            urls[kind] = stack.enter_context(running_dashboard(endpoint, key, logs / f"{kind}.log"))
            if kind == "demo":
                urls["trace"] = _a_trace(endpoint, key)
        for shot in shots:
            size = _take(browser, urls[shot.of], shot, urls.get("trace", ""), out)
            print(f"{shot.name}.png  {size / 1000:.0f} kB", flush=True)


def _take(browser: Browser, url: str, shot: Shot, trace: str, out: Path) -> int:
    """The picture's size in bytes."""
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=shot.scheme,  # type: ignore[arg-type]
        locale="en-US",
        device_scale_factor=1.5,
    )
    try:
        page = context.new_page()
        page.goto(url + shot.path.format(trace=trace))
        page.wait_for_selector(shot.wait_for, timeout=60_000)
        _settle(page)
        if shot.whole:
            tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            page.set_viewport_size({"width": width, "height": max(height, min(tall, 2600))})
            _settle(page)
        return _save(page.screenshot(), out / f"{shot.name}.png")
    finally:
        context.close()


def _settle(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_timeout(1500)  # figures draw themselves after the script has ended


def _save(png: bytes, path: Path) -> int:
    """With as many colours as fit into ``MOST_BYTES``; flat pages look the same with few."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64):
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            break
    return path.stat().st_size


@contextmanager
def _collector(kind: str, logs: Path) -> Iterator[tuple[str, str]]:
    """Endpoint and key of a collector in the state asked for."""
    if kind == "away":
        yield f"http://127.0.0.1:{free_port()}", KEY
    elif kind == "demo":
        given = os.environ.get("OUTLAY_ENDPOINT"), os.environ.get("OUTLAY_API_KEY")
        if given[0] and given[1]:
            yield given[0], given[1]
        else:
            with _demo(logs) as found:
                yield found
    else:
        api = FakeApi(datetime.now(UTC), mode={"first_run": "empty", "refused": "refuse", "made_up": "ok"}[kind])
        with serving(api) as url:
            yield url, KEY


@contextmanager
def _demo(logs: Path) -> Iterator[tuple[str, str]]:
    """``outlay up --demo`` in a folder of its own, ended as by Ctrl-C."""
    home = Path(tempfile.mkdtemp(prefix="outlay-shots-"))
    home.chmod(0o755)  # a Postgres started by root runs as another user
    ports = [str(free_port()) for _ in range(3)]
    command = [sys.executable, "-m", "outlay_collector", "up", "--demo", "--home", str(home)]
    command += ["--port", ports[0], "--grpc-port", ports[1], "--dashboard-port", ports[2]]
    with (logs / "up.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: b"Outlay is ready" in (logs / "up.log").read_bytes(), seconds=300, every=1)
        endpoint, key = f"http://127.0.0.1:{ports[0]}", (home / "owner.key").read_text().strip()
        _send_a_bill(endpoint, key)
        yield endpoint, key
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def _send_a_bill(endpoint: str, key: str) -> None:
    """A bill of the demo's calls, as providers might have seen them: some more calls, prices that Outlay lacks, a tier."""
    headers = {"Authorization": f"Bearer {key}"}
    now = datetime.now(UTC)
    lines: list[dict[str, str]] = []
    for month in sorted({f"{now:%Y-%m}", f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"}):
        file = httpx.get(f"{endpoint}/api/v1/export/focus", params={"month": month}, headers=headers, timeout=120)
        lines += [row for row in csv.DictReader(io.StringIO(file.text)) if row["x_Provider"] in ("openai", "anthropic")]
    spent: dict[str, Decimal] = {}
    for row in lines:
        spent[row["x_Model"]] = spent.get(row["x_Model"], Decimal(0)) + Decimal(row["BilledCost"])
    first, second, third, *_ = sorted(spent, key=lambda model: -spent[model])
    lines = [row for row in lines if row["x_Meter"] != "request"]
    for row in lines:
        cost, quantity = Decimal(row["BilledCost"]), Decimal(row["ConsumedQuantity"])
        if row["x_Unpriced"] == "true":
            cost = quantity / 1_000_000
        elif row["x_Model"] == first:
            cost, quantity = cost * Decimal("1.08"), quantity * Decimal("1.08")
        elif row["x_Model"] == third:
            cost, row["x_ServiceTier"] = cost * Decimal("1.75"), "priority"
        elif row["x_Model"] == second:
            cost *= Decimal("0.93")  # a discount that nobody entered
        row |= {"BilledCost": f"{cost:f}", "ConsumedQuantity": f"{quantity:f}", "x_Unpriced": "false"}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    url = f"{endpoint}/api/v1/bills?name=providers.csv"
    httpx.post(url, content=text.getvalue().encode(), headers=headers, timeout=120).raise_for_status()


def _a_trace(endpoint: str, key: str) -> str:
    """The id of a trace worth a picture: of the newest calls, the one whose trace has most counted steps."""
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(
        f"{endpoint}/api/v1/calls", params={"counted": "true", "limit": 500}, headers=headers, timeout=60
    )
    counts: dict[str, int] = {}
    for row in answer.json()["rows"]:
        counts[row["trace_id"]] = counts.get(row["trace_id"], 0) + 1
    fitting = {trace: number for trace, number in counts.items() if number <= 12}
    return max(fitting or counts, key=lambda trace: counts[trace])


if __name__ == "__main__":
    main()
