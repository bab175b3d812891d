"""Cost allocation tags over HTTP: tags that have sums of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from outlay_collector.access.api import Admin, Reader, Reading, Writing
from outlay_collector.errors import Forbidden
from outlay_collector.ledger.later import store

router = APIRouter(prefix="/api/v1", tags=["tags"])


class NewTag(BaseModel):
    key: str = Field(min_length=1, max_length=200, description="Of `outlay.tag.<key>`, as calls carry it.")


@router.get("/tags")
def list_tags(access: Reader, connection: Reading) -> dict[str, Any]:
    """Declared cost allocation tags, and how many days of projects are still to be summed by each."""
    return {"rows": store.listed(connection)}


@router.post("/tags", status_code=201)
def declare_tag(new: NewTag, access: Admin, connection: Writing) -> dict[str, Any]:
    """Questions about `tag:<key>` are answered from sums; days of the past follow in the background, newest first."""
    _for_all(access)
    store.declare(connection, new.key, actor=access.key_id, now=datetime.now(UTC))
    return {"key": new.key}


@router.delete("/tags/{key:path}")
def withdraw_tag(key: str, access: Admin, connection: Writing) -> dict[str, Any]:
    """Questions about `tag:<key>` are answered from calls again, as those about any other tag are."""
    _for_all(access)
    store.withdraw(connection, key, actor=access.key_id)
    return {"withdrawn": key}


def _for_all(access: Admin) -> None:
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; tags are declared for all of them.")
