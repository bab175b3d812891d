"""The page about GPUs: what was used, what was not, what tokens cost; and what to do where there is no pool."""

from __future__ import annotations

from collections.abc import Callable

from tests.browser.conftest import Look

Open = Callable[..., Look]


def test_a_pool_shows_where_its_hours_went_what_tokens_cost_and_when_it_pays(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/gpus?window=7d", wait_for=".js-plotly-plot")
    page.get_by_text("chat against an API").wait_for()
    text = seen.text()
    for said in ("H100", "Unattributed", "Tensor cores active", "8.0 %", "2027-03-14", "list price"):
        assert said in text
    assert page.locator(".js-plotly-plot").count() == 3


def test_a_link_chooses_another_pool(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/gpus?window=7d", wait_for=".js-plotly-plot")
    page.locator(".o-ledger a", has_text="research").first.click()
    page.get_by_text("Where the hours of research went").wait_for()
