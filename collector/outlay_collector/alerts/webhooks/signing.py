"""Signatures by Standard Webhooks (https://www.standardwebhooks.com): a receiver knows who calls and that nothing changed."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from standardwebhooks.webhooks import Webhook

ROTATION = timedelta(hours=24)
"""For so long after a rotation the message carries both signatures."""

_SECRET_BYTES = 32


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(message_id: str, now: datetime, body: bytes, signed_with: Sequence[str]) -> dict[str, str]:
    """The three headers of one attempt; the id stays the same at every attempt, the time is the attempt's.

    One signature per secret: a receiver takes the message when it knows any of them.
    """
    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, text) for secret in signed_with),
    }
