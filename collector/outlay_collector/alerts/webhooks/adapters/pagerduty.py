"""PagerDuty's Events API v2: ``trigger`` opens an incident, ``resolve`` with the same ``dedup_key`` closes it.

A summary has at most 1,024 characters, a dedup key 255, a routing key 32; severity is one of four words.
https://developer.pagerduty.com/docs/events-api-v2/trigger-events/,
https://github.com/PagerDuty/api-schema/blob/main/reference/events-v2/openapiv3.json
"""

from __future__ import annotations

from typing import Any

from outlay_collector.alerts.webhooks.message import Message, as_json, cut, instant

MOST_SUMMARY = 1_024
MOST_DEDUP_KEY = 255
MOST_BYTES = 512_000
_MOST_DETAILS = 16_000


def render(message: Message, routing_key: str, dashboard_url: str) -> bytes:
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if message.resolves else "trigger",
        "dedup_key": message.key[:MOST_DEDUP_KEY],
    }
    if not message.resolves:
        details = {"summary": cut(message.summary, 2_000), **message.data}
        if len(as_json(details)) > _MOST_DETAILS:
            details = {"summary": cut(message.summary, 2_000), "truncated": True}
        body |= {
            "client": "Outlay",
            "client_url": dashboard_url,
            "links": [{"href": message.url, "text": "Open in Outlay"}],
            "payload": {
                "summary": cut(message.title, MOST_SUMMARY) or message.type,
                "source": f"outlay/{message.project or 'installation'}",
                "severity": message.severity,
                "timestamp": instant(message.occurred_at),
                "class": message.type,
                "custom_details": details,
            },
        }
    return as_json(body)
