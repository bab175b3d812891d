"""The spool: what cannot be delivered is kept, bounded, whole, and delivered once the collector answers again."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from outlay.spool import Frame, Spool
from outlay.transport import Answer

from tests.unit.sdk.test_pipeline import DELIVERED, UNREACHABLE, Collector, Make, a_span
from tests.unit.sdk.test_pipeline import make as make  # the fixture


def frame(number: int, size: int = 100) -> Frame:
    return Frame("traces", number, os.urandom(size))


def kept(folder: Path) -> list[Frame]:
    spool = Spool(str(folder), 10**9)
    found: list[Frame] = []
    while (segment := spool.claim()) is not None:
        found += segment.frames()
        segment.remove()
    return found


def test_frames_come_back_as_they_were_in_order(tmp_path: Path) -> None:
    frames = [frame(number, size) for number, size in enumerate([1, 0, 70_000, 3_000_000, 5])]
    spool = Spool(str(tmp_path), 10**9)
    for item in frames:
        assert spool.write(item) == 0
    spool.close()
    assert kept(tmp_path) == frames
    assert not list(tmp_path.iterdir())


def test_full_spool_gives_up_the_oldest_and_says_how_many_spans(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), 3_000_000)
    lost = [spool.write(frame(10, 1_000_000)) for _ in range(6)]
    spool.close()
    assert sum(lost) + sum(item.spans for item in kept(tmp_path)) == 60
    assert sum(lost) > 0


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_frame_is_left_out_and_those_before_it_are_not(tmp_path: Path, damage: str) -> None:
    frames = [frame(1), frame(2)]
    spool = Spool(str(tmp_path), 10**9)
    for item in frames:
        spool.write(item)
    spool.close()
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[-3:]
    else:
        content[-1] ^= 1
    path.write_bytes(content)
    assert kept(tmp_path) == frames[:1]


def test_segment_in_use_is_nobody_elses(tmp_path: Path) -> None:
    writer, reader = Spool(str(tmp_path), 10**9), Spool(str(tmp_path), 10**9)
    writer.write(frame(1))
    assert reader.claim() is None
    writer.close()
    segment = reader.claim()
    assert segment is not None
    assert writer.claim() is None
    segment.release()
    assert writer.claim() is not None


def _write_and_die(folder: str) -> None:
    Spool(folder, 10**9).write(Frame("traces", 7, b"left behind"))
    os._exit(1)


def test_what_a_crashed_process_left_is_taken_up(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(str(tmp_path),))
    process.start()
    process.join()
    assert [item.spans for item in kept(tmp_path)] == [7]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"), 10**9)
    spool.write(frame(1))
    spool.close()
    (path,) = (tmp_path / "spool").iterdir()
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_outage_goes_to_disk_and_comes_back(make: Make, tmp_path: Path) -> None:
    answer = UNREACHABLE
    collector = Collector(lambda: answer)
    pipeline = make(collector, spool=str(tmp_path), interval=0.02, batch_size=10)
    names = [str(number) for number in range(100)]
    for name in names:
        pipeline.add(a_span(name))
    assert pipeline.flush(2)
    assert pipeline.stats().spooled == 100
    assert pipeline.stats().queued == 0
    answer = DELIVERED
    deadline = time.monotonic() + 10
    while pipeline.stats().replayed < 100 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sorted(collector.names) == sorted(names)
    assert pipeline.stats()._replace(retries=0, last_error="") == (0, 0, 0, 0, 0, 100, 100, "")


def test_next_process_delivers_what_the_last_one_could_not(make: Make, tmp_path: Path) -> None:
    first = make(Collector(lambda: UNREACHABLE), spool=str(tmp_path))
    first.add(a_span("left"))
    assert first.shutdown(1)
    assert first.stats().dropped == 0
    collector = Collector()
    make(collector, spool=str(tmp_path), interval=0.02)
    deadline = time.monotonic() + 5
    while not collector.names and time.monotonic() < deadline:
        time.sleep(0.02)
    assert collector.names == ["left"]


def test_wrong_key_keeps_spans_until_it_is_mended(make: Make, tmp_path: Path) -> None:
    pipeline = make(Collector(lambda: Answer("unauthorized", reason="HTTP 401")), spool=str(tmp_path))
    pipeline.add(a_span())
    assert pipeline.flush(1)
    assert (pipeline.stats().spooled, pipeline.stats().refused) == (1, 0)


def test_request_that_is_not_understood_is_not_kept(make: Make, tmp_path: Path) -> None:
    pipeline = make(Collector(lambda: Answer("refused", reason="HTTP 400")), spool=str(tmp_path))
    pipeline.add(a_span())
    assert pipeline.flush(1)
    assert (pipeline.stats().spooled, pipeline.stats().refused) == (0, 1)


def test_exit_while_the_collector_hangs_leaves_everything_on_disk(make: Make, tmp_path: Path) -> None:
    def hang() -> Answer:
        time.sleep(3)
        return UNREACHABLE

    pipeline = make(Collector(hang), spool=str(tmp_path), interval=0.01)
    pipeline.add(a_span())
    time.sleep(0.1)  # the thread is in its request now
    for _ in range(50):
        pipeline.add(a_span())
    started = time.monotonic()
    pipeline.shutdown(0.3)
    assert time.monotonic() - started < 1
    assert pipeline.stats().dropped == 0
    assert sum(item.spans for item in kept(tmp_path)) == 51


def test_folder_that_cannot_be_used_costs_nothing_but_a_notice(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    collector = Collector()
    pipeline = make(collector, spool=str(tmp_path / "file"))
    pipeline.add(a_span())
    assert pipeline.flush(1)
    assert collector.names == ["s"]
    assert "cannot be used" in caplog.text
