"""What there is to tell: one event, known by an id that follows from what happened.

Whoever notices the same thing twice makes the same event, and sending that twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID, uuid5

from outlay_collector.errors import BadRequest

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

TEST = "webhook.test"
"""The type of an event that only tries a webhook out."""

REPORT = "report.weekly"
"""The type of an event that tells last week's spend."""

MESSAGES = frozenset({TEST, REPORT})
"""Types of events that are told and open no alert: there is nothing to acknowledge."""

_NAMESPACE = UUID("6f75746c-6179-5e6e-8e76-656e74730000")
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_MOST_DEDUP_KEY = 200


def event_id(key: str) -> UUID:
    """The id of the event that ``key`` names, such as ``budget.crossed:7:acme:2026-11-01:80``: the same, always."""
    return uuid5(_NAMESPACE, key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened once. BadRequest when it is not one.

    id: from ``event_id``.  type: dotted, as ``budget.crossed``.  occurred_at: aware.
    project_id: ``None`` for what concerns the whole installation.
    title: one line.  summary: a few plain sentences.  link: path of the page that explains it, as ``/alerts?project=acme``.
    dedup_key: names the alert that this event opens, repeats or (``resolves``) closes.
    data: JSON as it goes out to machines; amounts of money are decimal strings.
    """

    id: UUID
    type: str
    occurred_at: datetime
    project_id: int | None
    severity: Severity
    title: str
    summary: str
    link: str
    dedup_key: str
    resolves: bool = False
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.type):
            raise BadRequest(f"An event's type is dotted and lower case, as budget.crossed; got {self.type!r:.80}.")
        if self.severity not in SEVERITIES:
            raise BadRequest(f"An event's severity is one of {', '.join(SEVERITIES)}; got {self.severity!r:.80}.")
        if self.occurred_at.tzinfo is None:
            raise BadRequest(f"An event's time has a zone; got {self.occurred_at}.")
        if not self.link.startswith("/") or self.link.startswith("//"):
            raise BadRequest(f"An event's link is a path of the dashboard, as /alerts; got {self.link!r:.80}.")
        if not 0 < len(self.dedup_key) <= _MOST_DEDUP_KEY:
            raise BadRequest(f"An event's dedup key has 1 to {_MOST_DEDUP_KEY} characters; got {self.dedup_key!r:.80}.")
