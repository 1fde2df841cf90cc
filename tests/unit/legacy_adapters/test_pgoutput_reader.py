"""Messages of pgoutput, put together by hand, become transactions."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.capture.pgoutput import PgoutputReader, lsn_order, lsn_text
from legacy_adapters.capture.postgres_setup import end_of_records, full_number
from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.marks import APPLIED
from legacy_adapters.mapping.rows import Broken, Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Change, Transaction

THING = Table(
    "thing",
    ("id",),
    {
        "id": Column(ColumnKind.INTEGER),
        "name": Column(ColumnKind.TEXT),
        "raw": Column(ColumnKind.BYTES),
    },
)
SHAPE = {"id": 23, "name": 25, "raw": 17}
UNSENT = object()


def begin(number: int = 7) -> bytes:
    return b"B" + struct.pack(">QqI", 100, 0, number)


def commit(end: int = 120, at_us: int = 1_000_000) -> bytes:
    return b"C" + struct.pack(">BQQq", 0, 100, end, at_us)


def relation(
    name: str = "thing", shape: Mapping[str, int] = SHAPE, *, number: int = 1, identity: str = "f"
) -> bytes:
    columns = b"".join(
        b"\1" + column.encode() + b"\0" + struct.pack(">Ii", kind, -1)
        for column, kind in shape.items()
    )
    head = struct.pack(">I", number) + b"public\0" + name.encode() + b"\0" + identity.encode()
    return b"R" + head + struct.pack(">H", len(shape)) + columns


def fields(*cells: object) -> bytes:
    found = struct.pack(">H", len(cells))
    for cell in cells:
        if cell is None:
            found += b"n"
        elif cell is UNSENT:
            found += b"u"
        else:
            text = str(cell).encode()
            found += b"t" + struct.pack(">I", len(text)) + text
    return found


def change(kind: str, *parts: bytes, number: int = 1) -> bytes:
    return kind.encode() + struct.pack(">I", number) + b"".join(parts)


def truncate(*numbers: int) -> bytes:
    return b"T" + struct.pack(">IB", len(numbers), 0) + struct.pack(f">{len(numbers)}I", *numbers)


def insert(number: int, name: object = "x") -> bytes:
    return change("I", b"N", fields(number, name, None))


def read(*messages: bytes, reader: PgoutputReader | None = None) -> Transaction | None:
    """What one transaction of these messages is."""
    reader = reader or PgoutputReader((THING, APPLIED))
    for message in (begin(), *messages):
        assert reader.take(message) is None
    return reader.take(commit())


def whole(*messages: bytes) -> Transaction:
    found = read(*messages)
    assert found is not None
    return found


def test_a_transaction_is_given_with_its_end() -> None:
    found = whole(relation(), insert(1))

    assert found == Transaction(
        position=Position(120, "0/78"),
        name="7",
        at=datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC),
        is_ours=False,
        changes=(Change("thing", "1", None, {"id": 1, "name": "x", "raw": None}),),
    )


def test_a_long_value_that_did_not_change_is_taken_from_the_old_row() -> None:
    old, new = fields(1, "long", "\\x00ff"), fields(1, UNSENT, UNSENT)

    (found,) = whole(relation(), change("U", b"O", old, b"N", new)).changes

    assert found.before == found.after == {"id": 1, "name": "long", "raw": "AP8="}


def test_a_long_value_that_nobody_logged_is_broken() -> None:
    (found,) = whole(relation(identity="d"), change("U", b"N", fields(1, UNSENT, None))).changes

    assert found.before is None
    assert found.after == {"id": 1, "name": Broken("not in the log"), "raw": None}


def test_a_table_that_logs_keys_alone_gives_its_deletions() -> None:
    found = whole(relation(identity="d"), change("D", b"K", fields(5, None, None)))

    assert found.changes == (Change("thing", "5", None, None),)
    assert found.altered == ("thing",)


def test_another_key_is_a_deletion_and_an_insertion_also_where_keys_alone_are_logged() -> None:
    message = change("U", b"K", fields(5, None, None), b"N", fields(6, "x", None))

    found = whole(relation(identity="d"), message)

    assert [(c.key, c.before, c.after is None) for c in found.changes] == [
        ("5", None, True),
        ("6", None, False),
    ]


def test_what_was_written_before_its_table_was_emptied_is_left_out() -> None:
    found = whole(relation(), insert(1), truncate(1), insert(2))

    assert found.truncated == ("thing",)
    assert [c.key for c in found.changes] == ["2"]


def test_a_transaction_with_nothing_for_us_only_moves_the_place() -> None:
    reader = PgoutputReader((THING,))

    found = read(relation("other", {"id": 23}), change("I", b"N", fields(1)), reader=reader)

    assert found is None
    assert (reader.read_to, reader.is_inside) == (120, False)


def test_columns_that_moved_keep_their_names_and_the_table_is_told_altered() -> None:
    reader = PgoutputReader((THING,))
    before = read(relation(), insert(1), reader=reader)
    moved = relation(shape={"raw": 17, "new": 25, "id": 23, "name": 25})

    after = read(moved, change("I", b"N", fields(None, "new", 2, "y")), reader=reader)

    assert before is not None
    assert after is not None
    assert (before.altered, after.altered) == ((), ("thing",))
    assert after.changes[0].after == {"id": 2, "name": "y", "raw": None}


def test_a_table_that_is_described_again_as_it_is_was_not_altered() -> None:
    reader = PgoutputReader((THING,))
    read(relation(), insert(1), reader=reader)

    again = read(relation(), insert(2), reader=reader)

    assert again is not None
    assert again.altered == ()


def test_a_transaction_that_signs_is_the_replicators() -> None:
    signed = relation("mig_applied", dict.fromkeys(APPLIED.columns, 25), number=2)

    found = whole(signed, change("I", b"N", fields(*"1" * len(APPLIED.columns)), number=2))

    assert found.is_ours


def test_origins_types_and_messages_are_passed_over() -> None:
    found = whole(b"O" + bytes(8) + b"x\0", relation(), b"Y" + bytes(8), insert(1), b"M")

    assert len(found.changes) == 1


@given(garbage=st.binary(max_size=60), kind=st.sampled_from(list(b"BCIUDTROYMZ")))
def test_garbage_is_refused_by_name_or_passed_over(garbage: bytes, kind: int) -> None:
    reader = PgoutputReader((THING,))
    reader.take(begin())
    reader.take(relation())

    with contextlib.suppress(SourceUnfit):
        reader.take(bytes([kind]) + garbage)


@given(data=st.data())
def test_a_message_that_is_cut_off_is_refused(data: st.DataObject) -> None:
    message = change("U", b"O", fields(1, "abc", None), b"N", fields(1, "def", "\\x00"))
    cut = data.draw(st.integers(1, len(message) - 1))
    reader = PgoutputReader((THING,))
    reader.take(begin())
    reader.take(relation())

    with pytest.raises(SourceUnfit):
        reader.take(message[:cut])


def test_a_change_outside_of_a_transaction_is_refused() -> None:
    reader = PgoutputReader((THING,))
    reader.take(relation())

    with pytest.raises(SourceUnfit):
        reader.take(insert(1))


@given(order=st.integers(0, 2**63 - 1))
def test_a_place_is_its_text(order: int) -> None:
    assert lsn_order(lsn_text(order)) == order


@given(now=st.integers(2**33, 2**60), distance=st.integers(-(2**31), 2**31 - 1))
def test_a_transactions_number_is_found_from_its_lower_half(now: int, distance: int) -> None:
    assert full_number((now + distance) % 2**32, now) == now + distance


@pytest.mark.parametrize(
    ("insert_at", "end"),
    [(8192 + 24, 8192), (2**24 + 40, 2**24), (8192 + 100, 8192 + 100), (8192, 8192)],
)
def test_the_head_of_a_page_without_records_is_not_waited_for(insert_at: int, end: int) -> None:
    assert end_of_records(insert_at) == end
