"""The one door for telemetry, whatever protocol it comes by: who is it, is there room, read it, commit it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from outlay_collector.access.keys import Access
from outlay_collector.errors import BadRequest, Forbidden, Unauthorised, Unavailable
from outlay_collector.receive.attribute import Attribution
from outlay_collector.receive.batch import Batch, Receipt
from outlay_collector.receive.compression import inflate
from outlay_collector.receive.ingest import Limits, ingest, ingest_logs, ingest_metrics
from outlay_collector.receive.traffic import Load
from outlay_collector.state import State

ADMISSION_SECONDS = 3.0
"""Longest wait for the database to say whose a key is."""

ROW_BYTES = 1500
"""What a decoded span holds beside its texts while it waits for its commit; an estimate, rounded up."""

DEFAULT_PROJECT = "default"
"""Where spans go whose key is for all projects and whose sender names none."""


async def admit(state: State, key: str | None) -> Access:
    """Who is sending; an OutlayError that says why not otherwise. Asks the database at most every few seconds."""
    if key is None:
        raise Unauthorised("No API key: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`.")
    known, _ = state.keys.remembered(key)
    access = state.keys.access_of(key) if known else await _asked(state, key)
    if access is None:
        raise Unauthorised(
            "The API key is not valid: mistyped, expired or revoked. `outlay key create` makes a new one."
        )
    if not access.allows("ingest"):
        raise Forbidden("This key lacks the scope ingest; create one with `outlay key create --scope ingest`.")
    return access


async def _asked(state: State, key: str) -> Access | None:
    """What the database says about a key. However many wait for the answer, it is asked once, and not waited for long."""
    task = state.asking.get(key)
    if task is None:
        task = state.asking[key] = asyncio.ensure_future(asyncio.to_thread(state.keys.access_of, key))
        task.add_done_callback(lambda done: (state.asking.pop(key, None), done.cancelled() or done.exception()))
    try:
        async with asyncio.timeout(ADMISSION_SECONDS):
            return await asyncio.shield(task)
    except Exception as error:
        access = state.keys.in_an_outage(key)
        if access is None:
            raise Unavailable("The database cannot be asked about the key; send again.") from error
        return access


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A request's body as it came, what it holds of this process, and how to read it."""

    body: bytes
    load: Load
    json: bool
    encoding: str = ""
    project: str | None = None  # named by a sender whose key is for all projects


Read = Callable[[bytes, int], list[Batch]]
"""An inflated body and the project it is for become batches to commit. Runs in a thread."""


async def take_traces(state: State, access: Access, parcel: Parcel) -> Receipt:
    """Everything that is not rejected is committed when this returns."""

    def read(body: bytes, project_id: int) -> list[Batch]:
        return ingest(
            body,
            json=parcel.json,
            project_id=project_id,
            key_id=access.key_id,
            book=state.book(),
            limits=_limits(state),
            now=datetime.now(UTC),
            content_modes=state.content_modes(),
            attribution=Attribution(state.rules(), state.project_ids()),
            projects=(lambda name: state.project_ids().get(name)) if access.project_id is None else lambda _: None,
        )

    return await _take(state, access, parcel, read)


async def take_logs(state: State, access: Access, parcel: Parcel) -> Receipt:
    """GenAI events are committed and joined to their spans; other log records are counted."""

    def read(body: bytes, project_id: int) -> list[Batch]:
        mode = state.content_modes().get(project_id, "none")
        told = ingest_logs(
            body,
            json=parcel.json,
            project_id=project_id,
            limits=_limits(state),
            now=datetime.now(UTC),
            content_mode=mode,
            key_id=access.key_id,
        )
        return [told]

    return await _take(state, access, parcel, read)


async def take_metrics(state: State, access: Access, parcel: Parcel) -> Receipt:
    """Data points are counted by metric; those of GPUs and engines are committed as telemetry."""
    told: list[tuple[int, bytes]] = []

    def read(body: bytes, project_id: int) -> list[Batch]:
        told.append((project_id, body))
        return [ingest_metrics(body, json=parcel.json, project_id=project_id)]

    receipt = await _take(state, access, parcel, read)
    for project_id, body in told:
        if state.tells_of_gpus(body):
            await asyncio.to_thread(state.take_telemetry, project_id, body, parcel.json)
    return receipt


def _limits(state: State) -> Limits:
    return Limits(retention=state.settings.retention, future_tolerance=state.settings.future_tolerance)


Take = Callable[[State, Access, Parcel], Awaitable[Receipt]]


async def _take(state: State, access: Access, parcel: Parcel, read: Read) -> Receipt:
    """Read and commit. Whatever the request comes to hold is added to what is in flight before more is done with it."""
    if not parcel.body:
        return Receipt(0)
    settings = state.settings
    project_id = await project_of(state, access, parcel.project)
    in_thread = asyncio.get_running_loop().run_in_executor
    body = parcel.body
    if parcel.encoding:
        body = await in_thread(state.decoders, inflate, body, parcel.encoding, settings.max_body_bytes)
        parcel.load.add(len(body))
    batches = await in_thread(state.decoders, read, body, project_id)
    parcel.load.add(ROW_BYTES * sum(len(batch.rows) for batch in batches))
    # Who gives up waiting takes its batch out of the queue; one that is being written cannot be taken back.
    waiting = [asyncio.wrap_future(state.committer.submit(batch)) for batch in batches if not batch.is_empty()]
    try:
        async with asyncio.timeout(settings.ingest_timeout.total_seconds()):
            receipts = await asyncio.gather(*waiting)
    except TimeoutError:
        raise Unavailable("The database took too long; send again. What was stored after all stays once.") from None
    accepted = sum(receipt.accepted for receipt in receipts)
    rejected = sum(receipt.rejected for receipt in receipts)
    state.traffic.spans_accepted += accepted
    state.traffic.spans_rejected += rejected
    return Receipt(accepted, rejected, "; ".join(receipt.message for receipt in receipts if receipt.message))


async def project_of(state: State, access: Access, name: str | None) -> int:
    wanted = name or DEFAULT_PROJECT
    if (access.project_id is None or name is not None) and wanted not in state.project_ids():
        await asyncio.to_thread(state.look_again)  # it may have been made a moment ago
    if access.project_id is not None:
        if name is not None and state.project_ids().get(name) != access.project_id:
            raise Forbidden(f"This key is bound to another project than {name!r:.120}, which x-outlay-project names.")
        return access.project_id
    found = state.project_ids().get(wanted)
    if found is None:
        raise BadRequest(f"x-outlay-project names {name!r:.120}, and there is no such project; nothing was stored.")
    return found
