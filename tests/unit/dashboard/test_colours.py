"""One entity, one colour; and text one can read on both pages."""

from __future__ import annotations

import pytest
from outlay_dashboard.colours import colours, places
from outlay_dashboard.theme import DARK, LIGHT, Look, css, look_named, streamlit_flags

RANKED = ["search", "support", "growth", "platform", "research", "finance", "legal", "ops", "tiny"]


def test_no_two_of_the_largest_share_a_colour():
    assert len(set(places("team", RANKED, 8).values())) == 8


def test_an_entity_keeps_its_colour_whatever_is_shown_beside_it():
    alone = colours("team", ["growth"], RANKED, LIGHT)
    together = colours("team", [*RANKED], RANKED, LIGHT)
    assert alone["growth"] == together["growth"]


def test_what_happens_below_an_entity_does_not_change_its_colour():
    assert places("team", RANKED, 8)["growth"] == places("team", RANKED[:3], 8)["growth"]


def test_entities_outside_the_ranking_do_not_take_a_shown_colour():
    shown = ["newcomer", *RANKED[:5]]
    assert len(set(colours("team", shown, RANKED, LIGHT).values())) == len(shown)


def test_light_and_dark_agree_on_who_has_which_place():
    light, dark = (colours("provider", ["openai", "anthropic"], [], look) for look in (LIGHT, DARK))
    assert [LIGHT.categories.index(light[key]) for key in light] == [DARK.categories.index(dark[key]) for key in dark]


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=lambda look: look.name)
@pytest.mark.parametrize("role", ["ink", "muted", "accent", "good", "warning", "bad"])
@pytest.mark.parametrize("surface", ["page", "panel"])
def test_text_has_aa_contrast(look: Look, role: str, surface: str):
    assert _contrast(getattr(look, role), getattr(look, surface)) >= 4.5


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=lambda look: look.name)
def test_marks_stand_out_from_the_page(look: Look):
    # 3:1 is the rule for graphics; the two pale hues of LOOK's palette are exempt because every mark is labelled.
    weak = [colour for colour in look.categories if _contrast(colour, look.page) < 3]
    assert len(weak) <= 4


def test_the_stylesheet_carries_the_look():
    assert LIGHT.ink in css(LIGHT)
    assert DARK.page in css(DARK)
    assert look_named(None) is LIGHT
    assert f"--theme.dark.backgroundColor={DARK.page}" in streamlit_flags()


def _contrast(first: str, second: str) -> float:
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
