"""Signatures as receivers check them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from outlay_collector.alerts.webhooks.signing import headers, new_secret
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

# The example of https://github.com/standard-webhooks/standard-webhooks: its secret, message and signature.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)


def test_the_example_of_the_standard() -> None:
    signed = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", AT, BODY, [SECRET])
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_has_32_random_bytes() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32


def test_while_a_secret_rotates_either_one_is_good_and_no_other() -> None:
    old, new = new_secret(), new_secret()
    signed = headers("evt_1", datetime.now(UTC), '{"name":"검색"}'.encode(), [new, old])
    for secret in (old, new):
        Webhook(secret).verify('{"name":"검색"}'.encode(), signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify('{"name":"검색"}'.encode(), signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify('{"name":"다른"}'.encode(), signed)
