"""Kept prompts and answers as a conversation. Pure; whatever has no known shape is shown as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

# Where messages stand, in the order they were said: OpenTelemetry's names, then those of others.
_IN_ORDER = (
    "system_instructions",
    "system",
    "input.messages",
    "prompt",
    "input",
    "output.messages",
    "completion",
    "output",
)
# One attribute per message and field: gen_ai.prompt.0.content, llm.input_messages.1.message.role.
_FLAT = re.compile(r"^(?P<list>.+?)\.(?P<place>\d+)\.(?:message\.)?(?P<field>role|content)$")


@dataclass(frozen=True, slots=True)
class Message:
    """``role`` is the speaker's, or the attribute's name where nobody said who spoke."""

    role: str
    text: str


def messages(content: Mapping[str, Any]) -> list[Message]:
    """What was said, in order."""
    flat: dict[tuple[str, int], dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for name, value in content.items():
        if found := _FLAT.match(name):
            flat.setdefault((found["list"], int(found["place"])), {})[found["field"]] = value
        else:
            whole[name] = value
    for (name, _), message in sorted(flat.items()):
        cast("list[Any]", whole.setdefault(name, [])).append(message)
    said: list[Message] = []
    for name in sorted(whole, key=_place):
        said += _said(name, _parsed(whole[name]))
    return said


def _place(name: str) -> tuple[int, str]:
    for place, known in enumerate(_IN_ORDER):
        if known in name:
            return place, name
    return len(_IN_ORDER), name


def _said(name: str, value: Any) -> Iterable[Message]:
    if isinstance(value, Mapping) and "messages" in value:
        value = cast("Mapping[str, Any]", value)["messages"]
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        parts = list(cast("Sequence[Any]", value))
        if any(isinstance(part, Mapping) and "role" in part for part in parts):
            return [_message(name, part) for part in parts]
        return [Message(name, "\n".join(_text(part) for part in parts))]
    return [Message(name, _text(value))]


def _message(name: str, part: Any) -> Message:
    if not isinstance(part, Mapping):
        return Message(name, _text(part))
    said = cast("Mapping[str, Any]", part)
    body = said.get("parts", said.get("content", said.get("tool_calls")))
    if isinstance(body, Sequence) and not isinstance(body, str):
        return Message(str(said.get("role") or name), "\n".join(_text(one) for one in cast("Sequence[Any]", body)))
    return Message(str(said.get("role") or name), _text(said if body is None else body))


def _text(value: Any) -> str:
    """The words of a part; a tool call or an unknown shape as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        part = cast("Mapping[str, Any]", value)
        words = part.get("text", part.get("content"))
        if isinstance(words, str):
            return words
    return json.dumps(value, ensure_ascii=False, default=str)


def _parsed(value: Any) -> Any:
    """JSON where a text is JSON: attributes hold whole conversations as one text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
