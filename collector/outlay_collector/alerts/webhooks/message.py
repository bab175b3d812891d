"""What an adapter is given: an event as people and machines are told of it, and how to keep it short."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

WORDS = {"info": "Info", "warning": "Warning", "critical": "Critical"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """An event with its project's name and the whole URL of the page that explains it. ``since``: its alert opened then."""

    id: UUID
    type: str
    occurred_at: datetime
    since: datetime
    project: str | None
    severity: str
    title: str
    summary: str
    url: str
    key: str
    resolves: bool
    data: Mapping[str, Any]

    @property
    def headline(self) -> str:
        return f"Resolved: {self.title}" if self.resolves else self.title

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What stands beside the text wherever there is room for it."""
        return [
            ("Severity", "Resolved" if self.resolves else WORDS[self.severity]),
            ("Project", self.project or "all projects"),
            ("At", f"{self.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"),
        ]


def cut(text: str, most: int) -> str:
    """At most ``most`` characters; what is missing is shown by an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def digest_title(count: int) -> str:
    return f"{count} alerts at once"


def digest_lines(messages: list[Message], most: int) -> str:
    """One line each, as many as fit into ``most`` characters, and how many did not."""
    lines: list[str] = []
    room = most - 40
    for number, message in enumerate(messages):
        project = f" ({message.project})" if message.project else ""
        line = "• " + cut(f"{message.headline}{project}", 200)
        if len(line) + 1 > room:
            lines.append(f"… and {len(messages) - number} more")
            break
        room -= len(line) + 1
        lines.append(line)
    return "\n".join(lines)


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
