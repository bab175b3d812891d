"""The stand of the fault tests, and the table of what every peer's calls came to."""

from __future__ import annotations

import pytest

from tests.faults.conftest import durable, durable_template, stand  # noqa: F401 (fixtures)
from tests.peers.outcome import Outcome

OUTCOMES = pytest.StashKey[list[Outcome]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = []


@pytest.fixture
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    """Where a test notes what it found."""
    return request.config.stash[OUTCOMES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.stash[OUTCOMES]:
        return
    terminalreporter.section("real peers")
    terminalreporter.write_line(
        "| peer | version | load | calls | requests refused | given up | stored | counted | cost |"
    )
    terminalreporter.write_line("|---|---|---|---|---|---|---|---|---|")
    for outcome in config.stash[OUTCOMES]:
        terminalreporter.write_line(outcome.row())
