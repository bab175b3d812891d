"""What the reader is looking at. The URL is its only home: pages read it from there, controls write it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict
from urllib.parse import urlencode

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import login
from outlay_dashboard.client import Client
from outlay_dashboard.settings import Settings, read_settings
from outlay_dashboard.theme import Look, look_named
from outlay_dashboard.windows import DEFAULT, Window, window_named, window_of_days
from outlay_dashboard.words import LANGUAGES, Words, language_for

DIMENSIONS = (
    "team",
    "cost_center",
    "owner",
    "feature",
    "provider",
    "model",
    "service",
    "environment",
    "project",
    "operation",
    "service_tier",
    "step",
    "agent",
    "tool",
    "customer",
    "user",
    "session",
)
DEFAULT_DIMENSION = "team"
CARRIED = ("project", "window", "by", "filter", "lang")  # what goes along from page to page


DEMO = "demo"
FIRST_PAGE = "overview"


class About(TypedDict):
    project: str | None
    filters: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """One run of one page. ``now`` is read once, so that everything on the page speaks of the same moment."""

    settings: Settings
    client: Client
    words: Words
    look: Look
    now: datetime
    project: str | None
    window: Window
    by: str
    filters: tuple[str, ...]
    projects: tuple[str, ...] = ()  # all that the key may see
    leaves_out: tuple[str, ...] = ()  # filters that keep demo data apart from real spend
    pages: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def about(self) -> About:
        """What every question of the page is about."""
        return {"project": self.project, "filters": (*self.filters, *self.leaves_out)}

    def address(self, **changes: str | Sequence[str] | None) -> dict[str, str | list[str]]:
        """Query parameters of a page that shows the same with ``changes``; None takes one away."""
        now: Mapping[str, list[str]] = {name: st.query_params.get_all(name) for name in CARRIED}
        kept: dict[str, str | list[str]] = {name: values for name, values in now.items() if values}
        for name, value in changes.items():
            kept.pop(name, None)
            if value:
                kept[name] = value if isinstance(value, str) else list(value)
        return kept

    def link(self, page: str, **changes: str | Sequence[str] | None) -> str:
        """The same as a relative address, for links inside our own HTML."""
        # The first page lives at the root, and relative to any page that is here.
        here = "./" if page == FIRST_PAGE else page
        return f"{here}?{urlencode(self.address(**changes), doseq=True)}"

    def with_filter(self, dimension: str, value: str | None) -> tuple[str, ...]:
        """The filters and one more; a dimension is filtered by one value at a time."""
        others = tuple(text for text in self.filters if not text.startswith((f"{dimension}:", f"{dimension}!:")))
        return (*others, f"{dimension}:{value}" if value else f"{dimension}!:*")


def read_scope() -> Scope:
    """The scope of this run, from the URL, the browser and the environment."""
    settings = read_settings()
    asked = st.query_params
    now = datetime.now(UTC)
    language = asked.get("lang", "")
    window = window_named(asked.get("window", DEFAULT), now, settings.zone)
    by = asked.get("by", DEFAULT_DIMENSION)
    return Scope(
        settings=settings,
        client=_client(settings.endpoint, login.token(now) if settings.login else settings.api_key),
        words=Words(language if language in LANGUAGES else language_for(st.context.locale)),
        look=look_named(st.context.theme.type),
        now=now,
        project=asked.get("project") or None,
        window=window or window_named(DEFAULT, now, settings.zone) or _never(),
        by=by if by in DIMENSIONS or by.startswith("tag:") else DEFAULT_DIMENSION,
        filters=tuple(text for text in asked.get_all("filter") if ":" in text),
    )


def with_projects(scope: Scope) -> Scope:
    """The scope with the projects there are. Demo data is never mixed with real spend: without a choice the page is
    about all real projects, and about the demo only while nothing else has calls."""
    names = tuple(project.name for project in scope.client.ask(api.projects()))
    if scope.project or DEMO not in names or len(names) == 1:
        return replace(scope, projects=names)
    today = scope.now.astimezone(scope.window.zone).date()
    lately = window_of_days(today - timedelta(days=365), today, scope.window.zone)
    without_demo = (f"project!:{DEMO}",)
    if any(row.calls for row in scope.client.ask(api.spend(lately, filters=without_demo)).rows):
        return replace(scope, projects=names, leaves_out=without_demo)
    return replace(scope, projects=names, project=DEMO)


@st.cache_resource(show_spinner=False, max_entries=500)
def _client(endpoint: str, api_key: str | None) -> Client:
    """One client, connection pool and cache for all readers with the same key or token."""
    return api.Client(endpoint, api_key)


def _never() -> Window:
    raise AssertionError("the default window is always known")
