from __future__ import annotations

from outlay_collector.access.keys import Access, generate_key, key_id_of
from outlay_collector.access.ring import OUTAGE_SECONDS, TRUST_SECONDS, KeyRing


def test_a_new_key_carries_its_id_and_passes_its_own_check() -> None:
    key_id, key = generate_key()
    assert key.startswith(f"out_{key_id}_")
    assert key_id_of(key) == key_id


def test_one_wrong_character_is_noticed_without_a_database() -> None:
    _, key = generate_key()
    for position in range(4, len(key)):
        if key[position] == "_":
            continue
        wrong = key[:position] + ("A" if key[position] != "A" else "B") + key[position + 1 :]
        assert key_id_of(wrong) is None


def test_what_is_no_key_is_none() -> None:
    assert key_id_of("") is None
    assert key_id_of("sk-1234") is None
    assert key_id_of("out_k3Jd_" + "é" * 36) is None


def test_admin_may_do_everything() -> None:
    access = Access(key_id="a", project_id=None, scopes=frozenset({"admin"}))
    assert access.allows("ingest")
    assert not Access(key_id="a", project_id=None, scopes=frozenset({"read"})).allows("ingest")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_ring(answers: list[Access | Exception | None]) -> tuple[KeyRing, Clock]:
    def look_up(_: str) -> Access | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    clock = Clock()
    return KeyRing(look_up, clock=clock), clock


GOOD = Access(key_id="k", project_id=1, scopes=frozenset({"ingest"}))


def test_a_key_is_asked_for_once_and_again_after_a_few_seconds() -> None:
    _, key = generate_key()
    ring, clock = a_ring([GOOD, None])
    assert ring.access_of(key) == GOOD
    assert ring.access_of(key) == GOOD
    clock.now += TRUST_SECONDS + 0.1
    assert ring.access_of(key) is None, "revoked meanwhile"


def test_a_good_key_survives_a_database_that_is_away() -> None:
    _, key = generate_key()
    ring, clock = a_ring([GOOD, ConnectionError("away"), ConnectionError("away")])
    ring.access_of(key)
    clock.now += TRUST_SECONDS + 1
    assert ring.access_of(key) == GOOD
    clock.now += OUTAGE_SECONDS
    try:
        ring.access_of(key)
    except ConnectionError:
        return
    raise AssertionError("a key cannot be trusted for ever")


def test_a_database_that_is_away_is_not_asked_for_every_request() -> None:
    _, key = generate_key()
    ring, clock = a_ring([GOOD, ConnectionError("away"), GOOD])
    ring.access_of(key)
    clock.now += TRUST_SECONDS + 1
    for _ in range(5):
        assert ring.access_of(key) == GOOD
    clock.now += TRUST_SECONDS + 1
    assert ring.access_of(key) == GOOD


def test_a_malformed_key_never_reaches_the_database() -> None:
    ring, _ = a_ring([])
    assert ring.access_of("out_not_a_key") is None
