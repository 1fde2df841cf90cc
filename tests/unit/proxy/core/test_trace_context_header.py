"""W3C trace context: what is read, what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.trace_context import (
    TraceParent,
    find_parent,
    parse_parent,
    with_parent,
    write_parent,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()
PARENTS = st.builds(
    TraceParent, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans()
)


@given(PARENTS)
def test_what_is_written_is_read_back(parent: TraceParent) -> None:
    assert parse_parent(write_parent(parent)) == parent


def test_the_example_of_the_recommendation() -> None:
    assert parse_parent(GOOD) == TraceParent(int(TRACE, 16), int(SPAN, 16), is_sampled=True)
    assert write_parent(TraceParent(int(TRACE, 16), int(SPAN, 16), is_sampled=True)) == GOOD


BROKEN = {
    "empty": "",
    "upper case": f"00-{TRACE.upper()}-{SPAN}-01",
    "no trace": f"00-{'0' * 32}-{SPAN}-01",
    "no span": f"00-{TRACE}-{'0' * 16}-01",
    "version ff": f"ff-{TRACE}-{SPAN}-01",
    "more in version 0": f"00-{TRACE}-{SPAN}-01-more",
    "short": f"00-{TRACE[1:]}-{SPAN}-01",
    "no flags": f"00-{TRACE}-{SPAN}",
    "a line break": f"00-{TRACE}-{SPAN}-01\n",
    "no dash behind a later version": f"cc-{TRACE}-{SPAN}-01more",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_rules_says_nothing(name: str) -> None:
    assert parse_parent(BROKEN[name].encode()) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    expected = TraceParent(int(TRACE, 16), int(SPAN, 16), is_sampled=True)

    assert parse_parent(f"cc-{TRACE}-{SPAN}-01".encode()) == expected
    assert parse_parent(f"cc-{TRACE}-{SPAN}-03-what-else".encode()) == expected
    flags = parse_parent(f"00-{TRACE}-{SPAN}-fe".encode())
    assert flags is not None
    assert not flags.is_sampled


@given(st.binary(max_size=80))
def test_no_bytes_raise(value: bytes) -> None:
    parse_parent(value)
    find_parent(b"traceparent: " + value + b"\r\n")


def test_the_parent_is_found_among_lines_in_any_case_and_two_are_none() -> None:
    line = b"TraceParent:  " + GOOD + b" \r\n"

    assert find_parent(b"Host: x\r\n" + line + b"A: b\r\n") == parse_parent(GOOD)
    assert find_parent(line + b"A: b\r\n" + line) is None
    assert find_parent(b"X-traceparent: " + GOOD + b"\r\n") is None
    assert find_parent(b"A: traceparent: " + GOOD + b"\r\n") is None
    assert find_parent(b"") is None


@given(PARENTS, st.booleans())
def test_ours_takes_the_place_of_what_came(parent: TraceParent, continues: bool) -> None:
    state = b"tracestate: a=1,b=2\r\n"
    lines = b"A: 1\r\ntraceparent: " + GOOD + b"\r\n" + state + b"B: 2\r\nTRACEPARENT:\r\n"

    out = with_parent(lines, parent, continues=continues)

    ours = b"traceparent: " + write_parent(parent) + b"\r\n"
    assert out == b"A: 1\r\n" + (state if continues else b"") + b"B: 2\r\n" + ours
    assert find_parent(out) == parent
