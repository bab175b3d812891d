"""The entry of the dashboard: it navigates, the pages do the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from outlay_dashboard import controls, login, theme
from outlay_dashboard.scope import FIRST_PAGE, Scope, read_scope, with_projects
from outlay_dashboard.states import errors_told
from outlay_dashboard.views import (
    alerts,
    bills,
    budgets,
    explore,
    gpus,
    health,
    latency,
    models,
    overview,
    quality,
    service,
    settings,
    traces,
    units,
)

_PAGES: dict[str, Callable[[Scope], None]] = {
    "overview": overview.show,
    "explore": explore.show,
    "models": models.show,
    "units": units.show,
    "budgets": budgets.show,
    "gpus": gpus.show,
    "bills": bills.show,
    "service": service.show,
    "latency": latency.show,
    "traces": traces.show,
    "alerts": alerts.show,
    "health": health.show,
    "quality": quality.show,
    "settings": settings.show,
}

# A file of our own: Streamlit's icon names would make the browser ask a font server elsewhere.
_MARK = str(Path(__file__).with_name("assets") / "mark.svg")

_SIDEBAR_PIXELS = 216


def main() -> None:
    scope = read_scope()
    st.html(f"<style>{theme.css(scope.look)}</style>")
    if scope.settings.login and login.token(scope.now) is None:
        st.set_page_config(page_title="Outlay", page_icon=_MARK)
        login.ask(scope.words)
        return
    for name, show in _PAGES.items():
        title = scope.words(f"page.{name}")
        scope.pages[name] = st.Page(_page(show, scope), title=title, url_path=name, default=name == FIRST_PAGE)
    chosen = st.navigation(list(scope.pages.values()), position="hidden")
    st.set_page_config(
        page_title=f"{chosen.title} · Outlay",
        page_icon=_MARK,
        layout="wide",
        initial_sidebar_state=_SIDEBAR_PIXELS,
    )
    controls.sidebar(scope)
    chosen.run()


def _page(show: Callable[[Scope], None], scope: Scope) -> Callable[[], None]:
    def run() -> None:
        with errors_told(scope):
            show(with_projects(scope))

    return run


main()
