"""Microsoft Teams by Workflows ("When a Teams webhook request is received"): one Adaptive Card in a message.

About 28 kB are taken, half of that where a gateway counts two bytes a character, so ours stay far below.
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
https://adaptivecards.io/explorer/AdaptiveCard.html (version 1.4)
"""

from __future__ import annotations

from typing import Any

from outlay_collector.alerts.webhooks.message import Message, as_json, cut, digest_lines, digest_title

MOST_BYTES = 28_000
_MOST_TITLE = 300
_MOST_TEXT = 3_000


def render(messages: list[Message], dashboard_url: str) -> bytes:
    if len(messages) > 1:
        lines = digest_lines(messages, _MOST_TEXT).split("\n")
        body = [_title(digest_title(len(messages)), "Warning"), *(_text(line) for line in lines)]
        return _card(body, f"{dashboard_url}/alerts")
    message = messages[0]
    colour = (
        "Good" if message.resolves else {"critical": "Attention", "warning": "Warning"}.get(message.severity, "Default")
    )
    facts = [{"title": name, "value": cut(value, 300)} for name, value in message.facts]
    body = [_title(message.headline, colour)]
    if message.summary:
        body.append(_text(message.summary))
    return _card([*body, {"type": "FactSet", "facts": facts}], message.url)


def _card(body: list[dict[str, Any]], url: str) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open in Outlay", "url": url}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return as_json({"type": "message", "attachments": [attachment]})


def _title(text: str, colour: str) -> dict[str, Any]:
    shown = cut(text, _MOST_TITLE)
    return {"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": True, "color": colour, "text": shown}


def _text(text: str) -> dict[str, Any]:
    return {"type": "TextBlock", "wrap": True, "text": cut(text, _MOST_TEXT)}
