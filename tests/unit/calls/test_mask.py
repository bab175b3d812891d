"""Secrets never get past the mask; ordinary text does, unchanged and fast."""

from __future__ import annotations

import time

import pytest
from outlay_collector.calls.mask import mask_attributes, mask_call, mask_text

from tests.unit.calls.builders import a_chat, read

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

SECRETS = [
    "sk-proj-4fJ0aB1cD2eF3gH4iJ5kL6mN7oP8",
    "sk-ant-api03-4fJ0aB1cD2eF3gH4iJ5kL6mN7oP8-AA",
    "sk-lf-1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d",
    "out_a1b2c3d4_0123456789abcdefABCDEF0123",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_11ABCDEFG0123456789_abcdefghij",
    "xoxb-123456789012-abcdefABCDEF",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "gsk_abcdefghijklmnopqrstuvwxyz0123456789",
    "glpat-abcdefghij0123456789",
    "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789",
    JWT,
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "my key is {}, keep it", '{{"a":"{}"}}', "({})", "x={};", "line\n{}\nline"])
def test_a_key_is_masked_wherever_it_stands(secret: str, around: str) -> None:
    masked = mask_text(around.format(secret))
    assert secret not in masked
    assert "[masked" in masked


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("Authorization: Bearer abcdefghijklmnop0123", "Authorization: Bearer [masked credentials]"),
        ("basic dXNlcjpwYXNzd29yZDEyMw==", "basic [masked credentials]"),
        ("postgres://app:hunter2@db:5432/x", "postgres://app:[masked password]@db:5432/x"),
        ("https://h/v1?key=abcdef123456&x=1", "https://h/v1?key=[masked secret]&x=1"),
        ("password=hunter22", "password=[masked secret]"),
        ('{"client_secret": "abc123def"}', '{"client_secret": "[masked secret]"}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "[masked private key]\nafter"),
        ("cut -----BEGIN PRIVATE KEY-----\nMIIE", "cut [masked private key]"),
    ],
)
def test_credentials_are_masked_and_their_names_kept(said: str, masked: str) -> None:
    assert mask_text(said) == masked


@pytest.mark.parametrize(
    "plain",
    [
        "task-force-one-hundred-and-twenty", "The key to success is a secret of the trade: token by token.",
        "https://api.openai.com/v1/chat/completions?stream=true", "gen_ai.usage.input_tokens", "2026-11-20T12:00:00Z",
        "chatcmpl-5f225d962ee47ce20001", "claude-sonnet-4-5-20250929", "max_tokens: 4096", "한국어 문장에는 비밀이 없습니다.",
    ],
)  # fmt: skip
def test_ordinary_text_is_left_alone(plain: str) -> None:
    assert mask_text(plain) == plain


def test_personal_data_is_masked_only_on_request() -> None:
    said = "Call +82 10-1234-5678 or write to kim@example.co.kr; card 4111 1111 1111 1111, order 1234567890123456."
    assert mask_text(said) == said
    assert mask_text(said, personal=True) == (
        "Call [masked phone] or write to [masked e-mail]; card [masked card], order 1234567890123456."
    )


def test_attributes_are_masked_by_their_names_too_and_copied_only_if_something_was_found() -> None:
    plain = {"a": 1, "b": "text", "c": ["x", {"d": "y"}]}
    assert mask_attributes(plain) is plain
    secret = {"http.request.header.authorization": "abc", "n": [{"api_key": "k"}, SECRETS[0]], "ok": "ok"}
    masked = mask_attributes(secret)
    assert masked == {
        "http.request.header.authorization": "[masked]",
        "n": [{"api_key": "[masked]"}, "[masked key]"],
        "ok": "ok",
    }
    assert secret["ok"] == "ok"
    assert "abc" in secret.values()


def test_a_call_is_masked_everywhere() -> None:
    key = SECRETS[0]
    call = read(
        a_chat() | {"my.key": key, "gen_ai.input.messages": f'[{{"content": "{key}"}}]'},
        error=f"AuthError: bad key {key}",
    )
    mask_call(call)
    assert key not in repr((call.attributes, call.content, call.span.status_message))


@pytest.mark.parametrize(
    "hostile",
    [
        "sk-" * 40_000, "eyJ" * 40_000, "a" * 120_000, "-----BEGIN " * 10_000, "://" + "a" * 120_000, "://a:" * 25_000 + "@",
        "password=" * 12_000, "Bearer " * 16_000, "1 " * 60_000, "a@" * 60_000, "a." * 60_000, "key=" + "x" * 120_000,
        "+1 (2) " * 16_000,
    ],
    ids=lambda hostile: hostile[:12],
)  # fmt: skip
def test_the_time_is_linear_in_the_text(hostile: str) -> None:
    began = time.process_time()
    mask_text(hostile, personal=True)
    assert time.process_time() - began < 2
