"""What a page shows when it cannot show its figures: nothing yet, nothing here, no answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import parts
from outlay_dashboard.client import ApiError, NotAllowedError, TooSlowError, UnreachableError
from outlay_dashboard.scope import Scope
from outlay_dashboard.windows import window_of_days

_AGAIN_SECONDS = 4
_LISTEN_SECONDS = 2
_READING_PIXELS = 720

_SNIPPET = """\
import outlay

outlay.configure(endpoint="{endpoint}", api_key="out_...")

@outlay.observe(team="search", feature="answers")
def answer(question: str):
    return client.chat.completions.create(
        model="gpt-4.1-mini", messages=[{{"role": "user", "content": question}}]
    )
"""


@contextmanager
def errors_told(scope: Scope) -> Iterator[None]:
    """An error of the API becomes a sentence where the page would have gone on."""
    try:
        yield
    except ApiError as error:
        _tell(error, scope)


def nothing_recorded(scope: Scope) -> bool:
    """Whether the reader's key sees no call at all, at any time."""
    today = scope.now.astimezone(scope.window.zone).date()
    ever = window_of_days(today - timedelta(days=3650), today, scope.window.zone)
    return not scope.client.ask(api.calls(window=ever, limit=1), fresh=True).rows


def first_run(scope: Scope) -> None:
    """The snippet, and an ear for the first span: the page turns into the real one by itself."""
    words = scope.words

    @st.fragment(run_every=_LISTEN_SECONDS)
    def listen() -> None:
        st.html(parts.waiting(words("empty.waiting", endpoint=scope.settings.endpoint)))
        if not nothing_recorded(scope):
            _look_again(scope)

    with st.container(width=_READING_PIXELS):
        st.html(parts.empty(words("empty.first_run"), words("empty.first_run_do")))
        st.code("pip install outlay", language="bash")
        st.code(_SNIPPET.format(endpoint=scope.settings.endpoint), language="python")
        st.html(f'<div class="o muted">{words("empty.key")}</div>')
        listen()


def nothing_here(scope: Scope) -> None:
    """There are calls, but none in this window under these filters."""
    words = scope.words
    st.html(parts.empty(words("empty.window"), words("empty.window_do")))
    if st.button(words("empty.show_longer"), type="primary"):
        st.query_params.from_dict(scope.address(window="90d", filter=None))
        st.rerun()


def _tell(error: ApiError, scope: Scope) -> None:
    words = scope.words
    kind = _kind(error)
    with st.container(width=_READING_PIXELS):
        st.html(parts.empty(words(f"error.{kind}", endpoint=error.endpoint), words(f"error.{kind}_do"), kind="bad"))
        if st.button(words("error.again"), type="primary"):
            _look_again(scope)
        with st.expander(words("error.details")):
            st.code(error.detail or repr(error), language=None, wrap_lines=True)
    if isinstance(error, UnreachableError):
        _watch(scope)


def _watch(scope: Scope) -> None:
    @st.fragment(run_every=_AGAIN_SECONDS)
    def again() -> None:
        try:
            scope.client.ask(api.projects(), fresh=True)
        except UnreachableError:
            return
        except ApiError:
            pass
        _look_again(scope)

    again()


def _look_again(scope: Scope) -> None:
    scope.client.forget()
    st.rerun()


def _kind(error: ApiError) -> str:
    if isinstance(error, UnreachableError):
        return "unreachable"
    if isinstance(error, TooSlowError):
        return "slow"
    if isinstance(error, NotAllowedError):
        return "not_allowed"
    return "refused"
