"""``docs/dialects.md``, written from the tables, so that it cannot say anything else than what is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outlay_collector.calls import flags
from outlay_collector.calls.dialects import DIALECTS
from outlay_collector.calls.dialects.dialect import EVERYBODY, SLOTS, Dialect
from outlay_collector.calls.dialects.otel_genai import NAMES as CONVENTIONS


@dataclass(frozen=True, slots=True)
class Limit:
    """What some payloads cannot tell, whoever reads them; ``cases`` are those of the corpus, ``shown`` is what a user sees."""

    what: str  # calls, attempts, unreported, usage, cache_read, cache_write, reasoning or finish_reasons
    cases: tuple[str, ...]
    reason: str
    shown: str


_HEAD = """\
# Dialects

Any OpenTelemetry source of LLM spans may send to Outlay. Each writes other names, and the same name may mean another
thing: `gen_ai.usage.input_tokens` includes cached tokens in one source and leaves them out in the next. What a source
means is decided by its instrumentation scope, else by an attribute that only it writes, never by a request's headers.

This page is generated from the tables in `collector/outlay_collector/calls/dialects/`; after a change run
`OUTLAY_WRITE_DOCS=1 pytest tests/unit/calls/test_docs.py`.

## The normal form

Every span becomes a `Call`. Totals are inclusive: input holds what was read from and written to the cache and audio,
output holds reasoning and audio. Parts are told apart where the source tells them. Absent is null, never zero; where a
source is known to leave out zeros, its absent parts are zero.

`usage_source` says where the counts come from: `reported` by the provider, `estimated` (by the instrumentation, or here
from the texts before they are dropped), or `missing`. A failed call has what the provider reported, else nothing.
A negative, fractional, boolean or absurdly large count makes the usage unusable: it is flagged, kept raw among the
attributes, and never priced. A part that exceeds its whole is flagged and not priced either.

## Counted once

One call to a model is often described by several spans: an agent's sums, a framework's span, the SDK wrapper's, the SDK's
own, the HTTP request's. After spans are stored, settlement decides which is counted:

1. **Aggregates never bill**: agents, workflows, steps, chains, outer spans of the AI SDK, raw requests of gateways. If
   nothing below one ever arrives, its totals are counted as an estimate and flagged.
2. **One span id** with two start times is one span; **the two halves** of a logged stream are one call.
3. **One response id** is one call, also across traces, if the model's family is the same, the totals do not contradict
   each other and the starts are within ten minutes (ids are not unique everywhere). Totals of two sources that differ by
   the cached or reasoning part, or by a stream's first chunk counted twice, are the same bill counted differently.
4. **A call directly inside a call** with equal totals is the same call; an outer call that sums up several inner ones is
   an aggregate; tools and agents between two calls part them.
5. **Without any link**, another source in the same service that saw an equal call begin and end within this one (10 ms of
   slack) saw the same call. Pairs are matched one to one.
6. **Two spans of one source** with equal counts are two calls: identical prompts in parallel are ordinary.

Of several descriptions the richest is counted (reported usage, then lifetimes of cache writes, cache counts, reasoning);
it takes user, session, feature and whatever else it lacks from the others. Every span stays visible in its trace with the
reason why it was not counted. The result does not depend on the order, batching or repetition of arrival.
"""

_ADD = """\
## Adding a dialect

1. Write `collector/outlay_collector/calls/dialects/<source>.py` with one `Dialect`: scopes (or an attribute only this
   source writes), names by slot, the most trusted first, what its kinds of span mean, and one sentence on what its counts
   include. `joined({...}, otel_genai.NAMES)` adds to the conventions' names. Only what a table cannot say (JSON, events)
   is a `prepare` function.
2. Add it to `DIALECTS` in `dialects/__init__.py`.
3. Add a table of cases to `tests/unit/calls/test_dialects.py`, and, better, payloads with the provider's ledger to
   `tests/data/otlp-corpus/`: the tests there then check calls, tokens, models, streaming and errors.
4. Run the tests, and write this page anew.
"""


def document(limits: Sequence[Limit] = ()) -> str:
    """The whole page; ``limits`` are the corpus's."""
    parts = [_HEAD, _slots(), "## Sources\n", *map(_dialect, DIALECTS), _limits(limits), _flags(), _ADD]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _slots() -> str:
    rows = [
        f"| {meaning[0].upper()}{meaning[1:]} | {_names(CONVENTIONS[slot])} |"
        for slot, meaning in SLOTS.items()
        if slot in CONVENTIONS
    ]
    return _table("## The conventions' names, old and new\n\nThe first name present is read; they are never added up.\n",
                  ("Fact", "Attributes"), rows)  # fmt: skip


def _dialect(dialect: Dialect) -> str:
    lines = [f"### {dialect.title}", ""]
    if dialect.checked:
        lines += [f"Checked: {dialect.checked}.", ""]
    scopes = [*dialect.scopes, *(f"{prefix}*" for prefix in dialect.scope_prefixes)]
    if scopes:
        lines += [f"Scopes: {_names(scopes)}.", ""]
    if dialect.markers:
        lines += [f"Else known by: {_names(dialect.markers)}.", ""]
    lines += [f"**Counts**: {dialect.counts}", ""]
    if dialect.input_excludes_cache_for:
        lines += [f"Input excludes the cache for: {_providers(dialect.input_excludes_cache_for)}.", ""]
    own = {slot: names for slot, names in dialect.names.items() if names != CONVENTIONS.get(slot)}
    if own:
        rows = [f"| {SLOTS[slot]} | {_names(names)} |" for slot, names in own.items()]
        lines += [_table("Names of its own:\n", ("Fact", "Attributes"), rows), ""]
    if dialect.gaps:
        lines += ["Does not tell:", ""]
        lines += [f"- {gap.what}{f' Flag: `{gap.flag}`.' if gap.flag else ''}" for gap in dialect.gaps]
        lines.append("")
    if dialect.notes:
        lines += ["Notes:", "", *(f"- {note}" for note in dialect.notes), ""]
    return "\n".join(lines)


def _limits(limits: Sequence[Limit]) -> str:
    if not limits:
        return ""
    rows = [
        f"| {limit.what} | {limit.reason} | {limit.shown} | {_names(limit.cases)} |"
        for limit in sorted(limits, key=lambda limit: limit.what)
    ]
    intro = (
        "## What no reader can know\n\nCases of the corpus in which the payload does not carry the fact; everything else in "
        "the corpus equals the provider's ledger.\n"
    )
    return _table(intro, ("Fact", "Why", "What is shown", "Cases"), rows)


def _flags() -> str:
    rows = [f"| `{flag}` | {sentence} |" for flag, sentence in flags.SENTENCES.items()]
    return _table("## Flags\n", ("Flag", "What it says"), rows)


def _table(intro: str, head: tuple[str, ...], rows: Iterable[str]) -> str:
    return "\n".join([intro, f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *rows, ""])


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _providers(providers: frozenset[str]) -> str:
    return "everybody" if providers is EVERYBODY else _names(sorted(providers))
