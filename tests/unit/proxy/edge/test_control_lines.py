"""The lines between supervisor and worker."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.edge.control import LINE_BYTES, Command, Drain, Hold, Lines, TakeKill

LINES = st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=10)


@given(LINES, st.lists(st.integers(0, 400)))
def test_however_the_stream_is_cut_the_lines_are_the_same(
    lines: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = Lines()

    found = [
        line for start, end in itertools.pairwise(edges) for line in reader.feed(stream[start:end])
    ]

    assert found == lines


def test_a_line_that_is_too_long_is_skipped_and_the_next_is_read() -> None:
    reader = Lines()

    assert reader.feed(b"x" * (LINE_BYTES + 1)) == []
    assert reader.feed(b"still the same") == []
    assert reader.feed(b" line\nnext\n") == [b"next"]


@pytest.mark.parametrize(
    "command", [Drain(is_last=True), TakeKill(3, ("all",)), Hold(4, "cart", 12.5)]
)
def test_a_command_is_read_as_it_was_said(command: Command) -> None:
    data = msgspec.json.encode(command)

    assert msgspec.json.decode(data, type=Command) == command
