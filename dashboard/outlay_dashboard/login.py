"""Who is looking: people log in at their organisation's OpenID provider, and the API is asked with their own ID token.

The dashboard gives nobody rights. It forwards the token, and the API checks it and decides; so a page shows what its reader
may see, and the dashboard holds no key of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import streamlit as st

from outlay_dashboard import parts


def token(now: datetime) -> str | None:
    """The reader's ID token; None where nobody has logged in, or their token has run out."""
    user: Any = st.user
    if not user.get("is_logged_in") or float(user.get("exp") or 0) <= now.timestamp():
        return None
    return user.tokens.get("id")


def ask(words: Any) -> None:
    """The page for somebody who has not logged in."""
    with st.container(width=560):
        st.html(parts.empty(words("login.title"), words("login.text")))
        st.button(words("login.button"), type="primary", on_click=st.login, key="login")


def shown(words: Any) -> None:
    """Who is logged in, and the way out; for the sidebar."""
    user: Any = st.user
    st.html(parts.sentence(str(user.get("email") or user.get("name") or user.get("sub") or "")))
    st.button(words("login.out"), on_click=st.logout, key="logout", width="stretch")
