"""A dashboard in its own process and a real browser that looks at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from outlay_dashboard.run import HEALTH_PATH, command_line
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.browser.fake_api import KEY, FakeApi, serving
from tests.servers import environment, free_port, wait_until

# No sandbox: continuous integration runs as root. The rest keeps Chromium from talking to anybody else.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Opened at a path below the root, Streamlit's page first looks for its server there; the two probes are answered 404
# and Chromium writes that into the console. They say nothing about our pages.
_PROBES = ("/_stcore/health", "/_stcore/host-config")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A browser for one module's tests: while Playwright runs, no other test of the process can use asyncio."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Look:
    """An open page, and everything that went wrong on it."""

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, wait_for: str = "[data-testid=stMain] .o") -> Page:
        self.page.goto(self.base + path)
        self.page.wait_for_selector(wait_for, timeout=30_000)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Until Streamlit has nothing left to run."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=30_000)

    def total(self) -> str:
        return self.page.locator("[data-testid=total]").get_attribute("data-exact") or ""

    def text(self) -> str:
        """What the page says once it has said everything."""
        self.settle()
        return self.page.locator("[data-testid=stMain]").inner_text()


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """One browser profile per kind of reader. Streamlit's scripts weigh megabytes: they are loaded once for a module's tests."""
    made: dict[tuple[object, ...], BrowserContext] = {}

    def window(width: int, height: int, scheme: str, locale: str) -> BrowserContext:
        kind = (width, height, scheme, locale)
        if kind not in made:
            made[kind] = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
                locale=locale,
                timezone_id="Europe/Berlin",
            )
        return made[kind]

    yield window
    for context in made.values():
        context.close()


@pytest.fixture
def look(windows: Callable[..., BrowserContext]) -> Iterator[Callable[..., Look]]:
    """``look(url, width=390, scheme="dark")``: a fresh browser tab. The test fails if the page logged an error."""
    with ExitStack() as stack:
        opened: list[Look] = []

        def open_window(
            base: str, *, width: int = 1360, height: int = 900, scheme: str = "light", locale: str = "en-US"
        ) -> Look:
            page = windows(width, height, scheme, locale).new_page()
            stack.callback(page.close)
            seen = Look(page, base)
            seen.page.on("console", lambda message: _note(seen, message))
            seen.page.on("pageerror", lambda error: seen.wrong.append(str(error)))
            seen.page.on("requestfailed", lambda request: _note_failed(seen, request.url))
            opened.append(seen)
            return seen

        yield open_window
        wrong = [text for seen in opened for text in seen.wrong]
    assert not wrong, wrong


@pytest.fixture(scope="module")
def start_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """``start_dashboard(endpoint, key)``: the dashboard's URL, once it answers."""
    with ExitStack() as stack:

        def start(endpoint: str, key: str = KEY, **env: str) -> str:
            log = tmp_path_factory.mktemp("dashboard") / "log"
            return stack.enter_context(running_dashboard(endpoint, key, log, **env))

        yield start


@contextmanager
def running_dashboard(endpoint: str, key: str, log: Path, **env: str) -> Iterator[str]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command_line(port=port, python=sys.executable),
            env=environment(OUTLAY_ENDPOINT=endpoint, OUTLAY_API_KEY=key, **env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: httpx.get(url + HEALTH_PATH).status_code == 200, seconds=60)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)
        said = log.read_text(errors="replace")
    # What a page cannot show it logs; a traceback there is an error even when the browser saw nothing.
    assert "Traceback" not in said, said[-4000:]


@pytest.fixture(scope="module")
def fake() -> Iterator[tuple[FakeApi, str]]:
    """The made-up company, and where it is served."""
    api = FakeApi(datetime.now(UTC))
    with serving(api) as url:
        yield api, url


@pytest.fixture(scope="module")
def shown(fake: tuple[FakeApi, str], start_dashboard: Callable[..., str]) -> str:
    """A dashboard of the made-up company."""
    return start_dashboard(fake[1])


def _note(seen: Look, message: ConsoleMessage) -> None:
    url = message.location.get("url", "") if message.location else ""
    if message.type == "error" and not url.endswith(_PROBES):
        seen.wrong.append(f"{message.text} ({url})")


def _note_failed(seen: Look, url: str) -> None:
    # A request cut off by leaving the page is none; one that goes elsewhere is ours to know about.
    if not url.startswith((seen.base, "ws://127.0.0.1", "data:", "blob:")):
        seen.wrong.append(f"asked {url}")
