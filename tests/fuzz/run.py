"""One run: send, and see that nothing but the damaged spans themselves came to harm."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psutil
from outlay_collector.db.engine import connect
from outlay_collector.ledger import store as ledger

from tests.faults.stand import MEMORY_BOUND, Memory, acceptors, is_settled
from tests.fuzz.cases import COST, INPUT_TOKENS, OUTPUT_TOKENS, Neighbour, Request, Requests, neighbour_prefix, saved
from tests.fuzz.client import Answer, GrpcSender, HttpSender
from tests.servers import Collector, wait_until

CONNECTIONS = 12
MOST_FAILURES = 20
_PATIENCE = 40  # times that a request is sent again when it is told to come again


@dataclass
class Report:
    requests: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    answers: Counter[str] = field(default_factory=Counter[str])  # protocol and status
    again: int = 0  # answers of 503, after which the request was sent again
    neighbours: int = 0
    rows: int = 0
    letters: int = 0
    failures: list[str] = field(default_factory=list[str])

    def lines(self) -> list[str]:
        answers = ", ".join(f"{name} {number:,}" for name, number in sorted(self.answers.items()))
        return [
            f"{self.requests:,} requests in {self.seconds:.0f} s ({self.requests / max(self.seconds, 0.001):.0f}/s)",
            f"answers: {answers}; {self.again} times told to come again",
            f"{self.neighbours:,} healthy neighbours, each stored, counted once and charged {COST} USD",
            f"{self.rows:,} spans and {self.letters:,} dead letters in the database, sums equal to rows",
            f"largest process of the collector: {self.peak_bytes / 2**20:.0f} MiB",
        ]


class Run:
    """``failures`` is a folder for requests that went wrong."""

    def __init__(self, collector: Collector, requests: Requests, failures: Path) -> None:
        self._collector = collector
        self._requests = requests
        self._failures = failures
        self._stored: set[Neighbour] = set()
        self.report = Report()

    def send(self, how_many: int, seconds: float) -> None:
        """Until so many are sent or the time is up, then check what is stored."""
        began = time.monotonic()
        processes = [process.pid for process in acceptors(self._collector)]
        with Memory(self._collector) as memory:
            asyncio.run(self._send_all(how_many, began + seconds))
            self.report.seconds = time.monotonic() - began
        self.report.peak_bytes = memory.peak
        if memory.peak >= MEMORY_BOUND:
            self._fail(f"a process of the collector held {memory.peak / 2**20:.0f} MiB")
        alive = [process.pid for process in acceptors(self._collector) if psutil.pid_exists(process.pid)]
        if not self._collector.is_running() or alive != processes:
            self._fail(
                f"a process of the collector ended: {processes} became {alive}\n{self._collector.said()[-3000:]}"
            )
        if "Traceback" in self._collector.said():
            said = self._collector.said()
            self._fail(f"the collector did not expect something:\n{said[said.index('Traceback') - 200 :][:3000]}")

    def check(self, database_url: str, *, seconds: float) -> None:
        """Wait until everything is settled; every neighbour must be there, once and right, and sums equal to rows."""
        with connect(database_url) as connection:
            (project_id,) = connection.execute("SELECT id FROM project WHERE name = 'default'").fetchone() or (0,)
            wait_until(lambda: is_settled(connection, project_id), seconds=seconds, every=0.5)
            differences = ledger.differences(connection, project_id)
            prefix = neighbour_prefix(self._requests.seed)
            rows = connection.execute(
                """
                SELECT trace_id, span_id, counted, input_tokens, output_tokens, cost
                  FROM span WHERE trace_id BETWEEN %s AND %s
                """,
                (UUID(bytes=prefix + bytes(8)), UUID(bytes=prefix + b"\xff" * 8)),
            ).fetchall()
            self.report.rows, self.report.letters = connection.execute(
                "SELECT (SELECT count(*) FROM span), (SELECT count(*) FROM dead_letter)"
            ).fetchone() or (0, 0)
        found = Counter((row[0].bytes, row[1].to_bytes(8, "big", signed=True)) for row in rows)
        expected = {(one.trace_id, one.span_id) for one in self._stored}
        self.report.neighbours = len(expected)
        if missing := expected - found.keys():
            self._fail(f"{len(missing)} neighbours were acknowledged and are not stored: {_numbers(missing)}")
        if more := {one for one, times in found.items() if times > 1}:
            self._fail(f"{len(more)} neighbours are stored twice: {_numbers(more)}")
        right = (True, INPUT_TOKENS, OUTPUT_TOKENS, COST)
        if wrong := [row for row in rows if tuple(row[2:]) != right]:
            self._fail(f"{len(wrong)} neighbours are not counted once with their usage and cost: {wrong[:3]}")
        if sum((row[5] or Decimal(0) for row in rows), Decimal(0)) != COST * len(rows):
            self._fail("the neighbours' costs do not add up")
        if differences:
            self._fail(f"sums differ from rows: {differences}")

    async def _send_all(self, how_many: int, deadline: float) -> None:
        numbers = iter(range(how_many))
        grpc_sender = GrpcSender(self._collector.grpc_port)
        senders = [HttpSender(self._collector.port) for _ in range(CONNECTIONS)]
        try:
            await asyncio.gather(*(self._work(numbers, sender, grpc_sender, deadline) for sender in senders))
        finally:
            await asyncio.gather(*(sender.close() for sender in (*senders, grpc_sender)))

    async def _work(self, numbers: object, http: HttpSender, grpc_sender: GrpcSender, deadline: float) -> None:
        for number in numbers:  # type: ignore[attr-defined]
            if time.monotonic() > deadline or len(self.report.failures) >= MOST_FAILURES:
                return
            request = self._requests.request(number)
            answer = await self.exchange(request, grpc_sender if request.protocol == "grpc" else http)
            self._judge(request, answer)

    async def exchange(self, request: Request, sender: HttpSender | GrpcSender) -> Answer:
        """The answer; what is told to come again, comes again."""
        answer = Answer(0)
        for _ in range(_PATIENCE):
            try:
                answer = await sender.send(request)
            except TimeoutError:
                return Answer(0, "no answer in time")
            if answer.status != 503:
                return answer
            self.report.again += 1
            await asyncio.sleep(0.5)
        return answer

    def _judge(self, request: Request, answer: Answer) -> None:
        self.report.requests += 1
        self.report.answers[f"{request.protocol} {answer.status}"] += 1
        if answer.status == 200:
            self._stored.update(request.neighbours)
        if answer.status == 0 or answer.status >= 500:
            self._fail(f"answered {answer.status} {answer.detail}", request)
        elif request.sheltered and answer.status != 200:
            self._fail(f"healthy neighbours were refused: {answer.status} {answer.detail}", request)

    def _fail(self, why: str, request: Request | None = None) -> None:
        if request is not None:
            self._failures.mkdir(parents=True, exist_ok=True)
            path = self._failures / f"{self._requests.seed}-{request.number}.json"
            path.write_text(saved(request, why))
            why = f"{why}\n  again: make fuzz REPLAY={path}"
        self.report.failures.append(why)


def _numbers(found: set[tuple[bytes, bytes]]) -> str:
    """The numbers of the requests that brought some of them."""
    return ", ".join(str(int.from_bytes(trace_id[8:12], "big")) for trace_id, _ in sorted(found)[:10])
