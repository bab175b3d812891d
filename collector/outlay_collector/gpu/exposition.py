"""Prometheus text, line by line, so that one bad line never loses the rest. Pure.

A library's parser gives up at the first line that it does not like, renames counters without ``_total``, and asks for
the TYPE lines that some exporters leave out. What a name means stands in our own tables (``adapters``), so lines are all
that is read here.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_LABELS = 64
"""Labels of one sample; more is no metric of an engine."""

MAX_SAMPLES = 100_000
"""Samples of one text; what comes after them is counted as skipped."""

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:.]*"
_LINE = re.compile(rf"({_NAME})\s*(?:\{{(.*)\}})?\s+(\S+)(?:\s+-?\d+)?\s*(?:#.*)?")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")
_NEWLINE = {"n": "\n"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One number under a name. ``unit`` is told by OTLP only."""

    name: str
    labels: Mapping[str, str]
    value: float
    unit: str = ""


@dataclass(slots=True)
class Exposition:
    """A text's samples, in order, without those that say "no number"; and how many lines could not be read."""

    samples: list[Sample] = field(default_factory=list[Sample])
    skipped_lines: int = 0

    def families(self) -> int:
        """Names, with the parts of a histogram as one."""
        return len({family_of(sample.name) for sample in self.samples})


def family_of(name: str) -> str:
    """The name of the family that a sample belongs to."""
    for ending in ("_bucket", "_sum", "_count", "_created"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def parse(text: str) -> Exposition:
    """Every sample that can be read. Some builds of llama.cpp send the text as a JSON string: it is unquoted."""
    found = Exposition()
    for line in _lines(text):
        if len(found.samples) >= MAX_SAMPLES:
            found.skipped_lines += 1
            continue
        try:
            sample = _sample(line)
        except ValueError:
            found.skipped_lines += 1
        else:
            if math.isfinite(sample.value):
                found.samples.append(sample)
    return found


def _lines(text: str) -> Iterator[str]:
    if text.startswith('"'):
        with contextlib.suppress(ValueError):
            text = str(json.loads(text))
    for raw in text.split("\n"):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield line


def _sample(line: str) -> Sample:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(line)
    name, labels, value = found.groups()
    return Sample(name, _labels(labels) if labels else {}, float(value))


def _labels(text: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    position = 0
    text = text.strip()
    while position < len(text):
        found = _LABEL.match(text, position)
        if found is None or len(labels) >= MAX_LABELS:
            raise ValueError(text)
        value = found[2]
        if "\\" in value:
            value = _ESCAPED.sub(lambda escaped: _NEWLINE.get(escaped[1], escaped[1]), value)
        labels[found[1]] = value
        position = found.end()
    return labels
