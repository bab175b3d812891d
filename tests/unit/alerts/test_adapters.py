"""Every adapter's payload against what its receiver documents, also for texts that are too long, strange or hostile."""

from __future__ import annotations

import email
import email.policy
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from outlay_collector.alerts.events import event_id
from outlay_collector.alerts.webhooks.adapters import DIGESTING, KINDS, Receiver, render
from outlay_collector.alerts.webhooks.adapters.email import recipients
from outlay_collector.alerts.webhooks.message import Message
from outlay_collector.errors import BadRequest

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
DASHBOARD = "https://outlay.example"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


def a_message(**changed: Any) -> Message:
    usual: dict[str, Any] = {
        "id": event_id("one"),
        "type": "budget.crossed",
        "occurred_at": AT,
        "since": AT,
        "project": "acme",
        "severity": "warning",
        "title": "Search is at 80 % of its budget",
        "summary": "It spent $80.00 of $100.00 in November.",
        "url": f"{DASHBOARD}/budgets?project=acme",
        "key": "1:budget:7",
        "resolves": False,
        "data": {"spent": "80.00", "currency": "USD"},
    }
    return Message(**usual | changed)


USUAL = a_message()
RESOLVED = a_message(resolves=True)
BARE = a_message(project=None, summary="", data={}, severity="critical")
LONG = a_message(title="긴 제목 " * 500, summary="가나다 <&> \"'\\ " * 5_000, data={"list": ["x" * 100] * 1_000})
HOSTILE = a_message(
    title="@everyone <!channel> *b* _i_ [x](http://evil.example) \u202e\x07\nBcc: all@example.com",
    summary="```@here``` <script>alert(1)</script> | \u0000 \U0001f4a5 " * 3,
    project="a\r\nX-Injected: yes",
)
ALL = {"usual": USUAL, "resolved": RESOLVED, "bare": BARE, "long": LONG, "hostile": HOSTILE}


def rendered(kind: str, *messages: Message) -> bytes:
    url = "mailto:ops@example.com,finops@example.com" if kind == "email" else "https://example.com/hook"
    receiver = Receiver(
        kind=kind, url=url, dashboard_url=DASHBOARD, routing_key=ROUTING_KEY, sender="Outlay <outlay@example.com>"
    )
    return render(receiver, messages)


def check_generic(body: bytes, message: Message) -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    assert len(body) < 20_000
    said = json.loads(body)
    assert set(said) == {"type", "timestamp", "data"}
    assert re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*", said["type"])
    assert datetime.fromisoformat(said["timestamp"]) == message.occurred_at
    assert said["data"]["link"] == message.url
    assert said["data"]["resolves"] is message.resolves


def check_slack(body: bytes, message: Message) -> None:
    """https://docs.slack.dev/reference/block-kit/blocks"""
    said = json.loads(body)
    assert set(said) == {"text", "blocks"}
    assert 0 < len(said["text"]) <= 4_000
    assert "<!" not in said["text"]
    assert 0 < len(said["blocks"]) <= 50
    assert len(body.decode()) < 13_000
    for block in said["blocks"]:
        match block["type"]:
            case "header":
                assert block["text"]["type"] == "plain_text"
                assert 0 < len(block["text"]["text"]) <= 150
            case "section":
                assert 0 < len(block.get("text", {"text": "x"})["text"]) <= 3_000
                assert len(block.get("fields", [])) <= 10
                assert all(0 < len(one["text"]) <= 2_000 for one in block.get("fields", []))
            case kind:
                assert kind == "context"
                assert 0 < len(block["elements"]) <= 10
    assert message.url in said["blocks"][-1]["elements"][0]["text"]


def check_discord(body: bytes, message: Message) -> None:
    """https://discord.com/developers/docs/resources/message#embed-object-embed-limits"""
    said = json.loads(body)
    assert said["allowed_mentions"] == {"parse": []}
    (embed,) = said["embeds"]
    fields = embed.get("fields", [])
    assert 0 < len(embed["title"]) <= 256
    assert len(embed["description"]) <= 4_096
    assert len(fields) <= 25
    assert all(0 < len(one["name"]) <= 256 and 0 < len(one["value"]) <= 1_024 for one in fields)
    texts = [embed["title"], embed["description"], *(text for one in fields for text in (one["name"], one["value"]))]
    assert sum(map(len, texts)) <= 6_000
    assert embed["url"] == message.url
    assert 0 <= embed["color"] <= 0xFFFFFF


def check_teams(body: bytes, message: Message) -> None:
    """https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using"""
    assert len(body) < 28_000
    assert len(body.decode()) < 14_000  # where two bytes are counted for each character
    said = json.loads(body)
    assert said["type"] == "message"
    (attachment,) = said["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert all(element["type"] in ("TextBlock", "FactSet") for element in card["body"])
    assert all(element["text"] for element in card["body"] if element["type"] == "TextBlock")
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open in Outlay", "url": message.url}]


def check_pagerduty(body: bytes, message: Message) -> None:
    """https://github.com/PagerDuty/api-schema/blob/main/reference/events-v2/openapiv3.json"""
    assert len(body) < 512_000
    said = json.loads(body)
    assert len(said["routing_key"]) == 32
    assert 0 < len(said["dedup_key"]) <= 255
    assert said["event_action"] == ("resolve" if message.resolves else "trigger")
    if message.resolves:
        return
    payload = said["payload"]
    assert 0 < len(payload["summary"]) <= 1_024
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert payload["source"]
    assert datetime.fromisoformat(payload["timestamp"])
    assert isinstance(payload["custom_details"], dict)
    assert said["links"] == [{"href": message.url, "text": "Open in Outlay"}]


def check_alertmanager(body: bytes, message: Message) -> None:
    """https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""
    said = json.loads(body)
    assert set(said) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
        "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert said["version"] == "4"
    assert isinstance(said["truncatedAlerts"], int)
    (alert,) = said["alerts"]
    assert set(alert) == {
        "status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"
    }  # fmt: skip
    assert said["status"] == alert["status"] == ("resolved" if message.resolves else "firing")
    assert all(isinstance(value, str) for part in ("labels", "annotations") for value in alert[part].values())
    assert re.fullmatch(r"[0-9a-f]{16}", alert["fingerprint"])
    assert datetime.fromisoformat(alert["startsAt"]) == message.since
    assert (alert["endsAt"] == "0001-01-01T00:00:00Z") is not message.resolves
    assert alert["generatorURL"] == message.url


def check_email(body: bytes, message: Message) -> None:
    """RFC 5322: lines of at most 998 octets, ASCII headers, no header that we did not write."""
    assert all(len(line) <= 998 for line in body.split(b"\r\n"))
    head, _, _ = body.partition(b"\r\n\r\n")
    head.decode("ascii")
    mail = email.message_from_bytes(body, policy=email.policy.default)
    assert set(mail.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert mail["To"] == "ops@example.com, finops@example.com"
    assert mail["Subject"].startswith("[Outlay]")
    assert message.url in mail.get_content()
    assert re.fullmatch(r"<[^<>@\s]+@outlay>", mail["Message-ID"])


CHECKS = {
    "generic": check_generic,
    "slack": check_slack,
    "discord": check_discord,
    "teams": check_teams,
    "pagerduty": check_pagerduty,
    "alertmanager": check_alertmanager,
    "email": check_email,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("message", ALL.values(), ids=ALL)
def test_a_payload_is_what_its_receiver_documents(kind: str, message: Message) -> None:
    CHECKS[kind](rendered(kind, message), message)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_event_makes_the_same_bytes(kind: str) -> None:
    first, second = rendered(kind, USUAL), rendered(kind, a_message())
    if kind != "email":  # whose encoding may hold a boundary
        assert first == second


@pytest.mark.parametrize("kind", sorted(DIGESTING))
@pytest.mark.parametrize("count", [6, 60, 600])
def test_many_at_once_are_one_message_within_the_same_limits(kind: str, count: int) -> None:
    many = [a_message(title=f"Budget {number} of a team with a long name " + "x" * 80) for number in range(count)]
    body = rendered(kind, *many)
    CHECKS[kind](body, a_message(url=f"{DASHBOARD}/alerts"))
    text = (
        email.message_from_bytes(body, policy=email.policy.default).get_content() if kind == "email" else body.decode()
    )
    assert "Budget 0" in text
    assert f"{count} alerts" in (str(email.message_from_bytes(body, policy=email.policy.default)["Subject"]) + text)
    assert ("more" in text) == (count == 600 or (count == 60 and kind != "email"))


def test_what_was_cut_from_a_generic_payload_is_said() -> None:
    said = json.loads(rendered("generic", LONG))["data"]
    assert said["truncated"] is True
    assert said["title"].endswith("…")
    assert "truncated" not in json.loads(rendered("generic", USUAL))["data"]
    assert json.loads(rendered("generic", USUAL))["data"]["details"] == {"spent": "80.00", "currency": "USD"}


def test_an_alert_keeps_its_fingerprint_from_firing_until_resolved() -> None:
    firing, resolved = (json.loads(rendered("alertmanager", one))["alerts"][0] for one in (USUAL, RESOLVED))
    assert firing["fingerprint"] == resolved["fingerprint"]


def test_pagerduty_opens_and_closes_by_one_key() -> None:
    opened, closed = (json.loads(rendered("pagerduty", one)) for one in (USUAL, RESOLVED))
    assert opened["dedup_key"] == closed["dedup_key"] == "1:budget:7"


@pytest.mark.parametrize(
    "url", ["mailto:", "mailto:nobody", "mailto:a@b?bcc=c@d.e", "mailto:a@b.c%0d%0aBcc:%20x@y.z", "https://a@b.c"]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        recipients(url)
