"""When somebody asks `outlay up` to stop: at once, but never between a process's beginning and our knowing it."""

import signal

import pytest
from outlay_collector.up.supervisor import Signals, Stop


def test_a_signal_stops_what_runs():
    with Signals(), pytest.raises(Stop):
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_inside_deferred_stops_at_its_end():
    done = []

    def begin_a_process(signals: Signals) -> None:
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            done.append("begun and known")
        done.append("never reached")

    with Signals() as signals, pytest.raises(Stop):
        begin_a_process(signals)
    assert done == ["begun and known"]


def test_only_the_first_signal_counts_and_none_after_ignore():
    with Signals():
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    with Signals() as signals:
        signals.ignore()
        with signals.deferred():
            signal.raise_signal(signal.SIGHUP)
