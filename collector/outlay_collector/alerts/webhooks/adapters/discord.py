"""Discord's webhooks: one embed, nobody mentioned.

A title has at most 256 characters, a description 4,096, a field's value 1,024, all of them together 6,000.
https://discord.com/developers/docs/resources/message#embed-object-embed-limits
"""

from __future__ import annotations

import re
from typing import Any

from outlay_collector.alerts.webhooks.message import Message, as_json, cut, digest_lines, digest_title, instant

MOST_TITLE = 256
MOST_DESCRIPTION = 4_096
_OURS = 3_500  # with title and fields below 6,000 in any case, also when every character is escaped
_MARKUP = re.compile(r"([\\*_~`|>#\[\]()-])")
_COLOURS = {"info": 0x0B6E99, "warning": 0xB26A00, "critical": 0xC62828}
_GOOD = 0x2E7D32


def render(messages: list[Message], dashboard_url: str) -> bytes:
    message = messages[0]
    if len(messages) > 1:
        embed: dict[str, Any] = {
            "title": digest_title(len(messages)),
            "description": cut(_escaped(digest_lines(messages, _OURS)), _OURS),
            "url": f"{dashboard_url}/alerts",
            "color": _COLOURS["warning"],
        }
    else:
        embed = {
            "title": cut(_escaped(message.headline), MOST_TITLE),
            "description": cut(_escaped(message.summary), _OURS),
            "url": message.url,
            "color": _GOOD if message.resolves else _COLOURS[message.severity],
            "timestamp": instant(message.occurred_at),
            "fields": [
                {"name": name, "value": cut(_escaped(value), 500), "inline": True} for name, value in message.facts[:2]
            ],
        }
    return as_json({"embeds": [embed], "allowed_mentions": {"parse": []}})


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
