"""For programs: the payload that Standard Webhooks describes, ``{type, timestamp, data}``, below 20 kB.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from outlay_collector.alerts.webhooks.message import Message, as_json, cut, instant

MOST_BYTES = 20_000
_MOST_TITLE = 500
_MOST_SUMMARY = 2_000


def render(message: Message) -> bytes:
    """``data.details`` is what the event's kind has to say; left out, and said so, where it would not fit."""
    data = {
        "id": str(message.id),
        "project": message.project,
        "severity": message.severity,
        "title": cut(message.title, _MOST_TITLE),
        "summary": cut(message.summary, _MOST_SUMMARY),
        "link": message.url,
        "dedup_key": message.key,
        "resolves": message.resolves,
        "since": instant(message.since),
        "details": dict(message.data),
    }
    whole = {"type": message.type, "timestamp": instant(message.occurred_at), "data": data}
    body = as_json(whole)
    return body if len(body) < MOST_BYTES else as_json(whole | {"data": data | {"details": {}, "truncated": True}})
