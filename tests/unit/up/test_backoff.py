"""When a child that ended is started again."""

from outlay_collector.up.backoff import LONGEST_SECONDS, STEADY_SECONDS, Backoff


def after_quick_deaths(number: int) -> Backoff:
    backoff = Backoff()
    for _ in range(number):
        backoff = backoff.after(lived_seconds=0.1)
    return backoff


def test_the_pause_doubles_with_every_quick_end():
    assert [after_quick_deaths(n).seconds for n in range(5)] == [0, 0.5, 1, 2, 4]


def test_the_pause_never_exceeds_half_a_minute():
    assert after_quick_deaths(1000).seconds == LONGEST_SECONDS


def test_a_child_that_ran_steadily_starts_again_as_if_for_the_first_time():
    assert after_quick_deaths(9).after(lived_seconds=STEADY_SECONDS).seconds == 0.5
