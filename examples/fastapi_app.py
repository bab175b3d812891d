"""A web application: every request that asks a model is one trace, and its tenant is the customer who caused the cost.

uvicorn --app-dir examples fastapi_app:app
"""

from __future__ import annotations

import outlay
from fastapi import FastAPI
from openai import AsyncOpenAI
from outlay.middleware import ASGI

outlay.configure(service="support-api")
outlay.instrument("openai")
client = AsyncOpenAI()
app = FastAPI()


@app.post("/answer")
async def answer(question: str) -> dict[str, str]:
    """Answer a question; the id lets a later request score it."""
    response = await summarise(question)
    return {"answer": response, "trace_id": outlay.current().trace_id, "span_id": outlay.current().span_id}


@app.post("/feedback")
async def feedback(trace_id: str, span_id: str, liked: bool) -> None:
    """What the user thought of an answer."""
    outlay.score("thumbs", liked, trace_id=trace_id, span_id=span_id)


@outlay.observe(team="support", feature="answers")
async def summarise(question: str) -> str:
    """The client's call is recorded by ``instrument``, inside this step."""
    completion = await client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    return completion.choices[0].message.content or ""


def customer_of(scope: dict[str, object]) -> dict[str, object]:
    """Whom a request is for. In a real application: from the session, never from what the caller merely says."""
    headers = dict(scope.get("headers") or ())  # type: ignore[call-overload]
    return {"customer": headers.get(b"x-tenant", b"nobody").decode("latin-1")}


app.add_middleware(ASGI, context=customer_of)
