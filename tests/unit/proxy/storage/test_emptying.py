"""Frames are emptied where they lie: the rest of the spool stays, and the books balance."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.marks import PURGED
from proxy.errors import SpoolBusy
from proxy.storage import SpoolReader, SpoolWriter, empty_frames
from proxy.storage.records import emptied, payload_of
from tests.support.comparing import frame

RUN = "20261122T000000-1-aaaaaa"
SECRET = b"[hmac:00112233445566aa]"


def spool_with(directory: Path, bodies: list[bytes]) -> SpoolWriter:
    writer = SpoolWriter(directory, RUN)
    writer.write([frame(seq, run=RUN, body=body) for seq, body in enumerate(bodies, 1)])
    return writer


@given(body=st.binary(max_size=70_000), target=st.text("abc/", max_size=300))
def test_an_emptied_payload_is_as_long_as_it_was_and_holds_nothing(
    body: bytes, target: str
) -> None:
    full = payload_of(msgspec.structs.replace(frame(1), body=body, target=target + SECRET.decode()))

    empty = emptied(full)

    assert len(empty) == len(full)
    assert SECRET not in empty


def test_the_frames_of_one_are_emptied_while_a_worker_goes_on(tmp_path: Path) -> None:
    writer = spool_with(tmp_path, [b"one", SECRET, b"three", SECRET * 40])

    count = empty_frames(tmp_path, lambda payload: SECRET in payload)
    writer.write([frame(5, run=RUN, body=b"five")])
    with SpoolReader(tmp_path) as reader:
        found = [one for _, one in reader.read()]
    writer.close()

    assert count == 2
    assert [one.seq for one in found] == [1, 2, 3, 4, 5]
    assert [one.redaction == PURGED for one in found] == [False, True, False, True, False]
    assert [one.body for one in found if one.redaction != PURGED] == [b"one", b"three", b"five"]
    assert all(not one.target and not one.request_headers for one in found if one.redaction)
    assert SECRET not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.seg"))


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    spool_with(tmp_path, [SECRET]).close()
    before = (tmp_path / RUN / "000001.seg").read_bytes()

    assert empty_frames(tmp_path, lambda payload: SECRET in payload, dry_run=True) == 1
    assert (tmp_path / RUN / "000001.seg").read_bytes() == before


def test_a_spool_that_is_being_read_is_left_alone(tmp_path: Path) -> None:
    spool_with(tmp_path, [SECRET]).close()

    with SpoolReader(tmp_path), pytest.raises(SpoolBusy):
        empty_frames(tmp_path, lambda payload: SECRET in payload)


def test_a_spool_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert empty_frames(tmp_path / "none", lambda _: True) == 0


def test_bytes_that_are_no_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="no frame"):
        emptied(b"\xc1\x00")
