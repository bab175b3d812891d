"""Every colour and measure of the dashboard, for light and dark; LOOK in one file.

Nothing else names a colour. Streamlit gets its part as command-line flags (``streamlit_flags``), Plotly through
``figures``, our own HTML through ``css``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FONT = '"Source Sans", "Source Sans 3", "Noto Sans CJK KR", "Noto Sans KR", "Apple SD Gothic Neo", sans-serif'


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One of the two appearances. Text colours keep AA contrast (4.5:1) against ``page``; a test says so."""

    name: str
    ink: str
    muted: str
    hairline: str
    page: str
    panel: str  # a surface slightly off the page: the sidebar, code, chips
    accent: str
    categories: tuple[str, ...]
    other: str  # the rest of a stack
    unknown: str  # not priced, unobserved: drawn hatched
    good: str
    warning: str
    bad: str


LIGHT = Look(
    name="light",
    ink="#1B1F24",
    muted="#667080",
    hairline="#E5E7EB",
    page="#FFFFFF",
    panel="#F7F8F9",
    accent="#0B6E99",
    categories=("#4269D0", "#EFB118", "#FF725C", "#3CA951", "#A463F2", "#97BBF5", "#9C6B4E", "#FF8AB7"),
    other="#9498A0",
    unknown="#9CA3AF",
    good="#2E7D32",
    warning="#9A5B00",
    bad="#C62828",
)
DARK = Look(
    name="dark",
    ink="#E8EAED",
    muted="#9AA3AF",
    hairline="#2D333B",
    page="#0F1318",
    panel="#161B22",
    accent="#5CB8E4",
    # The light hues, a little lighter and calmer, so that none glares and blue stays above the page.
    categories=("#6C8FEA", "#EDBE4B", "#FF8A76", "#58BE6C", "#B685F5", "#A9C8F8", "#B98A6D", "#FF9FC4"),
    other="#7C828C",
    unknown="#6B7280",
    good="#66BB6A",
    warning="#F0A848",
    bad="#F2736E",
)


def look_named(name: str | None) -> Look:
    return DARK if name == DARK.name else LIGHT


def streamlit_flags() -> list[str]:
    """Streamlit's half of the theme, as options of ``streamlit run``."""
    flags = ["--theme.baseRadius=6px", "--theme.showWidgetBorder=true", "--theme.linkUnderline=false"]
    for look in (LIGHT, DARK):
        section = f"--theme.{look.name}"
        flags += [
            f"{section}.primaryColor={look.accent}",
            f"{section}.backgroundColor={look.page}",
            f"{section}.secondaryBackgroundColor={look.panel}",
            f"{section}.textColor={look.ink}",
            f"{section}.linkColor={look.accent}",
            f"{section}.borderColor={look.hairline}",
            f"{section}.dataframeBorderColor={look.hairline}",
        ]
    return flags


def css(look: Look) -> str:
    """``assets/style.css`` with the colours of the look."""
    return f"""
:root {{
  --ink: {look.ink}; --muted: {look.muted}; --hairline: {look.hairline}; --page: {look.page}; --panel: {look.panel};
  --accent: {look.accent}; --good: {look.good}; --warning: {look.warning}; --bad: {look.bad};
  --unknown: {look.unknown}; --other: {look.other};
}}
{_rules()}
"""


@cache
def _rules() -> str:
    return Path(__file__).with_name("assets").joinpath("style.css").read_text(encoding="utf-8")
