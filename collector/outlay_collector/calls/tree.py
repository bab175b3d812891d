"""The spans of one group as trees: who is above whom, and which calls lie below an outer span."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta

from outlay_collector.calls import flags
from outlay_collector.calls.call import CALL, OTHER
from outlay_collector.calls.candidate import Candidate

NO_PARENT = -1


class Tree:
    """Parents by position in ``spans``. Parents that never arrived, and loops, end a path. All walks are linear in total."""

    def __init__(self, spans: Sequence[Candidate], calls: Sequence[bool]) -> None:
        """``calls[i]`` says whether ``spans[i]`` may be billed."""
        self.spans = spans
        self._calls = calls
        by_id: dict[tuple[Hashable, Hashable], int] = {}
        for at, span in enumerate(spans):
            # A span id that came with two start times is one span; the first stands for both in the tree.
            by_id.setdefault((span.trace_id, span.span_id), at)
        self.parent = [self._parent_of(span, at, by_id) for at, span in enumerate(spans)]
        self._break_loops()

    @staticmethod
    def _parent_of(span: Candidate, at: int, by_id: dict[tuple[Hashable, Hashable], int]) -> int:
        if span.parent_span_id is None:
            return NO_PARENT
        parent = by_id.get((span.trace_id, span.parent_span_id), NO_PARENT)
        return NO_PARENT if parent == at else parent

    def _break_loops(self) -> None:
        seen = [0] * len(self.spans)  # 0: not yet, 1: on the present path, 2: known to end
        for start in range(len(self.spans)):
            path: list[int] = []
            at = start
            while at != NO_PARENT and seen[at] == 0:
                seen[at] = 1
                path.append(at)
                at = self.parent[at]
            if at != NO_PARENT and seen[at] == 1:
                self.parent[at] = NO_PARENT
            for visited in path:
                seen[visited] = 2

    def is_orphan(self, at: int) -> bool:
        """Whether a parent was named and is not here."""
        return self.spans[at].parent_span_id is not None and self.parent[at] == NO_PARENT

    def enclosing_calls(self) -> list[int]:
        """For each span the nearest call above it with nothing but plain spans between; ``NO_PARENT`` if none.

        A tool or an agent between two calls means that the inner is a call of its own.
        """
        nearest = [NO_PARENT] * len(self.spans)
        for at in self._parents_first():
            above = self.parent[at]
            if above != NO_PARENT:
                if self._calls[above]:
                    nearest[at] = above
                elif self.spans[above].span_type == OTHER:
                    nearest[at] = nearest[above]
        return nearest

    def bottom_up(self) -> list[int]:
        """All positions, children before their parents."""
        return self._parents_first()[::-1]

    def _parents_first(self) -> list[int]:
        children: dict[int, list[int]] = defaultdict(list)
        for at, above in enumerate(self.parent):
            children[above].append(at)
        order: list[int] = []
        waiting = children[NO_PARENT][::-1]
        while waiting:
            at = waiting.pop()
            order.append(at)
            waiting.extend(children.get(at, ())[::-1])
        return order

    def above_a_call(self) -> list[bool]:
        """For each span whether a call lies below it, or began in the same trace and meanwhile with its parents lost."""
        marked = [False] * len(self.spans)
        stray: dict[Hashable, list[datetime]] = defaultdict(list)
        for at, span in enumerate(self.spans):
            if not self._calls[at]:
                continue
            above, last = self.parent[at], at
            while above != NO_PARENT and not marked[above]:
                marked[above] = True
                above, last = self.parent[above], above
            if above == NO_PARENT and self.is_orphan(last):
                stray[span.trace_id].append(span.start_time)
        for starts in stray.values():
            starts.sort()
        for at, span in enumerate(self.spans):
            starts = stray.get(span.trace_id)
            if not marked[at] and starts and not self._calls[at]:
                first = bisect_left(starts, span.start_time)
                end = span.start_time + timedelta(microseconds=span.duration_us)
                marked[at] = first < len(starts) and starts[first] <= end
        return marked


def is_call(span: Candidate) -> bool:
    """Whether a span may be billed as a call of its own."""
    return span.span_type == CALL and flags.PENDING not in span.flags
