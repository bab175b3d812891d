"""The one call that everybody is measured with: 0.8 KB of messages, an answer with usage, no time in between."""

from __future__ import annotations

from typing import Any

MESSAGES = [
    {"role": "system", "content": "You are a careful assistant that answers billing questions for the platform. " * 3},
    {
        "role": "user",
        "content": "Summarise this ticket and name its cost centre: " + "lorem ipsum dolor sit amet " * 20,
    },
]
RESPONSE = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "R&D. " * 75},
        }
    ],
    "usage": {
        "prompt_tokens": 312,
        "completion_tokens": 96,
        "total_tokens": 408,
        "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 0},
    },
}
REQUEST = {"model": "gpt-4o", "messages": MESSAGES, "temperature": 0.2, "max_tokens": 512}


def canned() -> Any:
    """The response every contender's function returns."""
    from openai.types.chat import ChatCompletion

    return ChatCompletion.model_validate(RESPONSE)
