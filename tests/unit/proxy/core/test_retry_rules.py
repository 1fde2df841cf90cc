"""Sending again: never twice what must happen once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.retry import may_fall_back, may_retry

METHODS = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "PURGE", "get"]
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


@given(
    method=st.sampled_from(METHODS),
    sent_bytes=st.integers(0, 10**9),
    answered=st.booleans(),
    has_body=st.booleans(),
    attempts=st.integers(1, 5),
)
def test_a_request_goes_again_only_where_twice_is_once(
    *, method: str, sent_bytes: int, answered: bool, has_body: bool, attempts: int
) -> None:
    again = may_retry(
        method, sent_bytes=sent_bytes, answered=answered, has_body=has_body, attempts=attempts
    )

    if again:
        assert not answered
        assert attempts == 1
        assert sent_bytes == 0 or (method in SAFE | {"PUT", "DELETE"} and not has_body)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_never_sent_goes_again_once(method: str) -> None:
    first, second = (
        may_retry(method, sent_bytes=0, answered=False, has_body=True, attempts=attempts)
        for attempts in (1, 2)
    )

    assert (first, second) == (True, False)


@pytest.mark.parametrize(
    ("method", "expected"), [(m, m in SAFE | {"PUT", "DELETE"}) for m in METHODS]
)
def test_what_was_sent_goes_again_when_it_is_idempotent(method: str, *, expected: bool) -> None:
    again = may_retry(method, sent_bytes=1, answered=False, has_body=False, attempts=1)

    assert again is expected


@given(
    method=st.sampled_from(METHODS),
    is_allowed=st.booleans(),
    answered=st.booleans(),
    has_body=st.booleans(),
)
def test_legacy_steps_in_exactly_for_reads_nothing_of_which_was_answered(
    *, method: str, is_allowed: bool, answered: bool, has_body: bool
) -> None:
    falls = may_fall_back(method, is_allowed=is_allowed, answered=answered, has_body=has_body)

    assert falls is (method in {"GET", "HEAD"} and is_allowed and not answered and not has_body)
