"""Bodies end where their framing says, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.framing import (
    LAST_CHUNK,
    ChunkedBody,
    EndlessBody,
    FramingError,
    LengthBody,
    chunk,
)

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
CUTS = st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=20)


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"".join(chunk(piece)) for piece in pieces) + LAST_CHUNK


def feed_in_cuts(
    body: ChunkedBody | LengthBody, data: bytes, cuts: list[int]
) -> tuple[bytes, bytes]:
    """Feed pieces of the sizes given, over and over. Returns payload and what is left."""
    payload, n = b"", 0
    while data and not body.is_done:
        size = cuts[n % len(cuts)]
        n += 1
        pieces, rest = body.feed(data[:size])
        payload += b"".join(pieces)
        data = rest + data[size:]
    return payload, data


@given(pieces=PIECES, cuts=CUTS, behind=st.binary(max_size=10))
def test_chunks_come_out_whole_however_they_are_cut(
    pieces: list[bytes], cuts: list[int], behind: bytes
) -> None:
    body = ChunkedBody()

    payload, rest = feed_in_cuts(body, chunked(pieces) + behind, cuts)

    assert body.is_done
    assert payload == b"".join(pieces)
    assert rest == behind


@given(data=st.binary(max_size=60), cuts=CUTS, behind=st.binary(max_size=10))
def test_a_length_ends_where_it_says(data: bytes, cuts: list[int], behind: bytes) -> None:
    body = LengthBody(len(data))

    payload, rest = feed_in_cuts(body, data + behind, cuts)

    assert body.is_done
    assert (payload, rest) == (data, behind)


@given(pieces=PIECES, cut=st.integers(min_value=1))
def test_a_chunked_body_that_is_cut_short_is_not_done(pieces: list[bytes], cut: int) -> None:
    data = chunked(pieces)
    body = ChunkedBody()

    body.feed(data[: -(cut % len(data) or 1)])

    assert not body.is_done


@given(data=st.binary(max_size=200), cuts=CUTS)
def test_any_bytes_are_chunks_or_an_error_the_same_way_however_cut(
    data: bytes, cuts: list[int]
) -> None:
    def read(cuts: list[int]) -> object:
        body = ChunkedBody()
        try:
            return (*feed_in_cuts(body, data, cuts), body.is_done)
        except FramingError:
            return FramingError

    assert read(cuts) == read([len(data) or 1])


@pytest.mark.parametrize(
    "data",
    [b"\r\n", b"g\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\n", b" 1\r\n",
     b"1\n", b"1\r\r\n", b"1;\x00\r\n",
     b"1\r\nab\r\n", b"1\r\na\rb\n", b"1" * 16 + b"\r\n", b"1\r\na\n\r\n"],
)  # fmt: skip
def test_sizes_and_ends_are_read_strictly(data: bytes) -> None:
    with pytest.raises(FramingError):
        ChunkedBody().feed(data)


def test_extensions_and_trailers_are_read_over() -> None:
    body = ChunkedBody()

    pieces, rest = body.feed(b'2;a="b" ;c\r\nok\r\n00\r\nX-T: 1\r\nX-U: 2\r\n\r\nGET')

    assert (pieces, rest, body.is_done) == ([b"ok"], b"GET", True)


def test_lines_without_end_are_given_up() -> None:
    with pytest.raises(FramingError, match="too long"):
        ChunkedBody().feed(b"1;" + b"a" * 5_000)
    with pytest.raises(FramingError, match="trailer"):
        ChunkedBody().feed(b"0\r\n" + b"a: b\r\n" * 5_000)


def test_an_endless_body_takes_everything() -> None:
    body = EndlessBody()

    assert body.feed(b"abc") == ([b"abc"], b"")
    assert not body.is_done


def test_an_empty_body_is_done_before_it_begins() -> None:
    assert LengthBody(0).is_done
