"""E-mail: plain text, its Message-ID the same at every attempt, alerts of one key in one conversation.

Lines of at most 998 octets, header lines folded, texts encoded as they must be: RFC 5322, by Python's own ``email``.
"""

from __future__ import annotations

import hashlib
import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from outlay_collector.alerts.webhooks.message import Message, cut, digest_lines, digest_title
from outlay_collector.errors import BadRequest

MOST_RECIPIENTS = 20
_MOST_SUBJECT = 200
_MOST_TEXT = 20_000
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


def recipients(url: str) -> list[str]:
    """The addresses of ``mailto:one@example.com,two@example.com``. BadRequest when one is none, or there are too many."""
    parts = urlsplit(url)
    addresses = [unquote(part).strip() for part in parts.path.split(",")]
    if parts.scheme != "mailto" or parts.query or not all(map(_ADDRESS.fullmatch, addresses)):
        raise BadRequest(f"Give e-mail as mailto:name@example.com,other@example.com; got {url!r:.120}.")
    if len(addresses) > MOST_RECIPIENTS:
        raise BadRequest(f"At most {MOST_RECIPIENTS} e-mail addresses fit into one webhook; got {len(addresses)}.")
    return addresses


def render(messages: list[Message], dashboard_url: str, url: str, sender: str) -> bytes:
    message = messages[0]
    mail = EmailMessage(policy=SMTP)
    if len(messages) > 1:
        title, text = digest_title(len(messages)), digest_lines(messages, _MOST_TEXT)
        text += f"\n\n{dashboard_url}/alerts\n"
    else:
        title = message.headline
        facts = "\n".join(f"{name}: {value}" for name, value in message.facts)
        text = f"{cut(message.summary, _MOST_TEXT)}\n\n{facts}\n\n{message.url}\n"
    mail["Subject"] = cut(" ".join(f"[Outlay] {title}".split()), _MOST_SUBJECT)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients(url))
    mail["Date"] = format_datetime(message.occurred_at)
    mail["Message-ID"] = f"<{message.id}.{_hash(url)}@outlay>"
    mail["References"] = f"<{_hash(message.key)}@outlay>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail.as_bytes()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
