"""The prices that come with Outlay: the pinned catalogue, our corrections, the fallback names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import yaml

from outlay_collector.pricing import fallback
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.corrections import Corrections, by_rules, read
from outlay_collector.pricing.imports import bundled_catalogue, package_version

_FOLDER = resources.files("outlay_collector.pricing") / "corrections"
# Numbers stay text until they become Decimals: a float in between would be a wrong price.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def _files() -> list[tuple[str, str]]:
    return sorted(
        (file.name, file.read_text("utf-8")) for file in _FOLDER.iterdir() if file.name.endswith((".yaml", ".json"))
    )


def _parsed() -> Iterator[tuple[str, Any]]:
    for name, text in _files():
        if name.endswith(".yaml"):
            yield name, yaml.load(text, Loader=_LOADER)  # noqa: S506  # A BaseLoader makes text only.


@cache
def corrections() -> Corrections:
    """Everything of the release but the catalogue: our reviewed prices, the rules, the fallback names."""
    ours = read(_parsed())
    models, prices = fallback.read(json.loads((_FOLDER / "litellm.json").read_text("utf-8")))
    return replace(ours, models=[*ours.models, *models], prices=[*ours.prices, *prices])


def digest() -> str:
    """Changes when anything that ``default_book`` is made of changes; reads no catalogue."""
    said = json.dumps([package_version(), _files()])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def build(*, with_fallback: bool = True) -> Book:
    """A book of what is bundled, in about a second: it imports the catalogue's package."""
    catalogue, ours = bundled_catalogue(), corrections() if with_fallback else read(_parsed())
    models = [*ours.models, *catalogue.models]
    prices = [*ours.prices, *catalogue.prices]
    stated_models, stated_prices = by_rules(ours.rules, models, prices)
    numbered = [replace(row, id=number) for number, row in enumerate([*prices, *stated_prices], start=1)]
    return Book.from_rows([*models, *stated_models], numbered, signature=digest())


@cache
def default_book() -> Book:
    """The book of a fresh installation, without a database."""
    return build()
