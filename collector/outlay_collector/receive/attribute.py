"""What the attribution rules in force say of a call that arrives, as the value of its column."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_collector.calls.call import Call
from outlay_collector.calls.span import Value
from outlay_collector.ledger.attribution.rules import TAG, Decisions, Rules
from outlay_collector.receive.rows import jsonb, text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_READ: Mapping[str, Callable[[Call], str | None]] = {
    "step": lambda call: text(call.span.name) or "(unnamed)",
    **{
        name: lambda call, name=name: text(getattr(call, name))
        for name in (
            "environment", "service", "release", "team", "feature", "agent", "tool", "prompt_version", "customer", "user",
            "session", "provider", "account", "region", "model", "request_model", "operation", "service_tier",
        )
    },
}  # fmt: skip


class Attribution:
    """Rules with the names of projects, for as long as one request takes."""

    def __init__(self, rules: Rules, project_ids: Mapping[str, int]) -> None:
        self._rules = rules
        self._names = {number: name for name, number in project_ids.items()} if "project" in rules.dimensions else {}

    def version(self, project_id: int) -> int:
        """Of the rules; 0 when they ask for a name that is not known yet, so that settlement looks again."""
        unknown = "project" in self._rules.dimensions and project_id not in self._names
        return 0 if unknown else self._rules.version

    def of(self, call: Call, project_id: int, key_id: str) -> bytes | None:
        """Binary ``jsonb``; ``None`` when no rule says anything of it."""
        rules = self._rules
        if not rules.rules:
            return None
        values = tuple(
            self._names.get(project_id)
            if name == "project"
            else key_id
            if name == "api_key"
            else _tag(call.attributes.get(f"outlay.tag.{name.removeprefix(TAG)}"))
            if name.startswith(TAG)
            else _READ[name](call)
            for name in rules.dimensions
        )
        at = _EPOCH + timedelta(microseconds=call.span.start_ns // 1000)
        return _packed(rules.decide(rules.segment(at), values))


NO_RULES = Attribution(Rules(), {})


def _packed(decisions: Decisions) -> bytes | None:
    return jsonb({one.dimension: one.value for one in decisions}) if decisions else None


def _tag(value: Value) -> str | None:
    """As Postgres' ``->>`` gives it back from the column of attributes."""
    match value:
        case None:
            return None
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{Decimal(repr(value)):f}"
        case bytes():
            return value.hex()
        case _:
            return json.dumps(value, ensure_ascii=False)
