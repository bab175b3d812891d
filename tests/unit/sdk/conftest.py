"""Mistakes of the SDK are raised in its own tests, not noted; nothing configured leaks from one test into the next."""

from __future__ import annotations

from collections.abc import Iterator

import outlay
import pytest
from outlay import safety
from outlay.testing import Calls, capture


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(safety, "raise_internal_errors", True)
    for name in ("OUTLAY_DISABLED", "OTEL_SDK_DISABLED", "OUTLAY_ENDPOINT", "OUTLAY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    safety.forget_notices()
    yield
    outlay.shutdown(0.1)
    safety.forget_notices()


@pytest.fixture
def calls() -> Iterator[Calls]:
    """What is recorded during the test."""
    with capture() as calls:
        yield calls
