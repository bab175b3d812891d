"""``GET /api/v1/export/focus``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from outlay_collector.access.api import Reader, Reading, projects_of, state_of
from outlay_collector.export import store
from outlay_collector.export.columns import DEFAULT_VERSION
from outlay_collector.export.files import MEDIA_TYPES, written
from outlay_collector.ledger.reads.question import parse_filters

router = APIRouter(prefix="/api/v1", tags=["export"])


@router.get("/export/focus", response_class=Response)
def focus(
    request: Request,
    access: Reader,
    connection: Reading,
    month: Annotated[str, Query(max_length=7, description="Such as 2026-10, in the instance's time zone.")],
    format: Literal["csv", "parquet", "metadata"] = "csv",
    project: Annotated[str | None, Query(description="Absent: all projects this key may see.")] = None,
    filter: Annotated[list[str] | None, Query(description="dimension:value, dimension!:value, dimension:*")] = None,
) -> Response:
    """A month's booked costs in FOCUS 1.2, by day, project, model, meter, tier and tags; `metadata` says what is in it."""
    state = state_of(request)
    ids = tuple(projects_of(access, project, state))
    export = store.focus(
        connection,
        month,
        projects={number: name for name, number in state.project_ids().items() if number in ids},
        filters=parse_filters(filter or ()),
        zone=state.settings.zone,
        currency=state.settings.currency,
        book=state.book(),
    )
    if format == "metadata":
        said = store.metadata(connection, export, version=DEFAULT_VERSION, project_ids=ids, now=datetime.now(UTC))
        return JSONResponse(said)
    name = f"focus-{month}.{format}"
    return Response(
        written(export.sorted_rows(), format, DEFAULT_VERSION),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
