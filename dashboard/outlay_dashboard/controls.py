"""The controls every page has, in the same place. They write the URL and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import login, parts
from outlay_dashboard.answers import totals_by
from outlay_dashboard.scope import DEFAULT_DIMENSION, DIMENSIONS, Scope
from outlay_dashboard.windows import DEFAULT, PRESETS, window_of_days
from outlay_dashboard.words import LANGUAGES, Words

_ALL = ""
_MOST_VALUES = 200


# On the links, not on the pages: a page's icon becomes the browser's, and that one is fetched from elsewhere.
_ICONS = {
    "overview": ":material/stacked_bar_chart:",
    "explore": ":material/travel_explore:",
    "models": ":material/balance:",
    "units": ":material/groups:",
    "budgets": ":material/savings:",
    "gpus": ":material/memory:",
    "bills": ":material/receipt_long:",
    "service": ":material/deployed_code:",
    "latency": ":material/timer:",
    "traces": ":material/account_tree:",
    "alerts": ":material/notifications:",
    "health": ":material/monitor_heart:",
    "quality": ":material/fact_check:",
    "settings": ":material/tune:",
}
SECTIONS = {
    "money": ("overview", "explore", "models", "units", "bills", "budgets", "gpus"),
    "work": ("service", "latency", "traces"),
    "operation": ("alerts", "health", "quality", "settings"),
}


def sidebar(scope: Scope) -> None:
    with st.sidebar:
        st.html(parts.brand())
        for section, names in SECTIONS.items():
            st.html(f'<div class="o o-nav">{scope.words(f"nav.{section}")}</div>')
            for name in names:
                page = scope.pages[name]
                st.page_link(page, icon=_ICONS[name], query_params=scope.address(), width="stretch")
        st.space("small")
        _choose("lang", list(LANGUAGES), scope.words.language)
        st.segmented_control(
            scope.words("nav.language"),
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            key="control_lang",
            on_change=_write,
            args=("lang", None),
            label_visibility="collapsed",
        )
        if scope.settings.login:
            login.shown(scope.words)


def bar(
    scope: Scope,
    *,
    with_groups: bool = True,
    with_filters: bool = True,
    with_window: bool = True,
    also: Callable[[], None] | None = None,
) -> None:
    """Project, window and grouping, what the page adds by ``also``, then the filters in force. A page about what runs now
    has no window, and no filters."""
    words = scope.words
    with st.container(horizontal=True, gap="small", key="controls", vertical_alignment="bottom"):
        known = [_ALL, *dict.fromkeys([*scope.projects, *([scope.project] if scope.project else [])])]
        all_of_them = words("control.without_demo" if scope.leaves_out else "control.all_projects")
        _choose("project", known, scope.project or _ALL)
        st.selectbox(
            words("control.project"),
            known,
            format_func=lambda name: name or all_of_them,
            key="control_project",
            on_change=_write,
            args=("project", _ALL),
            width=180,
            label_visibility="collapsed",
        )
        if not with_window:
            return
        _window(scope)
        if with_groups:
            options = list(DIMENSIONS) if scope.by in DIMENSIONS else [*DIMENSIONS, scope.by]
            _choose("by", options, scope.by)
            st.selectbox(
                words("control.by"),
                options,
                format_func=lambda name: words("control.by_dimension", dimension=words.dimension(name)),
                key="control_by",
                on_change=_write,
                args=("by", DEFAULT_DIMENSION),
                width=160,
                label_visibility="collapsed",
            )
        if also:
            also()
        if with_filters:
            _add_filter(scope)
        for text in scope.filters if with_filters else ():
            label = _filter_label(text, scope.words)
            st.button(
                label,
                icon=":material/close:",
                key=f"filter_{text}",
                help=words("control.clear", filter=label),
                on_click=_remove_filter,
                args=(text,),
            )


def choose(
    name: str,
    options: Sequence[str],
    value: str,
    *,
    label: str,
    say: Callable[[str], str],
    flat: bool = False,
) -> None:
    """A control of one page that writes the URL parameter ``name``; ``flat`` shows the options side by side."""
    _choose(name, options, value)
    if flat:
        st.segmented_control(
            label,
            options,
            format_func=say,
            key=f"control_{name}",
            on_change=_write,
            args=(name, None),
            label_visibility="collapsed",
            required=True,
        )
        return
    st.selectbox(
        label,
        options,
        format_func=say,
        key=f"control_{name}",
        on_change=_write,
        args=(name, None),
        label_visibility="collapsed",
        width=220,
    )


def _add_filter(scope: Scope) -> None:
    """A dimension, then one of its values by spend; both must be chosen, so nothing is asked before."""
    words = scope.words
    with st.popover(words("control.filter"), icon=":material/filter_list:"):
        dimension = st.selectbox(
            words("control.dimension"),
            DIMENSIONS,
            index=None,
            format_func=words.dimension,
            key="control_filter_by",
            placeholder=words("control.dimension"),
            label_visibility="collapsed",
        )
        if dimension is None:
            return
        spend = scope.client.ask(api.spend(scope.window, group_by=[dimension], **scope.about))
        groups = totals_by(spend.rows, lambda row: row.of.get(dimension))
        values = sorted(groups, key=lambda value: (-(groups[value].cost or 0), -groups[value].calls))[:_MOST_VALUES]
        st.selectbox(
            words("control.value"),
            [value if value is not None else "" for value in values],
            index=None,
            format_func=lambda value: value or words("not_set", dimension=words.dimension(dimension)),
            key="control_filter_value",
            placeholder=words("control.value"),
            label_visibility="collapsed",
            on_change=_write_filter,
            args=(scope, dimension),
        )


def _write_filter(scope: Scope, dimension: str) -> None:
    value = st.session_state["control_filter_value"]
    if value is not None:
        st.query_params["filter"] = list(scope.with_filter(dimension, value or None))
        st.session_state["control_filter_by"] = None


def _filter_label(text: str, words: Words) -> str:
    name, _, value = text.removeprefix("tag:").partition(":")
    dimension = words.dimension(name.removesuffix("!"))
    if value == "*":
        return words("not_set" if name.endswith("!") else "control.is_there", dimension=dimension)
    return words("control.is_not" if name.endswith("!") else "control.is", dimension=dimension, value=value)


def _window(scope: Scope) -> None:
    words = scope.words
    _choose("window", [*PRESETS, "custom"], scope.window.name)
    st.selectbox(
        words("control.window"),
        [*PRESETS, "custom"],
        format_func=lambda name: words(f"window.{name}"),
        key="control_window",
        on_change=_write_window,
        args=(scope,),
        width=160,
        label_visibility="collapsed",
    )
    if scope.window.name == "custom":
        first, last = scope.window.start.date(), (scope.window.end - timedelta(microseconds=1)).date()
        st.session_state["control_days"] = (first, last)
        st.date_input(
            words("control.days"),
            key="control_days",
            on_change=_write_days,
            args=(scope,),
            format="YYYY-MM-DD",
            width=230,
            label_visibility="collapsed",
        )


def _choose(name: str, options: Sequence[str], value: str) -> None:
    """The control shows what the URL says, also when the URL was changed by a link or by hand."""
    st.session_state[f"control_{name}"] = value if value in options else options[0]


def _write(name: str, default: str | None) -> None:
    value = st.session_state[f"control_{name}"]
    if value is None or value == default:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def _write_window(scope: Scope) -> None:
    name = st.session_state["control_window"]
    if name == "custom":  # begins with the days on screen
        last = (scope.window.end - timedelta(microseconds=1)).date()
        name = window_of_days(scope.window.start.date(), last, scope.window.zone).as_parameter()
    if name == DEFAULT:
        st.query_params.pop("window", None)
    else:
        st.query_params["window"] = name


def _write_days(scope: Scope) -> None:
    days = st.session_state["control_days"]
    if len(days) == 2:
        st.query_params["window"] = window_of_days(days[0], days[1], scope.window.zone).as_parameter()


def _remove_filter(text: str) -> None:
    left = [other for other in st.query_params.get_all("filter") if other != text]
    if left:
        st.query_params["filter"] = left
    else:
        st.query_params.pop("filter", None)
