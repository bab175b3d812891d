"""LangChain: its OpenAI calls are recorded by ``instrument``, nothing of the chain is touched.

python examples/langchain_agent.py
"""

from __future__ import annotations

import sys

import outlay
from langchain_openai import ChatOpenAI

outlay.configure(service="langchain-agent")
outlay.instrument("openai")


@outlay.observe(kind="agent", team="research")
def research(question: str) -> str:
    """Two calls in one trace: a draft and its improvement."""
    model = ChatOpenAI(model="gpt-4o-mini")
    draft = model.invoke(question)
    return str(model.invoke(f"Improve this answer: {draft.text}").text)


def main() -> None:
    """Ask once and print."""
    sys.stdout.write(research("What does a token cost?") + "\n")


if __name__ == "__main__":
    main()
