"""The spool: nothing lost that was written, nothing read twice, everything accounted for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.frame import Frame
from proxy.errors import SpoolBusy
from proxy.storage import (
    MIRRORED,
    START,
    Position,
    SpoolLimits,
    SpoolReader,
    SpoolWriter,
    counter_name,
    read_accounts,
    redaction_key,
    sweep,
)
from proxy.storage.records import decode, encode

RUN = "20261122T012000-4711-a1b2c3"
ROUTE = "GET /api/products/{id}/"


def frame(seq: int, *, run: str = RUN, body: bytes = b"{}", domain: str = "catalog") -> Frame:
    return Frame(
        run=run,
        seq=seq,
        at_us=1_000_000 + seq,
        request_id=f"r{seq}",
        domain=domain,
        route=ROUTE,
        stage="shadow",
        side="legacy",
        shadow="core",
        noise=False,
        bucket=None,
        shopper=None,
        revision="abc",
        method="GET",
        target=f"/api/products/{seq}/",
        request_headers=(("Host", "shop"),),
        request_body=b"",
        status=200,
        headers=(("Content-Type", "application/json"),),
        body=body,
        elapsed_us=1_500,
    )


@contextlib.contextmanager
def writing(
    directory: Path, run: str = RUN, limits: SpoolLimits | None = None
) -> Iterator[SpoolWriter]:
    writer = SpoolWriter(directory, run, limits)
    try:
        yield writer
    finally:
        writer.close()


def write(writer: SpoolWriter, count: int, *, run: str = RUN, body: bytes = b"{}") -> int:
    """Mirror and write frames as the capture thread does."""
    frames = [frame(writer.next_seq + n, run=run, body=body) for n in range(count)]
    for each in frames:
        writer.account.add(counter_name(MIRRORED, each.domain, each.route))
    return writer.write(frames)


def read_all(reader: SpoolReader, step: int = 1_000) -> list[Frame]:
    out: list[Frame] = []
    while batch := reader.read(step):
        out += [each for _, each in batch]
    return out


def test_frames_come_back_whole_and_in_order(tmp_path: Path) -> None:
    with writing(tmp_path) as writer, SpoolReader(tmp_path) as reader:
        write(writer, 5)
        first = read_all(reader)
        write(writer, 3)
        second = read_all(reader)

    assert first == [frame(n) for n in range(1, 6)]
    assert [f.seq for f in second] == [6, 7, 8]


def test_a_reader_goes_on_at_the_position_it_stored(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        write(writer, 10)
    with SpoolReader(tmp_path) as reader:
        position = reader.read(4)[-1][0]

    with SpoolReader(tmp_path, {RUN: position}) as again:
        rest = read_all(again)

    assert [f.seq for f in rest] == [5, 6, 7, 8, 9, 10]


def test_segments_are_cut_at_their_size_and_released_when_read(tmp_path: Path) -> None:
    limits = SpoolLimits(segment_bytes=4_096)
    with writing(tmp_path, limits=limits) as writer, SpoolReader(tmp_path) as reader:
        write(writer, 60, body=b"x" * 500)
        before = sorted(p.name for p in (tmp_path / RUN).glob("*.seg"))
        frames = reader.read(1_000)

        reader.release({RUN: frames[-1][0]})
        after = sorted(p.name for p in (tmp_path / RUN).glob("*.seg"))
        write(writer, 1)
        more = read_all(reader)

    assert len(before) > 5
    assert [f.seq for _, f in frames] == list(range(1, 61))
    assert after == before[-1:]
    assert [f.seq for f in more] == [61]


def test_a_frame_larger_than_a_segment_and_a_read_passes(tmp_path: Path) -> None:
    limits = SpoolLimits(segment_bytes=1_024)
    big = os.urandom(3 * 1024 * 1024)
    with writing(tmp_path, limits=limits) as writer, SpoolReader(tmp_path) as reader:
        write(writer, 1)
        write(writer, 2, body=big)
        write(writer, 1)
        frames = read_all(reader)

    assert [f.body for f in frames] == [b"{}", big, big, b"{}"]


def test_a_full_spool_drops_the_newest_and_counts_them(tmp_path: Path) -> None:
    limits = SpoolLimits(segment_bytes=4_096, total_bytes=20_000)
    with writing(tmp_path, limits=limits) as writer:
        written = write(writer, 100, body=b"x" * 500)
        more = write(writer, 10, body=b"x" * 500)
        account = read_accounts(tmp_path)[RUN]
        used = sum(p.stat().st_size for p in tmp_path.rglob("*.seg"))

    assert 0 < written < 100
    assert more == 0
    assert used <= 20_000
    assert account.counters[f"spooled|catalog|{ROUTE}"] == written
    assert account.counters[f"dropped|catalog|{ROUTE}|spool_full"] == 110 - written
    assert account.pending == 0


def test_dropped_frames_leave_no_gap_in_seq(tmp_path: Path) -> None:
    limits = SpoolLimits(segment_bytes=2_000, total_bytes=6_000)
    with writing(tmp_path, limits=limits) as writer, SpoolReader(tmp_path) as reader:
        written = write(writer, 100, body=b"x" * 500)
        batch = reader.read(1_000)
        reader.release({RUN: batch[-1][0]})
        writer._room.measure()
        write(writer, 1)
        more = read_all(reader)

    assert [f.seq for f in more] == [written + 1]


def test_a_disk_that_refuses_costs_frames_never_an_error(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        write(writer, 1)
        writer._end_segment()
        (tmp_path / RUN / "000002.seg").mkdir()

        written = write(writer, 3)
        account = read_accounts(tmp_path)[RUN]

    assert written == 0
    assert account.counters[f"dropped|catalog|{ROUTE}|spool_error"] == 3


def test_only_one_reader_holds_the_spool(tmp_path: Path) -> None:
    with SpoolReader(tmp_path), pytest.raises(SpoolBusy):
        SpoolReader(tmp_path)

    SpoolReader(tmp_path).close()


def test_runs_take_turns(tmp_path: Path) -> None:
    other = "20261122T013000-4712-d4e5f6"
    with writing(tmp_path) as one, writing(tmp_path, other) as two, SpoolReader(tmp_path) as reader:
        write(one, 50)
        write(two, 50, run=other)
        first = [f.run for _, f in reader.read(10)]
        rest = read_all(reader, 7)

    assert {first.count(RUN), first.count(other)} == {5}
    assert len(rest) == 90


def test_large_bodies_make_a_read_shorter_and_every_run_yields_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.storage.spool._MOST_BYTES", 200)
    other = "20261122T013000-4712-d4e5f6"
    with writing(tmp_path) as one, writing(tmp_path, other) as two, SpoolReader(tmp_path) as reader:
        write(one, 5, body=b"x" * 60)
        write(two, 5, run=other, body=b"x" * 900)
        first = [f.run for _, f in reader.read(10)]
        rest = read_all(reader, 10)

    assert (first.count(RUN), first.count(other)) == (2, 1)
    assert len(rest) == 7


def test_the_torn_end_of_a_dead_run_is_lost_and_so_counted(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        write(writer, 3)
        writer.account.add(counter_name(MIRRORED, "catalog", ROUTE))
    torn = encode(frame(4))[:-5]
    with (tmp_path / RUN / "000001.seg").open("ab") as segment:
        segment.write(torn)

    with SpoolReader(tmp_path) as reader:
        frames = reader.read(10)
        account = reader.accounts()[RUN]
        finished = reader.finished(RUN, frames[-1][0])

    assert [f.seq for _, f in frames] == [1, 2, 3]
    assert not account.alive
    assert account.pending == 1
    assert finished


def test_frames_written_but_not_yet_counted_when_killed_are_counted_once(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        write(writer, 3)
        writer.account.add(counter_name(MIRRORED, "catalog", ROUTE), 3)
    with (tmp_path / RUN / "000001.seg").open("ab") as segment:
        segment.write(encode(frame(4)) + encode(frame(5)))

    totals = []
    for _ in range(2):
        with SpoolReader(tmp_path) as reader:
            account = reader.accounts()[RUN]
            spooled = account.counters[f"spooled|catalog|{ROUTE}"]
            totals.append((spooled, account.pending, len(read_all(reader))))

    assert totals == [(5, 1, 5), (5, 1, 5)]


def test_a_damaged_record_costs_itself_only(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        write(writer, 3)
    path = tmp_path / RUN / "000001.seg"
    data = bytearray(path.read_bytes())
    data[len(encode(frame(1))) + 40] ^= 0xFF
    path.write_bytes(data)

    with SpoolReader(tmp_path) as reader:
        frames = read_all(reader)
        corrupt = reader.corrupt_records

    assert [f.seq for f in frames] == [1, 3]
    assert corrupt == 1


def test_a_damaged_length_costs_its_segment_only(tmp_path: Path) -> None:
    limits = SpoolLimits(segment_bytes=600)
    with writing(tmp_path, limits=limits) as writer:
        write(writer, 12)
    path = tmp_path / RUN / "000001.seg"
    data = bytearray(path.read_bytes())
    data[0:4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)

    with SpoolReader(tmp_path) as reader:
        seqs = [f.seq for f in read_all(reader)]

    assert seqs
    assert seqs == list(range(13 - len(seqs), 13))


def test_a_run_is_forgotten_only_dead_and_read(tmp_path: Path) -> None:
    with SpoolReader(tmp_path) as reader:
        with writing(tmp_path) as writer:
            write(writer, 3)
            read_all(reader)
            while_alive = reader.forget(RUN)
            write(writer, 1)
        unread = reader.forget(RUN)
        read_all(reader)
        done = reader.forget(RUN)

    assert (while_alive, unread, done) == (False, False, True)
    assert not (tmp_path / RUN).exists()


def test_sweeping_removes_dead_runs_that_mirrored_nothing(tmp_path: Path) -> None:
    writing_now = SpoolWriter(tmp_path, "3")
    with writing(tmp_path, "1"):
        pass
    with writing(tmp_path, "2") as writer:
        write(writer, 1, run="2")

    sweep(tmp_path)
    left = sorted(p.name for p in tmp_path.iterdir() if p.is_dir())
    writing_now.close()

    assert left == ["2", "3"]


def test_the_redaction_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = redaction_key(tmp_path / "spool")
    second = redaction_key(tmp_path / "spool")

    mode = (tmp_path / "spool" / "redaction.key").stat().st_mode
    left = [p.name for p in (tmp_path / "spool").iterdir()]

    assert first == second
    assert len(first) == 32
    assert mode & 0o077 == 0
    assert left == ["redaction.key"]


def test_the_beginning_is_before_every_position() -> None:
    assert Position(1, 0) == START
    assert START < Position(1, 40) < Position(2, 0)


@given(bodies=st.lists(st.binary(max_size=50), max_size=6), cut=st.integers(min_value=0))
def test_any_prefix_of_a_segment_yields_exactly_its_whole_records(
    bodies: list[bytes], cut: int
) -> None:
    frames = [frame(n, body=body) for n, body in enumerate(bodies, 1)]
    records = [encode(each) for each in frames]
    data = b"".join(records)[: cut % (sum(map(len, records)) + 1)]

    found = [each for _, each in decode(data)]

    whole, size = 0, 0
    for record in records:
        size += len(record)
        whole += size <= len(data)
    assert found == frames[:whole]


@given(junk=st.binary(max_size=400))
def test_garbage_is_read_without_an_error_and_makes_no_frame(junk: bytes) -> None:
    assert all(each is None for _, each in decode(junk))
