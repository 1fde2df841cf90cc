"""The bound that all workers share, and how far behind the reader is."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.frame import Frame
from proxy.storage import (
    Lag,
    SpoolLimits,
    SpoolReader,
    SpoolWriter,
    read_accounts,
    spool_bytes,
    spool_lag,
)
from proxy.storage.lag import publish
from proxy.storage.records import checksum, decode, encode, payload_of, stamp
from proxy.storage.room import SpoolRoom

ONE, TWO = "20261122T012000-1-aaaaaa", "20261122T012000-2-bbbbbb"


def frame(seq: int, run: str = ONE, body: bytes = b"x" * 300) -> Frame:
    return Frame(
        run=run,
        seq=seq,
        at_us=1_000_000 * seq,
        request_id=f"r{seq}",
        domain="catalog",
        route="GET /x/",
        stage="shadow",
        side="legacy",
        shadow="core",
        noise=True,
        bucket=17,
        shopper="0123456789abcdef",
        revision="abc",
        method="GET",
        target="/x/é",
        request_headers=(("Host", "shop"), ("X-Empty", "")),
        request_body=b"q",
        status=200,
        headers=(("ETag", '"a: b"'),),
        body=body,
        elapsed_us=7,
    )


def test_a_frame_comes_back_as_it_was_written() -> None:
    assert [found for _, found in decode(encode(frame(2**40)))] == [frame(2**40)]


@given(seq=st.integers(1, 2**63), bit=st.integers(0, 63))
def test_a_damaged_seq_makes_no_frame(seq: int, bit: int) -> None:
    payload = payload_of(frame(1))
    head = bytearray(stamp(len(payload), checksum(payload), seq))

    head[8 + bit // 8] ^= 1 << bit % 8

    assert [found for _, found in decode(bytes(head) + payload)] == [None]


def test_two_writers_share_one_bound_and_never_pass_it(tmp_path: Path) -> None:
    limits = SpoolLimits(segment_bytes=3_000, total_bytes=20_000)
    one, two = (SpoolWriter(tmp_path, run, limits) for run in (ONE, TWO))

    for _ in range(40):
        one.write([frame(one.next_seq)])
        two.write([frame(two.next_seq, TWO)])
        assert spool_bytes(tmp_path) <= 20_000
    dropped = [account.total("dropped") for account in read_accounts(tmp_path).values()]
    one.close()
    two.close()

    assert spool_bytes(tmp_path) > 19_000
    assert min(dropped) > 0


def test_who_does_not_hold_the_lock_writes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    one, two = (SpoolWriter(tmp_path, run) for run in (ONE, TWO))
    packed = [one._packed(frame(1))]

    with two._room.held() as is_held:
        meanwhile = one.append(packed)
    later = one.append(packed)
    one.close()
    two.close()

    assert is_held
    assert (meanwhile.count, meanwhile.reason) == (0, "")
    assert (later.count, later.reason) == (1, "")


def test_room_that_was_taken_and_never_written_to_comes_back(tmp_path: Path) -> None:
    killed, other = SpoolRoom(tmp_path, 1_000), SpoolRoom(tmp_path, 1_000)
    with killed.held():
        assert killed.left() == 1_000
        killed.take(900)
    killed.close()

    with other.held():
        before = other.left()
        other.measure()
        after = other.left()
    other.close()

    assert (before, after) == (100, 1_000)


def test_a_clock_that_began_anew_makes_the_room_be_measured(tmp_path: Path) -> None:
    room = SpoolRoom(tmp_path, 1_000)
    room._words[0], room._words[1] = 999, 2**62

    with room.held():
        left = room.left()
    room.close()

    assert left == 1_000


def test_a_segment_in_the_way_costs_one_batch_only(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, ONE)
    (tmp_path / ONE / "000001.seg").mkdir()

    counts = [writer.write([frame(writer.next_seq)]) for _ in range(2)]
    writer.close()

    assert counts == [0, 1]


def test_a_run_whose_folder_was_taken_away_is_lost(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, ONE)
    before = writer.is_lost()

    (tmp_path / ONE).rename(tmp_path / "elsewhere")
    after = writer.is_lost()
    writer.close()

    assert (before, after) == (False, True)


def test_lag_is_what_lies_behind_the_released_position(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, ONE, SpoolLimits(segment_bytes=1_500))
    writer.write([frame(n) for n in range(1, 11)])
    untouched = spool_lag(tmp_path)

    with SpoolReader(tmp_path) as reader:
        some = reader.read(7)
        only_read = spool_lag(tmp_path)
        reader.release({ONE: some[-1][0]})
        released = spool_lag(tmp_path)
        rest = reader.read()
        reader.release({ONE: rest[-1][0]})
    done = spool_lag(tmp_path)
    writer.close()

    assert (untouched.unread_frames, untouched.oldest_at_us) == (10, 1_000_000)
    assert untouched.unread_bytes == sum(len(encode(frame(n))) for n in range(1, 11))
    assert only_read == untouched
    assert (released.unread_frames, released.oldest_at_us) == (3, 8_000_000)
    assert released.unread_bytes == sum(len(encode(frame(n))) for n in range(8, 11))
    assert done == Lag(0, 0, None)


def test_lag_counts_all_runs_and_names_the_oldest_frame(tmp_path: Path) -> None:
    one, two = (SpoolWriter(tmp_path, run) for run in (ONE, TWO))
    one.write([frame(1), frame(2)])
    two.write([frame(1, TWO)])
    with SpoolReader(tmp_path) as reader:
        position = reader.read(1)[0][0]
        reader.release({ONE: position})

    lag = spool_lag(tmp_path)
    one.close()
    two.close()

    assert (lag.unread_frames, lag.oldest_at_us) == (2, 1_000_000)


def test_lag_needs_neither_a_spool_nor_sense_in_what_was_published(tmp_path: Path) -> None:
    nowhere = spool_lag(tmp_path / "nowhere")
    publish(tmp_path / "nowhere", {})
    (tmp_path / "reader.positions").write_text("nonsense")

    assert nowhere == spool_lag(tmp_path) == Lag(0, 0, None)
