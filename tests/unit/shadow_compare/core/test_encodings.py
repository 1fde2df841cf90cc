"""What the transport did to a body is undone, within bounds, or the pair is incomparable."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.answer import Answer
from shadow_compare.core.encodings import MAX_DECODED_BYTES, unpacked
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import UnreadableError
from tests.support.judging import JSON, answer, places, verdict


def packed(body: bytes, coding: str) -> Answer:
    data = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "bare": lambda b: zlib.compress(b)[2:-4],
        "br": brotli.compress,
        "zstd": zstd.compress,
        "gzip, br": lambda b: brotli.compress(gzip.compress(b)),
        "GZIP": lambda b: gzip.compress(b[:3]) + gzip.compress(b[3:]),
    }[coding](body)
    name = "deflate" if coding == "bare" else coding
    return answer(data, headers=(*JSON, ("Content-Encoding", name)))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "bare", "br", "zstd", "gzip, br", "GZIP"])
def test_packed_and_plain_bodies_are_compared_by_content(coding: str) -> None:
    assert verdict(packed(b'{"a": 1}', coding), {"a": 1}).outcome is Outcome.MATCH
    assert places(verdict(packed(b'{"a": 1}', coding), {"a": 2})) == [("$.a", "value")]


@pytest.mark.parametrize(
    ("body", "coding", "why"),
    [
        (b"x", "compress", "the coding compress is not read"),
        (b"x", "gzip, gzip, gzip, gzip", "packed 4 times"),
        (b"\xff\xff\xff", "br", "damaged"),
        (b"x", "zstd", "damaged"),
        (brotli.compress(b"x" * 99)[:-2], "br", "cut off"),
        (zstd.compress(b"x" * 99)[:-2], "zstd", "cut off"),
        (brotli.compress(b"x") + b"more", "br", "damaged"),
        (zstd.compress(b"x") + b"more", "zstd", "damaged"),
        (gzip.compress(b"x") + b"more", "gzip", "damaged"),
        (brotli.compress(b"\0" * 9_000_000), "br", "larger than 8 MiB"),
        (zstd.compress(b"\0" * 9_000_000), "zstd", "larger than 8 MiB"),
        (b"no gzip at all", "gzip", "damaged"),
        (gzip.compress(b"x" * 99)[:-9], "gzip", "cut off"),
        (gzip.compress(b"\0" * 9_000_000), "gzip", "larger than 8 MiB"),
    ],
    # gzip writes the time down, which would name a test anew in every process.
    ids=lambda value: value if isinstance(value, str) else "body",
)
def test_packing_that_cannot_be_undone_is_not_compared(body: bytes, coding: str, why: str) -> None:
    theirs = answer(body, headers=(*JSON, ("Content-Encoding", coding)))

    found = verdict({"a": 1}, theirs)

    assert found.outcome is Outcome.INCOMPARABLE
    assert why in (found.reason or "")


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "br, gzip"]))
def test_arbitrary_bytes_unpack_or_are_refused(body: bytes, coding: str) -> None:
    with contextlib.suppress(UnreadableError):
        assert len(unpacked(body, coding)) <= MAX_DECODED_BYTES


@given(
    st.binary(min_size=1, max_size=300),
    st.sampled_from(["gzip", "deflate", "br", "zstd"]),
    st.data(),
)
def test_a_packed_body_that_lost_its_end_is_never_read(
    body: bytes, coding: str, data: st.DataObject
) -> None:
    whole = packed(body, coding).body
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]

    with pytest.raises(UnreadableError):
        unpacked(cut, coding)
