"""Slack's incoming webhooks: ``text`` for notifications, ``blocks`` for the message.

A header has at most 150 characters, a section's text 3,000, a section 10 fields of 2,000, a message 50 blocks.
https://docs.slack.dev/reference/block-kit/blocks/header-block, …/section-block; about 13,000 characters in all are taken
(https://github.com/slackapi/bolt-js/issues/2509).
"""

from __future__ import annotations

from typing import Any

from outlay_collector.alerts.webhooks.message import Message, as_json, cut, digest_lines, digest_title

MOST_HEADER = 150
MOST_SECTION = 3_000
_MOST_FIELD = 500
_MOST_TEXT = 300


def render(messages: list[Message], dashboard_url: str) -> bytes:
    if len(messages) > 1:
        title = digest_title(len(messages))
        blocks = [_header(title), _section(digest_lines(messages, MOST_SECTION)), _link(f"{dashboard_url}/alerts")]
        return as_json({"text": title, "blocks": blocks})
    message = messages[0]
    blocks = [_header(message.headline)]
    if message.summary:
        blocks.append(_section(message.summary))
    fields = [_plain(f"{name}\n{value}", _MOST_FIELD) for name, value in message.facts]
    blocks += [{"type": "section", "fields": fields}, _link(message.url)]
    return as_json({"text": _escaped(cut(message.headline, _MOST_TEXT)), "blocks": blocks})


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": _plain(text or "Alert", MOST_HEADER)}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text, MOST_SECTION)}


def _link(url: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{url}|Open in Outlay>"}]}


def _plain(text: str, most: int) -> dict[str, Any]:
    """Plain, so that names of models and teams are not read as markup or mentions."""
    return {"type": "plain_text", "text": cut(text, most), "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
