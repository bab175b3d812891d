"""The known name nearest to one that nothing prices: offered to a person, never taken by itself."""

from __future__ import annotations

from difflib import get_close_matches

from outlay_collector.pricing import names
from outlay_collector.pricing.book import Book


def nearest(book: Book, provider: str | None, model: str) -> tuple[str, str] | None:
    """(provider, name) of the most similar model, of the same provider if that has one; None if nothing is similar."""
    asked = [pair for group in names.candidates(provider, model) for pair in group]
    for owner in dict.fromkeys(owner for owner, _ in asked):
        known = {name for _, name in book.exact_names(owner)}
        for candidate in dict.fromkeys(name for host, name in asked if host == owner):
            found = get_close_matches(candidate, known, n=1, cutoff=0.7)
            if found:
                return owner, found[0]
    return None
