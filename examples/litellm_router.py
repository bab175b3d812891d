"""LiteLLM router: two deployments of different providers or prices; whichever answers is the one that is recorded.

python examples/litellm_router.py
"""

from __future__ import annotations

import os
import sys
from typing import Any

import litellm
import outlay

outlay.configure(service="router")

# Where OPENAI_BASE_URL points; a real list names other providers too: anthropic/claude-haiku-4-5, azure/my-deployment …
ENDPOINT = os.environ.get("OPENAI_BASE_URL")
ROUTER = litellm.Router(
    model_list=[
        {"model_name": "quick", "litellm_params": {"model": "openai/gpt-4o-mini", "api_base": ENDPOINT}},
        {"model_name": "careful", "litellm_params": {"model": "openai/gpt-4o", "api_base": ENDPOINT}},
    ],
    fallbacks=[{"quick": ["careful"]}],
    num_retries=0,
)


@outlay.observe(team="support", feature="routing")
def ask(question: str, model: str, **options: Any) -> Any:
    """What LiteLLM answers has OpenAI's shape for every provider, so its usage is read like that of any other call."""
    return ROUTER.completion(model=model, messages=[{"role": "user", "content": question}], **options)


def main() -> None:
    """A short question for the small model, a long one for the large, and a stream, which ends its call when it ends."""
    for question, model in (("What does a token cost?", "quick"), ("Why do tokens cost what they cost?", "careful")):
        sys.stdout.write(f"{ask(question, model).choices[0].message.content}\n")
    for chunk in ask("And tomorrow?", "quick", stream=True, stream_options={"include_usage": True}):
        if chunk.choices:
            sys.stdout.write(chunk.choices[0].delta.content or "")


if __name__ == "__main__":
    main()
