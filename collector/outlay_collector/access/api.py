"""Who is asking, and the endpoints for projects and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query, Request
from psycopg import Connection
from psycopg_pool import ConnectionPool
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from outlay_collector.access import store
from outlay_collector.access.keys import Access
from outlay_collector.access.people.token import looks_like_one
from outlay_collector.access.wall import store as wall
from outlay_collector.access.wall.plan import role_of
from outlay_collector.errors import Forbidden, NotFound, Unauthorised
from outlay_collector.state import State

router = APIRouter(prefix="/api/v1", tags=["access"])


def state_of(request: HTTPConnection) -> State:
    return cast("State", request.app.state.outlay)


def presented_key(request: HTTPConnection) -> str | None:
    """The key of ``Authorization: Bearer KEY`` or ``x-api-key``; also the password of Basic, which some exporters send."""
    header = request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("x-api-key")


def authenticate(request: HTTPConnection) -> Access:
    """Who is asking. Asks the database at most once per key and few seconds."""
    key = presented_key(request)
    if key is None:
        raise Unauthorised("No API key: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`.")
    people = state_of(request).people
    if people is not None and looks_like_one(key):
        return people.access_of(key)
    access = state_of(request).keys.access_of(key)
    if access is None:
        raise Unauthorised(
            "The API key is not valid: mistyped, expired or revoked. `outlay key create` makes a new one."
        )
    return access


def require(*scopes: str) -> Callable[[Request], Access]:
    """A dependency: the caller's access, if it has one of ``scopes``."""

    def dependency(request: Request) -> Access:
        access = authenticate(request)
        if not any(access.allows(scope) for scope in scopes):
            raise Forbidden(
                f"This key lacks the scope {' or '.join(scopes)}; create one with `outlay key create --scope …`."
            )
        return access

    return dependency


def projects_of(access: Access, name: str | None, state: State) -> list[int]:
    """Ids of the projects a request speaks of: the one named, or all that the key may see."""
    if name is None:
        return [access.project_id] if access.project_id is not None else sorted(state.project_ids().values())
    if name not in state.project_ids():
        state.look_again()  # it may have been made a moment ago
    found = state.project_ids().get(name)
    # The same answer for a project of others as for none, so that names cannot be probed.
    if found is None or (access.project_id is not None and access.project_id != found):
        raise NotFound(f"There is no project {name!r:.120} that this key may see.")
    return [found]


def behind_the_wall(request: Request, pool: ConnectionPool[Connection[Any]]) -> AbstractContextManager[Connection[Any]]:
    """A connection that the database itself keeps to what the caller may see, in a transaction of its own."""
    access = authenticate(request)
    projects = [] if access.project_id is None else [access.project_id]
    return wall.behind(pool, role_of(access) if state_of(request).walled() else None, projects)


def reading(request: Request) -> Iterator[Connection[Any]]:
    """A connection for a read."""
    with behind_the_wall(request, state_of(request).reads) as connection:
        yield connection


def asking(request: Request) -> Iterator[Connection[Any]]:
    """A connection for a question about sums, which may take its time: looking up a call does not wait for it."""
    with behind_the_wall(request, state_of(request).questions) as connection:
        yield connection


def writing(request: Request) -> Iterator[Connection[Any]]:
    """A connection for a change; committed when the handler returns, undone when it raises."""
    with state_of(request).writes.connection() as connection:
        yield connection


Reader = Annotated[Access, Depends(require("read", "finance"))]
Reads = Annotated[Access, Depends(require("read"))]  # also what people wrote, which finance does not see
Admin = Annotated[Access, Depends(require("admin"))]
Reading = Annotated[Connection[Any], Depends(reading)]
Asking = Annotated[Connection[Any], Depends(asking)]
Writing = Annotated[Connection[Any], Depends(writing)]


KeyId = Annotated[str, Path(max_length=40)]


class NewProject(BaseModel):
    name: str = Field(min_length=1, max_length=100)


class NewKey(BaseModel):
    project: str | None = Field(default=None, description="Absent: for all projects.")
    scopes: list[str] = Field(min_length=1, max_length=8)
    name: str | None = Field(default=None, max_length=200)
    expires_at: datetime | None = None


@router.get("/projects")
def list_projects(access: Reader, connection: Reading) -> dict[str, Any]:
    """Projects this key may see."""
    ids = store.project_ids(connection)
    rows = [row for row in store.list_projects(connection) if access.project_id in (None, ids[row["name"]])]
    return {"rows": rows}


@router.post("/projects", status_code=201)
def create_project(new: NewProject, access: Admin, connection: Writing) -> dict[str, Any]:
    _for_all(access)
    store.create_project(connection, new.name, actor=access.key_id)
    return {"name": new.name.strip()}


@router.get("/keys")
def list_keys(access: Admin, connection: Reading) -> dict[str, Any]:
    """Keys by id; the secrets are not kept."""
    _for_all(access)
    return {"rows": store.list_keys(connection)}


@router.post("/keys", status_code=201)
def create_key(new: NewKey, access: Admin, connection: Writing) -> dict[str, Any]:
    """A new key, shown this once."""
    _for_all(access)
    key = store.create_key(
        connection,
        project=new.project,
        scopes=new.scopes,
        name=new.name,
        expires_at=new.expires_at,
        actor=access.key_id,
    )
    return {"key": key}


class Rotation(BaseModel):
    overlap_hours: float = Field(default=24, ge=0, le=24 * 90, description="How long the old key goes on working.")


@router.post("/keys/{key_id}/rotate", status_code=201)
def rotate_key(key_id: KeyId, wanted: Rotation, access: Admin, connection: Writing) -> dict[str, Any]:
    """A new key in the place of an old one, shown this once; both work until `old_key_until`."""
    _for_all(access)
    overlap = timedelta(hours=wanted.overlap_hours)
    key, until = store.rotate_key(connection, key_id, overlap=overlap, actor=access.key_id)
    return {"key": key, "old_key_until": until}


@router.get("/audit")
def list_audit(
    access: Admin,
    connection: Reading,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> dict[str, Any]:
    """Who did what, newest first: keys, prices, months, budgets, jobs. Nothing of it can be changed."""
    _for_all(access)
    rows = store.audit(connection, before=before, limit=limit)
    return {"rows": rows, "next": rows[-1]["id"] if len(rows) == limit else None}


@router.delete("/keys/{key_id}")
def revoke_key(key_id: KeyId, access: Admin, connection: Writing) -> dict[str, Any]:
    _for_all(access)
    store.revoke_key(connection, key_id, actor=access.key_id)
    return {"revoked": key_id}


def _for_all(access: Access) -> None:
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; projects and keys are managed with a key for all projects.")
