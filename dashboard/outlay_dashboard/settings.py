"""What the dashboard is told by its environment; the only place that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Where the collector answers, and as whom the dashboard asks.

    With ``login`` it asks as whoever has logged in, and with no key of its own.
    ``api_key`` is None when none was given; the API then answers 401 and the pages say so.
    ``zone`` is the zone of the instance: days begin at its midnight on every page.
    """

    endpoint: str = DEFAULT_ENDPOINT
    login: bool = False
    api_key: str | None = None
    zone: ZoneInfo = _UTC


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from ``OUTLAY_ENDPOINT``, ``OUTLAY_API_KEY`` (or the file named by ``OUTLAY_API_KEY_FILE``) and
    ``OUTLAY_TIME_ZONE``. An unknown zone raises ``zoneinfo.ZoneInfoNotFoundError`` at start, not on a page."""
    login = asks_for_login(environment)
    return Settings(
        login=login,
        endpoint=environment.get("OUTLAY_ENDPOINT", DEFAULT_ENDPOINT).rstrip("/"),
        api_key=None
        if login
        else environment.get("OUTLAY_API_KEY") or _key_in_file(environment.get("OUTLAY_API_KEY_FILE")),
        zone=ZoneInfo(environment.get("OUTLAY_TIME_ZONE") or "UTC"),
    )


def asks_for_login(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("OUTLAY_OIDC_ISSUER"))


def _key_in_file(path: str | None) -> str | None:
    return Path(path).read_text().strip() if path else None
