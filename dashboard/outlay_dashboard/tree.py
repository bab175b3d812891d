"""A trace's spans as a tree, in reading order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outlay_dashboard.answers import CallRow, Totals


@dataclass(frozen=True, slots=True)
class Step:
    span: CallRow
    depth: int
    start_ms: float  # after the first span of the trace began


def steps(spans: Sequence[CallRow]) -> list[Step]:
    """Parents before children, siblings by start. A span whose parent is not here, and one in a circle of parents,
    stands at the top: nothing is ever left out."""
    if not spans:
        return []
    ordered = sorted(spans, key=lambda span: (span.start_time, span.span_id))
    beginning = ordered[0].start_time
    here = {span.span_id for span in ordered}
    children: dict[str | None, list[CallRow]] = {}
    for span in ordered:
        parent = span.parent_span_id if span.parent_span_id in here and span.parent_span_id != span.span_id else None
        children.setdefault(parent, []).append(span)
    seen: set[int] = set()

    def walk(span: CallRow, depth: int) -> Iterator[Step]:
        # An explicit stack: agents nest deeper than Python likes to recurse.
        waiting = [(span, depth)]
        while waiting:
            current, level = waiting.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            yield Step(current, level, (current.start_time - beginning).total_seconds() * 1000)
            waiting += [(child, level + 1) for child in reversed(children.get(current.span_id, []))]

    found = [step for span in children.get(None, []) for step in walk(span, 0)]
    found += [step for span in ordered if id(span) not in seen for step in walk(span, 0)]
    return found


def counted_total(spans: Sequence[CallRow]) -> Totals:
    """What the trace cost: its counted calls. ``unpriced_calls`` counts those of them without a cost."""
    counted = [span for span in spans if span.counted and span.is_call]
    costs = [span.cost for span in counted if span.cost is not None]
    return Totals(
        cost=sum(costs[1:], costs[0]) if costs else None,
        calls=len(counted),
        unpriced_calls=len(counted) - len(costs),
        errors=sum(span.status == "error" for span in counted),
    )
