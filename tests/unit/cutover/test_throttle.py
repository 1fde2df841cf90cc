"""Who fails to sign in again and again has to wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutover.core.throttle import Kind, Throttle, keys_of

EVA = keys_of("eva", "192.0.2.1")


def test_a_few_mistakes_cost_nothing() -> None:
    throttle = Throttle()

    assert [throttle.attempt(EVA, 0.0) for _ in range(4)] == [0.0] * 4
    assert throttle.attempt(EVA, 0.0) == 1.0


def test_each_further_mistake_doubles_the_wait_up_to_a_limit() -> None:
    throttle, now_s, waits = Throttle(), 0.0, []
    for _ in range(14):
        while (wait_s := throttle.attempt(EVA, now_s)) > 0:
            waits.append(wait_s)
            now_s += wait_s

    assert waits[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert set(waits[6:]) == {60.0}


def test_guesses_that_come_at_once_are_counted_before_they_are_looked_at() -> None:
    throttle = Throttle()

    looked_at = sum(throttle.attempt(EVA, 5.0) == 0 for _ in range(100))

    assert looked_at == 4


def test_an_address_that_tries_many_names_waits_too() -> None:
    throttle = Throttle()

    looked_at = sum(throttle.attempt(keys_of(f"n{n}", "192.0.2.1"), 0.0) == 0 for n in range(50))

    assert looked_at == 12
    assert throttle.attempt(keys_of("n99", "192.0.2.2"), 0.0) == 0


def test_a_right_password_does_not_wash_an_address_clean() -> None:
    """Somebody with a password of their own could guess others' for ever."""
    throttle, own = Throttle(), keys_of("mallory", "192.0.2.1")
    looked_at = 0
    for number in range(50):
        looked_at += throttle.attempt(keys_of(f"n{number}", "192.0.2.1"), 0.0) == 0
        if throttle.attempt(own, 0.0) == 0:
            throttle.succeeded(own)

    assert looked_at <= 12


def test_a_right_password_forgets_the_names_mistakes() -> None:
    throttle = Throttle()
    for _ in range(4):
        throttle.attempt(EVA, 0.0)
    throttle.succeeded(EVA)

    assert throttle.attempt(EVA, 0.0) == 0


def test_an_hour_later_all_is_forgotten() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.attempt(EVA, 0.0)

    assert throttle.attempt(EVA, 3_600.0) == 0
    assert throttle.wait_s(EVA, 3_600.0) == 0


def test_all_addresses_of_one_network_of_ipv6_are_one() -> None:
    assert keys_of("eva", "2001:db8:1:2::1") == keys_of("eva", "2001:db8:1:2:ffff::9")
    assert keys_of("eva", "2001:db8:1:2::1") != keys_of("eva", "2001:db8:1:3::1")
    assert keys_of("eva", "no address")[1] == (Kind.ADDRESS, "no address")


TRIES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["1.1.1.1", "2.2.2.2"]),
        st.floats(0, 100), st.booleans(),
    ),
    max_size=120,
)  # fmt: skip


@given(tries=TRIES)
def test_memory_is_bounded_and_whoever_waits_as_told_is_looked_at(
    tries: list[tuple[str, str, float, bool]],
) -> None:
    throttle, now_s = Throttle(most=4), 0.0
    for name, address, pause_s, is_right in tries:
        keys = keys_of(name, address)
        wait_s = throttle.attempt(keys, now_s)

        assert len(throttle) <= 4
        assert 0 <= wait_s <= 900
        if wait_s == 0 and is_right:
            throttle.succeeded(keys)
        elif wait_s > 0:
            assert throttle.attempt(keys, now_s + wait_s * 1.0000001) == 0
            now_s += wait_s * 1.0000001
        now_s += pause_s


@given(gaps=st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_no_rhythm_of_guessing_beats_a_name_s_limit(gaps: list[float]) -> None:
    """However it is timed, in an hour only so many guesses at one name are looked at."""
    throttle, now_s, looked_at = Throttle(), 0.0, 0
    for number, gap_s in enumerate(gaps):
        now_s += gap_s
        looked_at += throttle.attempt(keys_of("eva", f"10.0.{number}.1"), now_s) == 0

    assert looked_at <= 4 + 6 + now_s / 60 + 1
