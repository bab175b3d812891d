"""Which spans describe one and the same call.

Evidence, strongest first: one span id, the two halves of a logged stream, one response id, one inside the other with
equal counts, one during the other with equal counts from another source in the same service. Two spans of one source
with equal counts are two calls: identical prompts in parallel are ordinary.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from outlay_collector.calls import flags
from outlay_collector.calls.candidate import SAME_ID_WINDOW, Candidate
from outlay_collector.calls.models import families, same_family
from outlay_collector.calls.tree import NO_PARENT, Tree

_SLACK = timedelta(milliseconds=10)  # clocks of one process, rounded to milliseconds by some emitters
_NEAR = timedelta(milliseconds=250)  # for twins without counts to compare
_MOST_HALF_STREAM = timedelta(hours=1)
_LOOK_BACK = 8  # open calls of one other source tried per call; keeps crowds of equal calls linear
_MOST_VARIANTS = 32  # different totals under one response id: beyond this the id is no id
_SURPLUS_OUTPUT = 10  # Anthropic's ``message_start`` count, added twice by some emitters

Totals = tuple[int | None, int | None]


class Twins:
    """Clusters of positions in ``spans``; every cluster is one call."""

    def __init__(self, spans: Sequence[Candidate], tree: Tree, calls: Sequence[int]) -> None:
        """``calls`` are the positions that may be billed, in order of start."""
        self._spans = spans
        self._calls = calls
        self._leader = list(range(len(spans)))
        self._sources: dict[int, set[str]] = {at: {spans[at].scope} for at in calls}
        self._ids: dict[int, set[str]] = {at: {spans[at].response_id or ""} - {""} for at in calls}
        self.outer: set[int] = set()
        """Calls that turned out to restate several calls inside them."""
        self.halves: dict[int, int] = {}
        """Position of a stream's log half -> of its request half."""
        self._one_span_id()
        self._stream_halves()
        self._response_ids(tree)
        self._nested(tree)
        self._meanwhile()

    def clusters(self) -> list[list[int]]:
        """The members of each call."""
        members: dict[int, list[int]] = defaultdict(list)
        for at in self._calls:
            members[self._find(at)].append(at)
        return list(members.values())

    def _find(self, at: int) -> int:
        while self._leader[at] != at:
            self._leader[at] = self._leader[self._leader[at]]
            at = self._leader[at]
        return at

    def _join(self, one: int, other: int) -> None:
        one, other = self._find(one), self._find(other)
        if one == other:
            return
        # The lower position leads, so the result does not depend on the order of joining.
        one, other = min(one, other), max(one, other)
        self._leader[other] = one
        self._sources[one] |= self._sources.pop(other)
        self._ids[one] |= self._ids.pop(other)

    def _one_span_id(self) -> None:
        first: dict[tuple[Hashable, Hashable], int] = {}
        for at in self._calls:
            span = self._spans[at]
            self._join(first.setdefault((span.trace_id, span.span_id), at), at)

    def _stream_halves(self) -> None:
        """Each log record takes the latest open request of its source and model; in a crowd any pairing counts the same."""
        waiting: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for at in self._calls:
            span = self._spans[at]
            lane = (span.service, span.scope, span.request_model)
            if flags.STREAM_REQUEST in span.flags:
                waiting[lane].append(at)
            elif flags.STREAM_LOG in span.flags:
                requests = waiting[lane]
                fitting = [r for r in requests[-_LOOK_BACK:] if _end(self._spans[r]) <= span.start_time + _SLACK]
                fitting = [r for r in fitting if span.start_time - self._spans[r].start_time <= _MOST_HALF_STREAM]
                # Siblings in one trace belong together before anything else.
                fitting.sort(key=lambda r: (self._spans[r].trace_id == span.trace_id, r))
                if fitting:
                    requests.remove(fitting[-1])
                    self.halves[at] = fitting[-1]
                    self._join(fitting[-1], at)

    def _response_ids(self, tree: Tree) -> None:
        bearers: dict[str, list[int]] = defaultdict(list)
        for at in self._calls:
            if self._spans[at].response_id:
                bearers[str(self._spans[at].response_id)].append(at)
        for at, span in enumerate(self._spans):
            # A gateway's raw span tells the true id of the call above it.
            above = tree.parent[at]
            if span.response_id and flags.DESCRIBES_PARENT in span.flags and above in self._sources:
                bearers[span.response_id].append(above)
        for members in bearers.values():
            if len(members) > 1:
                self._same_id(sorted(set(members)))

    def _same_id(self, members: list[int]) -> None:
        """Join bearers of one id, unless their totals, models or times speak against it."""
        variants: dict[Totals, list[int]] = defaultdict(list)
        unsaid: list[int] = []
        for at in members:
            span = self._spans[at]
            totals = _reported(span)
            if totals is None:
                unsaid.append(at)
                continue
            for anchor in variants[totals][-_LOOK_BACK:]:
                if self._near(anchor, at):
                    self._join(anchor, at)
                    break
            else:
                variants[totals].append(at)
        anchors = sorted(at for same in variants.values() for at in same)
        if len(anchors) <= _MOST_VARIANTS:
            for index, one in enumerate(anchors):
                for other in anchors[index + 1 :]:
                    if (
                        self._near(one, other)
                        and self._are_strangers(one, other)
                        and _reconcilable(self._spans[one], self._spans[other])
                    ):
                        self._join(one, other)
        for at in unsaid:
            known = [anchor for anchor in anchors[-_MOST_VARIANTS:] if self._near(anchor, at)]
            if known:
                start = self._spans[at].start_time
                self._join(min(known, key=lambda anchor: (abs(self._spans[anchor].start_time - start), anchor)), at)
            else:
                anchors.append(at)

    def _near(self, one: int, other: int) -> bool:
        first, second = self._spans[one], self._spans[other]
        return abs(first.start_time - second.start_time) <= SAME_ID_WINDOW and same_family(
            _names(first), _names(second)
        )

    def _are_strangers(self, one: int, other: int) -> bool:
        """Whether two calls are described by different sources throughout."""
        return self._sources[self._find(one)].isdisjoint(self._sources[self._find(other)])

    def _nested(self, tree: Tree) -> None:
        """A call directly inside a call is the same call seen closer, or one of several the outer one sums up."""
        enclosing = tree.enclosing_calls()
        inside: dict[int, list[int]] = defaultdict(list)
        for at in self._calls:
            if enclosing[at] != NO_PARENT:
                inside[enclosing[at]].append(at)
        for outer in sorted(inside, reverse=True):
            self._inner_of(outer, [at for at in inside[outer] if self._find(at) != self._find(outer)])

    def _inner_of(self, outer: int, inner: list[int]) -> None:
        span = self._spans[outer]
        kin = [at for at in inner if same_family(_names(span), _names(self._spans[at]))]
        if not kin:
            return
        totals = _reported(span)
        if totals is not None:
            equal = [at for at in kin if _reported(self._spans[at]) == totals and self._may_nest(outer, at)]
            if equal:
                # Among several equal ones the last: what an outer span reports is what came back last.
                self._join(outer, equal[-1])
                return
            told = [totals_ for at in kin if (totals_ := _reported(self._spans[at])) is not None]
            if len(told) > 1 and _sum(told) == totals:
                self.outer.add(outer)
                return
            close = [at for at in kin if self._are_strangers(outer, at) and _reconcilable(span, self._spans[at])]
            if close:
                self._join(outer, close[-1])
                return
        answered = [at for at in kin if self._spans[at].error_type is None]
        if len(answered) > 1:
            if totals is None:
                self.outer.add(outer)
            return
        # Attempts that failed stay calls of their own; the outer span is the one that came through, or the last try.
        last = (answered or kin)[-1]
        if totals is None or _reported(self._spans[last]) is None:
            self._join(outer, last)

    def _may_nest(self, outer: int, inner: int) -> bool:
        ids = self._ids[self._find(outer)], self._ids[self._find(inner)]
        return self._are_strangers(outer, inner) or not ids[0] or not ids[1] or not ids[0].isdisjoint(ids[1])

    def _meanwhile(self) -> None:
        """Without a link: another source in the same service saw an equal call begin and end within this one."""
        lanes: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for at in self._calls:
            span = self._spans[at]
            totals = _reported(span)
            lanes[(span.service, totals, totals is None and span.error_type is not None)].append(at)
        for (_, totals, _), members in lanes.items():
            if len({self._spans[at].scope for at in members}) > 1:
                self._pair(members, _SLACK if totals is not None else None)

    def _pair(self, members: Iterable[int], slack: timedelta | None) -> None:
        """Match in order of start, each with the oldest fitting open call of another source; ``slack`` None: no counts."""
        waiting: dict[str, deque[int]] = defaultdict(deque)
        for at in members:
            span = self._spans[at]
            partner = None
            for scope in sorted(waiting):
                queue = waiting[scope]
                while queue and _end(self._spans[queue[0]]) + _NEAR < span.start_time:
                    queue.popleft()
                if scope == span.scope:
                    continue
                fitting = (other for other in list(queue)[:_LOOK_BACK] if self._can_be_one(other, at, slack))
                found = next(fitting, None)
                if found is not None and (partner is None or found < partner):
                    partner = found
            if partner is not None:
                waiting[self._spans[partner].scope].remove(partner)
                self._join(partner, at)
            waiting[span.scope].append(at)

    def _can_be_one(self, one: int, other: int, slack: timedelta | None) -> bool:
        if self._find(one) == self._find(other) or not self._are_strangers(one, other):
            return False
        ids = self._ids[self._find(one)], self._ids[self._find(other)]
        if ids[0] and ids[1] and ids[0].isdisjoint(ids[1]):
            return False
        first, second = self._spans[one], self._spans[other]
        if not same_family(_names(first), _names(second)):
            return False
        if slack is None:
            return (
                abs(first.start_time - second.start_time) <= _NEAR
                and abs(_end(first) - _end(second)) <= _NEAR
                and _encloses(first, second, _SLACK)
            )
        return _encloses(first, second, slack)


def _end(span: Candidate) -> datetime:
    return span.start_time + timedelta(microseconds=span.duration_us)


def _encloses(one: Candidate, other: Candidate, slack: timedelta) -> bool:
    """Whether one of two calls lies within the other, give or take ``slack``."""
    begins, ends = other.start_time - one.start_time, _end(one) - _end(other)
    return (begins >= -slack and ends >= -slack) or (begins <= slack and ends <= slack)


def _names(span: Candidate) -> frozenset[str]:
    return families(span.request_model, span.response_model)


def _reported(span: Candidate) -> Totals | None:
    """The totals, if a provider said them."""
    if span.usage is None or span.usage_source != "reported":
        return None
    return (span.usage.input_tokens, span.usage.output_tokens)


def _sum(totals: Iterable[Totals]) -> Totals:
    pairs = list(totals)
    return (sum(one or 0 for one, _ in pairs), sum(other or 0 for _, other in pairs))


def _reconcilable(one: Candidate, other: Candidate) -> bool:
    """Whether different totals can be one bill: cache left out of the input, reasoning out of the output, a chunk twice."""
    first, second = one.usage, other.usage
    if first is None or second is None:
        return False
    inputs = _gap(first.input_tokens, second.input_tokens)
    outputs = _gap(first.output_tokens, second.output_tokens)
    cached = max((usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0) for usage in (first, second))
    reasoning = max(first.reasoning_tokens or 0, second.reasoning_tokens or 0)
    return inputs in (0, cached) and (outputs <= _SURPLUS_OUTPUT or outputs == reasoning)


def _gap(one: int | None, other: int | None) -> int:
    return abs(one - other) if one is not None and other is not None else 0
