"""What a call said and heard, as far as its arguments and its answer show it: taken in the caller, read in the background.

Taking keeps references to the texts, which are immutable, and copies the list around them, because programs go on
appending to their list of messages. Nothing of it leaves the process unless content is asked for; what does leave by
default is evidence, see ``outlay.evidence``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from outlay.usage import fields_of, items, part, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outlay.spans import Step

    Text = tuple[str, str]  # role and text of a piece of what was said; tool definitions have the role "tools"

# Parameters that hold what is said to a model, in every client's spelling.
INPUT = ("messages", "input", "prompt", "contents")
_MAX_DEPTH = 6
_MAX_TEXT = 262_144  # characters read of one call; more is only counted
_UNKNOWN_WEIGHT = 512  # bytes reckoned for a part that is not plain text


class Heard(NamedTuple):
    """References to one call's input. ``weight`` is about its bytes, by which the queue is bounded."""

    prompt: object
    system: object
    tools: object
    config: object
    weight: int
    # Of a function whose content is wanted, all it was given and gave back, as JSON made in the caller.
    arguments: str = ""
    result: str = ""


def listen(
    step: Step, args: tuple[object, ...], kwargs: Mapping[str, object], *, arguments: bool = False
) -> Heard | None:
    """Take what a call was given; None if no parameter of it is known to hold something said.

    ``arguments`` True takes all arguments as well, for a function that may turn out to be no model call.
    """
    given = dumped({"args": args, **kwargs} if args else dict(kwargs)) if arguments else ""
    prompt: object = None
    for name in INPUT:
        prompt = kwargs.get(name)
        if prompt is None and step.parameters:
            prompt = step.argument(name, args)
        if prompt is not None:
            break
    if prompt is None:
        return Heard(None, None, None, None, len(given), given) if given else None
    said = items(prompt).copy() or prompt  # shallow: programs append to the list, not to its members
    system = kwargs.get("system") or kwargs.get("instructions")
    weight = _weight(said) + _weight(system) + len(given)
    return Heard(said, system, kwargs.get("tools"), kwargs.get("config"), weight, given)


def _weight(said: object) -> int:
    if isinstance(said, str):
        return len(said)
    total = 0
    for item in items(said):
        content = item if isinstance(item, str) else item.get("content") if isinstance(item, dict) else None  # type: ignore[reportUnknownMemberType]
        total += len(content) if isinstance(content, str) else _UNKNOWN_WEIGHT
    return total


# Reading, in the background


def texts(heard: Heard) -> list[Text]:
    """Everything said to the model, in the order a provider's prompt cache sees it: tools, system, messages."""
    found: list[Text] = []
    if heard.prompt is None:
        return found
    tools = heard.tools or part(heard.config, "tools")
    if tools:
        found.append(("tools", dumped(tools)))
    system = heard.system or part(heard.config, "system_instruction")
    if system:
        found.append(("system", text_of(system)))
    for message in items(heard.prompt) or [heard.prompt]:
        if isinstance(message, str):
            found.append(("user", message))
            continue
        fields = fields_of(message)
        content = fields.get("content")
        if isinstance(content, str) and "tool_calls" not in fields:  # nearly always
            role = fields.get("role")
            found.append((role if isinstance(role, str) else "user", content))
            continue
        content = content or fields.get("parts") or fields.get("output")
        said = text_of(content) if content is not None else ""
        calls = fields.get("tool_calls")
        if calls:
            said += dumped(calls)
        found.append((word(fields.get("role")) or "user", said if said or not fields else dumped(message)))
    return found


def text_of(content: object, depth: int = 0) -> str:
    """The text of a message's content: a string, a part with text, or a list of those; the rest as JSON."""
    if isinstance(content, str):
        return content
    if content is None or depth > _MAX_DEPTH:
        return ""
    if isinstance(content, list):
        return "".join([text_of(item, depth + 1) for item in items(content)])  # type: ignore[reportUnknownArgumentType]
    text = part(content, "text")
    if isinstance(text, str):
        return text
    inner = part(content, "parts") or part(content, "content")
    return text_of(inner, depth + 1) if inner is not None else dumped(content)


def dumped(value: object) -> str:
    """JSON of plain data and of clients' objects; the same for the same content. Bounded, and never a stranger's code."""
    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))[:_MAX_TEXT]


def plain(value: object, depth: int = 0) -> Any:
    """Dictionaries, lists and scalars for anything; of what is neither plain nor a client's object, its type's name."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    if isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}  # type: ignore[reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]  # type: ignore[reportUnknownVariableType]
    fields = fields_of(value)
    if fields and hasattr(type(value), "model_fields"):  # pydantic's: plain data by another name
        return {name: plain(item, depth + 1) for name, item in fields.items() if item is not None}
    return type(value).__qualname__


# Answers


class ToolCall(NamedTuple):
    """A tool the model asks for, with its arguments as JSON."""

    name: str
    arguments: str


class Answer(NamedTuple):
    """What one choice of a response says."""

    text: str
    tools: tuple[ToolCall, ...]


def answers(given: object) -> list[Answer]:
    """The answers in a response's ``choices``, ``output``, ``content`` or ``candidates``, or in a stream's pieces."""
    if isinstance(given, Pieces):
        return given.answers()
    found: list[Answer] = []
    blocks: list[object] = []
    for item in items(given):
        message = part(item, "message")
        if message is not None:  # an OpenAI choice
            found.append(_answer([message]))
        elif part(item, "finish_reason") is not None or part(part(item, "content"), "parts") is not None:
            found.append(_answer(items(part(part(item, "content"), "parts"))))  # a Gemini candidate
        else:
            blocks.append(item)  # Anthropic and Responses: one answer in blocks
    if blocks:
        found.append(_answer(blocks))
    return found


def _answer(blocks: list[object]) -> Answer:
    said: list[str] = []
    tools: list[ToolCall] = []
    for block in blocks:
        kind = part(block, "type")
        call = part(block, "function_call")
        if kind in ("tool_use", "function_call"):
            arguments = part(block, "arguments")
            given = arguments if isinstance(arguments, str) else dumped(part(block, "input"))
            tools.append(ToolCall(word(part(block, "name")) or "", given))
        elif call is not None:
            tools.append(ToolCall(word(part(call, "name")) or "", dumped(part(call, "args"))))
        elif kind not in ("thinking", "reasoning", "redacted_thinking"):
            text = part(block, "text")
            said.append(text if isinstance(text, str) else text_of(part(block, "content")))
        for asked in items(part(block, "tool_calls")):
            function = part(asked, "function")
            tools.append(ToolCall(word(part(function, "name")) or "", word(part(function, "arguments")) or ""))
    return Answer("".join(said), tuple(tools))


class Pieces:
    """The answers of a stream, collected piece by piece. Beyond some size only the number of characters is kept."""

    __slots__ = ("_size", "_tools", "_words")

    def __init__(self) -> None:
        self._words: dict[object, list[str]] = {}
        self._tools: dict[tuple[object, object], list[str]] = {}  # name, then pieces of the arguments
        self._size = 0

    def say(self, choice: object, text: object) -> None:
        """Some more of what a choice says."""
        if isinstance(text, str) and text and self._size < _MAX_TEXT:
            self._size += len(text)
            self._words.setdefault(choice, []).append(text)

    def ask(self, choice: object, index: object, name: object, arguments: object) -> None:
        """Some more of a tool call."""
        pieces = self._tools.setdefault((choice, index), [""])
        if isinstance(name, str) and name:
            pieces[0] = name
        if isinstance(arguments, str) and arguments and self._size < _MAX_TEXT:
            self._size += len(arguments)
            pieces.append(arguments)

    def answers(self) -> list[Answer]:
        """What was collected, by choice."""
        choices = dict.fromkeys([*self._words, *(choice for choice, _ in self._tools)])
        return [
            Answer(
                "".join(self._words.get(choice, ())),
                tuple(
                    ToolCall(pieces[0], "".join(pieces[1:]))
                    for (owner, _), pieces in self._tools.items()
                    if owner == choice
                ),
            )
            for choice in choices
        ]
