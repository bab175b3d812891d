"""One month of the company, made once: most tests look at the same one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from outlay_collector.demo.day import traces, window
from outlay_collector.demo.shapes import Recording

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)

Month = dict[date, list[Recording]]


@pytest.fixture(scope="session")
def month() -> Month:
    """Every span of the thirty days before ``NOW`` and of its own first hours, by day."""
    return {day: [span for trace in traces(1, day, NOW) for span in trace] for day in window(NOW, 30)}


@pytest.fixture(scope="session")
def spans(month: Month) -> list[Recording]:
    return [span for day in month.values() for span in day]


@pytest.fixture(scope="session")
def calls(spans: list[Recording]) -> list[Recording]:
    return [span for span in spans if span.is_call]
