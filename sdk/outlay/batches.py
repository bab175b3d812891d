"""``record_batch``: the results of a provider's batch API, known hours after they were asked for, at batch prices.

    outlay.record_batch(client.files.content(batch.output_file_id).text, batch_id=batch.id, team="search")
    outlay.record_batch(client.messages.batches.results(batch.id), batch_id=batch.id, at=batch.created_at)

The ids of each span are made from the batch and the request in it, so recording a batch again adds nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from outlay.recording import record
from outlay.usage import part, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from os import PathLike


def record_batch(
    results: str | PathLike[str] | Iterable[object],
    *,
    batch_id: str,
    at: datetime | None = None,
    model: str | None = None,
    provider: str | None = None,
    wait: float = 30.0,
    **whom: Any,
) -> int:
    """Record every result of an OpenAI, Anthropic or Gemini batch. Returns how many calls that were.

    ``results`` is the text of a result file, a path to one, or an iterable of lines, dictionaries or the client's own
    result objects. ``at`` is when the calls count (an aware datetime, the batch's creation); without it each call's own
    time is used where the provider tells one, else now. ``whom`` is attribution, as ``record`` takes it (``team=``,
    ``tags=`` …). Requests that expired or were cancelled cost nothing and are left out.
    """
    trace = _number(16, batch_id)
    calls = 0
    for number, result in enumerate(_results(results)):
        custom_id, response, error = _read(result)
        if response is None and error is None:
            continue
        created = part(response, "created") or part(response, "created_at")
        record(
            kind="chat" if response is None else _operation(response),
            provider=provider,
            model=model or word(part(response, "model")) or word(part(response, "modelVersion")),
            response=response,
            error=error,
            start=at if at is not None else float(created) if isinstance(created, (int, float)) else None,
            service_tier="batch",
            trace_id=trace,
            span_id=_number(8, batch_id, custom_id or str(number)),
            attributes={"outlay.batch.id": batch_id, **({"outlay.batch.custom_id": custom_id} if custom_id else {})},
            wait=wait,
            **whom,
        )
        calls += 1
    return calls


def _results(given: str | PathLike[str] | Iterable[object]) -> Iterator[object]:
    if isinstance(given, str) and given.lstrip()[:1] in ("{", ""):
        lines: Iterable[object] = given.splitlines()
    elif isinstance(given, str) or hasattr(given, "__fspath__"):
        with open(given, encoding="utf-8") as file:  # type: ignore[arg-type]
            yield from _results(list(file))
        return
    else:
        lines = given  # type: ignore[assignment]
    for line in lines:
        if isinstance(line, (str, bytes)):
            if line.strip():
                yield json.loads(line)
        else:
            yield line


def _read(result: object) -> tuple[str | None, object | None, str | None]:
    """(custom id, response, error) of one result, in whichever provider's form. Neither: it was never run."""
    custom_id = word(part(result, "custom_id")) or word(part(result, "key"))
    outcome = part(result, "result")
    if outcome is not None:  # Anthropic
        kind = word(part(outcome, "type"))
        failure = part(part(outcome, "error"), "error") or part(outcome, "error")
        if kind == "errored":
            return custom_id, None, word(part(failure, "type")) or "errored"
        return custom_id, part(outcome, "message"), None
    response = part(result, "response")
    body = part(response, "body")
    if body is not None:  # OpenAI
        status = part(response, "status_code")
        failed = part(body, "error")
        if failed is not None or (isinstance(status, int) and status >= 400):
            return custom_id, None, word(part(failed, "type")) or str(status)
        return custom_id, body, None
    if response is not None:  # Gemini
        return custom_id, response, None
    failure = part(result, "error")
    code = word(part(failure, "code"))
    return custom_id, None, None if code in (None, "batch_expired", "batch_cancelled") else code


def _operation(response: object) -> str:
    if part(response, "data") is not None:
        return "embeddings"
    return "generate_content" if part(response, "candidates") is not None else "chat"


def _number(size: int, *names: str) -> int:
    """An id of ``size`` bytes that is always the same for the same names."""
    return int.from_bytes(hashlib.blake2b("\0".join(names).encode(), digest_size=size).digest(), "big") or 1
