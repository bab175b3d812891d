"""Model names as telemetry spells them: which two spellings can mean one model."""

from __future__ import annotations

from functools import lru_cache

_REGIONS = ("us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca.")
_VENDORS = ("anthropic.", "amazon.", "meta.", "mistral.", "cohere.", "ai21.", "deepseek.", "openai.", "qwen.")


@lru_cache(maxsize=4096)
def family(model: str) -> str:
    """The name without gateway prefixes, dates and revision marks: ``openai/gpt-4o-2024-08-06`` is ``gpt-4o``."""
    name = model.strip().lower().rsplit("/", 1)[-1]
    for regions in (_REGIONS, _VENDORS):
        for prefix in regions:
            if name.startswith(prefix):
                name = name[len(prefix) :]
                break
    name = name.removeprefix("ft:").split("@", 1)[0].split(":", 1)[0]
    for ending in ("-latest", "-v1", "-v2", "-v3"):
        name = name.removesuffix(ending)
    return _undated(name).replace(".", "-")


def _undated(name: str) -> str:
    """Cut ``-2024-08-06``, ``-20240806``, ``-0613``, ``-001`` and ``-preview-05-06`` style endings."""
    parts = name.split("-")
    while len(parts) > 1 and parts[-1].isdigit() and (len(parts[-1]) in (3, 4, 8) or _is_day(parts)):
        del parts[-3 if _is_day(parts) else -1 :]
    return "-".join(parts)


def _is_day(parts: list[str]) -> bool:
    return (
        len(parts) > 3
        and [len(part) for part in parts[-3:]] == [4, 2, 2]
        and all(part.isdigit() for part in parts[-3:])
    )


@lru_cache(maxsize=8192)
def families(request_model: str | None, response_model: str | None) -> frozenset[str]:
    """The families a call may belong to: of the model asked for and of the model that answered."""
    return frozenset(family(model) for model in (request_model, response_model) if model)


def same_family(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two calls can be of one model; a call without any model fits all."""
    return not one or not other or not one.isdisjoint(other)
