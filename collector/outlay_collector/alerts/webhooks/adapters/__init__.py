"""One adapter per kind of receiver: an event as that receiver wants to read it, within the limits it documents.

An adapter is a pure function of messages, made once per delivery and kept, so that every attempt sends the same bytes.
Receivers for people (``DIGESTING``) take many events in one message; machines get each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outlay_collector.alerts.webhooks.adapters import alertmanager, discord, email, generic, pagerduty, slack, teams
from outlay_collector.alerts.webhooks.message import Message

KINDS = ("generic", "slack", "teams", "discord", "pagerduty", "alertmanager", "email")
DIGESTING = frozenset(("slack", "teams", "discord", "email"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """What an adapter needs to know of whom it writes to."""

    kind: str
    url: str
    dashboard_url: str
    routing_key: str | None = None
    sender: str | None = None


def render(receiver: Receiver, messages: Sequence[Message]) -> bytes:
    """The body of one delivery. Several messages only for kinds in ``DIGESTING``."""
    first, many = messages[0], list(messages)
    match receiver.kind:
        case "slack":
            return slack.render(many, receiver.dashboard_url)
        case "teams":
            return teams.render(many, receiver.dashboard_url)
        case "discord":
            return discord.render(many, receiver.dashboard_url)
        case "email":
            return email.render(many, receiver.dashboard_url, receiver.url, receiver.sender or "outlay@localhost")
        case "pagerduty":
            return pagerduty.render(first, receiver.routing_key or "", receiver.dashboard_url)
        case "alertmanager":
            return alertmanager.render(first, receiver.dashboard_url)
        case _:
            return generic.render(first)
