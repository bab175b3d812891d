"""A streamed answer: printed as it comes, recorded with its time to first token and what it used.

python examples/streaming_chat.py "What does a token cost?"
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import outlay
from openai import OpenAI

outlay.configure(service="streaming-chat")
client = OpenAI()


@outlay.observe(feature="chat")
def answer(question: str, model: str = "gpt-4o-mini") -> Iterator[str]:
    """The answer's words as they come. The response is shown to Outlay, because the function returns its text only."""
    chunks = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},  # without it OpenAI does not say what a stream has used
    )
    for chunk in outlay.current().response(chunks):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def main() -> None:
    """Ask once and print."""
    with outlay.context(user="u-17", session="s-1"):
        for word in answer(" ".join(sys.argv[1:]) or "What does a token cost?"):
            sys.stdout.write(word)
            sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
