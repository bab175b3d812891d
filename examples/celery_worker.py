"""A Celery worker: tasks run in forked processes, which send what they have before they end.

celery --app examples.celery_worker worker
"""

from __future__ import annotations

import os

import outlay
from celery import Celery
from openai import OpenAI

app = Celery("examples", broker=os.environ.get("CELERY_BROKER_URL", "memory://"))
outlay.configure(service="worker")


@app.task
@outlay.observe(team="support", feature="summaries")
def summarise(text: str, model: str = "gpt-4o-mini") -> str:
    """A task is a function like any other; the decorator goes under Celery's."""
    with OpenAI() as client:
        completion = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    return outlay.current().response(completion).choices[0].message.content or ""
