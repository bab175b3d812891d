"""All that is told of a span: its attributes, evidence, estimates where a provider said nothing, content where asked for.

Runs in the background, on what ``hearing`` took in the caller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from outlay import estimating, semconv
from outlay.evidence import evidence
from outlay.hearing import Answer, Heard, answers, texts
from outlay.masking import masked
from outlay.spans import Span, attributes_of, is_call

if TYPE_CHECKING:
    from outlay.hearing import Text
    from outlay.otlp import Pair, Value
    from outlay.usage import Reading

_NO_TOOLS = frozenset({"stop", "length", "content_filter", "end_turn", "max_tokens", "stop_sequence", "refusal"})
_MAX_CONTENT = 131_072  # characters of one content attribute


class Telling(NamedTuple):
    """How much to tell. ``salt`` None: no evidence."""

    content: str = "none"  # none | masked | full
    salt: bytes | None = None

    @property
    def listens(self) -> bool:
        """Whether anything a call says is of use."""
        return self.salt is not None or self.content != "none"

    def mode(self, capture: bool | None) -> str:
        """What a function's own ``capture`` makes of the configuration's ``content``."""
        if capture is None:
            return self.content
        if not capture:
            return "none"
        return self.content if self.content != "none" else "masked"

    def pairs(self, span: Span) -> list[Pair]:
        """Every attribute of a span, except whom it was for."""
        pairs = attributes_of(span)
        heard, mode = span.content, self.mode(span.step.capture)
        if not is_call(span):
            return pairs + _step_pairs(heard, mode) if heard is not None and mode != "none" else pairs
        said = texts(heard) if heard is not None else []
        unknown = not _is_reported(span)
        answered: list[Answer] = []
        if span.reading is not None and (unknown or mode != "none" or _may_call_tools(span.reading)):
            answered = answers(span.reading.answer)
        if unknown:
            pairs = _estimated(pairs, span, said, answered)
        if self.salt is not None and said:
            pairs += evidence(said, answered, settings=span.request, salt=self.salt)
        if mode != "none":
            pairs += _content_pairs(said, answered, mode)
        return pairs


def _is_reported(span: Span) -> bool:
    """Whether the provider, or whoever recorded the call, told the usage in full."""
    reading = span.reading
    return span.usage is not None or (reading is not None and reading.usage is not None and reading.complete)


def _may_call_tools(reading: Reading) -> bool:
    """Chat and Anthropic say by the finish reason that tools are called; the other interfaces do not."""
    reasons = reading.finish_reasons
    return reading.operation == semconv.GENERATE_CONTENT or not _NO_TOOLS.issuperset(reasons)


# Estimates


def _estimated(pairs: list[Pair], span: Span, said: list[Text], answered: list[Answer]) -> list[Pair]:
    """Fill in what the provider did not tell, from the texts; unchanged if they do not tell either."""
    told = dict(pairs)
    source = told.get(semconv.USAGE_SOURCE)
    if source is None:
        return pairs
    model = span.reading.model if span.reading is not None else None
    model = model or (span.request[0] if isinstance(span.request[0], str) else None) or span.step.model
    is_embedding = told.get(semconv.OPERATION) == semconv.EMBEDDINGS
    if estimating.reasons_in_secret(model) and not is_embedding:
        return pairs
    filled: dict[str, Value] = {}
    if semconv.INPUT_TOKENS not in told and said:
        framing = 0 if is_embedding else estimating.MESSAGE_TOKENS
        filled[semconv.INPUT_TOKENS] = sum(estimating.tokens(text, model) + framing for _, text in said)
    spoken = [answer.text + "".join(call.name + call.arguments for call in answer.tools) for answer in answered]
    if is_embedding:
        filled[semconv.OUTPUT_TOKENS] = 0
    elif semconv.OUTPUT_TOKENS not in told and any(spoken):
        filled[semconv.OUTPUT_TOKENS] = sum(estimating.tokens(text, model) for text in spoken)
    complete = {*told, *filled} >= {semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS}
    if not complete:
        return pairs  # half an estimate would pass for the whole cost
    told.update(filled)
    told[semconv.USAGE_SOURCE] = "estimated"
    return list(told.items())


# Content


def _content_pairs(said: list[Text], answered: list[Answer], mode: str) -> list[Pair]:
    """The conversation in OpenTelemetry's form: JSON of messages with parts."""
    messages = [_message(role, text) for role, text in said if role not in ("system", "tools")]
    pairs: list[Pair] = []
    if messages:
        pairs.append((semconv.INPUT_MESSAGES, _cleaned(messages, mode)))
    system = [text for role, text in said if role == "system"]
    if system:
        pairs.append((semconv.SYSTEM_INSTRUCTIONS, _cleaned([_part(text) for text in system], mode)))
    if answered:
        output = [
            {
                "role": "assistant",
                "parts": [
                    *([_part(answer.text)] if answer.text else []),
                    *({"type": "tool_call", "name": name, "arguments": given} for name, given in answer.tools),
                ],
            }
            for answer in answered
        ]
        pairs.append((semconv.OUTPUT_MESSAGES, _cleaned(output, mode)))
    return pairs


def _step_pairs(heard: Heard, mode: str) -> list[Pair]:
    given = [(semconv.CONTENT_INPUT, heard.arguments), (semconv.CONTENT_OUTPUT, heard.result)]
    return [(key, masked(text, personal=mode == "masked")[:_MAX_CONTENT]) for key, text in given if text]


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [_part(text)]}


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "content": text[:_MAX_CONTENT]}


def _cleaned(value: object, mode: str) -> str:
    text = masked(json.dumps(value, ensure_ascii=False), personal=mode == "masked")
    return text if len(text) <= _MAX_CONTENT else text[:_MAX_CONTENT]
