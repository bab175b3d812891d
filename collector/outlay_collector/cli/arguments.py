"""Settings as a command sees them: its arguments beat ``OUTLAY_*``."""

from __future__ import annotations

from typing import Any

from outlay_collector.settings import Settings


def settings(**arguments: Any) -> Settings:
    """All settings, with the arguments that were given; ``None`` means not given."""
    return Settings(**{name: value for name, value in arguments.items() if value is not None})
