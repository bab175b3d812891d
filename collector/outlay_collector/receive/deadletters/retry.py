"""A dead letter on the journey of any request, a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outlay_collector.errors import UnreadableBody
from outlay_collector.pricing.book import Book
from outlay_collector.receive.batch import Batch, Receipt
from outlay_collector.receive.ingest import Limits, ingest, ingest_logs
from outlay_collector.receive.letter import REQUEST

TOGETHER = 50
"""Letters read and committed at once: bounds what a retry holds in memory."""

ONLY_BYTES = "only the bytes of it were kept: they could not be read as a span, or there were too many of them"
"""Why a letter that is no request is not tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Journey:
    """What reading a letter takes beside the letter. ``only_project`` is the one the asker may write to, if bound to one."""

    book: Book
    limits: Limits
    now: datetime
    projects: Mapping[str, int]
    content_modes: Mapping[int, str]
    only_project: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """``detail`` says why it was refused again."""

    id: int
    accepted: bool
    detail: str = ""


def retry(
    letters: Sequence[Mapping[str, Any]],
    journey: Journey,
    submit: Callable[[Batch], Future[Receipt]],
    patience: timedelta,
) -> list[Outcome]:
    """What became of each; what is accepted is committed. Raises when the database does not take it now."""
    waiting = [(letter, *_read(letter, journey)) for letter in letters]
    under_way = [(letter, [submit(batch) for batch in batches], said) for letter, batches, said in waiting]
    outcomes: list[Outcome] = []
    for letter, futures, said in under_way:
        receipts = [future.result(patience.total_seconds()) for future in futures]
        refused = [receipt.message for receipt in receipts if receipt.rejected]
        said = said or "; ".join(refused)
        outcomes.append(Outcome(letter["id"], not said, said))
    return outcomes


def _read(letter: Mapping[str, Any], journey: Journey) -> tuple[list[Batch], str]:
    """The letter's batches; or none, and why."""
    if letter["encoding"] != REQUEST:
        return [], ONLY_BYTES
    try:
        batches = _batches(letter, journey)
    except UnreadableBody as error:
        return [], str(error)
    for batch in batches:
        batch.is_retry = True
    return [batch for batch in batches if not batch.is_empty()], ""


def _batches(letter: Mapping[str, Any], journey: Journey) -> list[Batch]:
    key_id = letter["api_key"] or ""
    if letter["signal"] == "logs":
        mode = journey.content_modes.get(letter["project_id"], "none")
        told = ingest_logs(
            letter["payload"],
            json=True,
            project_id=letter["project_id"],
            limits=journey.limits,
            now=journey.now,
            content_mode=mode,
            key_id=key_id,
        )
        told.counts.clear()  # the record was counted when it came
        return [told]
    return ingest(
        letter["payload"],
        json=True,
        project_id=letter["project_id"],
        key_id=key_id,
        book=journey.book,
        limits=journey.limits,
        now=journey.now,
        projects=_projects(letter, journey),
        content_modes=journey.content_modes,
    )


def _projects(letter: Mapping[str, Any], journey: Journey) -> Callable[[str], int | None]:
    """Projects that the letter may name: those its sender's key allows, and of these those the asker's key allows.

    A sender whose key is bound to one project stays there, whoever retries its letters.
    """

    def find(name: str) -> int | None:
        found = journey.projects.get(name)
        if not letter["for_all_projects"] or journey.only_project not in (None, found):
            return None
        return found

    return find
