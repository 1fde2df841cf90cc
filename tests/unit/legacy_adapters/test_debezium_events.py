"""Debezium's messages, as its documentation shows them, in our words."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.capture.debezium_events import Event, Garbage, MessageReader
from legacy_adapters.capture.debezium_values import NOT_LOGGED
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.ports.capture import Change

LINE = Table(
    "order_line",
    ("id",),
    {
        "id": Column(ColumnKind.INTEGER),
        "name": Column(ColumnKind.TEXT),
        "price": Column(ColumnKind.DECIMAL, 2),
    },
)
SOURCE = {
    "version": "2.7.0.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1_700_000_000_123,
    "snapshot": "false", "db": "oscar", "sequence": '["24023119","24023128"]', "schema": "public",
    "table": "order_line", "txId": 571, "lsn": 24_023_128, "xmin": None,
}  # fmt: skip


def message(op: str, before: Any = None, after: Any = None, **more: Any) -> bytes:
    source = {**SOURCE, **more.pop("source", {})}
    payload = {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1, **more}
    return json.dumps(payload).encode()


def row(number: int, name: str = "a", price: Any = "7.90") -> dict[str, Any]:
    return {"id": number, "name": name, "price": price}


def read(data: bytes) -> Event | None:
    return MessageReader([LINE]).read(data)


def test_an_insertion_has_its_row_and_its_transaction() -> None:
    found = read(message("c", None, row(1)))

    assert found == Event(
        transaction="571",
        at=datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC),
        changes=(Change("order_line", "1", None, row(1)),),
        marker=24_023_128,
    )


def test_an_update_has_both_rows() -> None:
    found = read(message("u", row(1), row(1, "b")))

    assert found is not None
    assert found.changes == (Change("order_line", "1", row(1), row(1, "b")),)


def test_an_update_without_its_old_row_has_the_new_one() -> None:
    found = read(message("u", None, row(1, "b")))

    assert found is not None
    assert found.changes == (Change("order_line", "1", None, row(1, "b")),)


def test_a_deletion_names_what_was_deleted() -> None:
    found = read(message("d", row(1)))

    assert found is not None
    assert found.changes == (Change("order_line", "1", row(1), None),)


def test_a_row_of_the_first_snapshot_is_no_commit() -> None:
    found = read(message("r", None, row(1), source={"snapshot": "true"}))

    assert found is not None
    assert found.is_snapshot
    assert [change.key for change in found.changes] == ["1"]


def test_an_emptied_table_is_told() -> None:
    found = read(message("t"))

    assert found is not None
    assert (found.truncated, found.changes) == (("order_line",), ())


def test_a_cell_that_the_log_did_not_have_is_as_it_was_or_broken() -> None:
    toast = "__debezium_unavailable_value"

    kept = read(message("u", row(1, "long"), row(1, toast)))
    unknown = read(message("u", None, row(1, toast)))

    assert kept is not None
    assert unknown is not None
    assert kept.changes[0].after == row(1, "long")
    assert unknown.changes[0].after == {**row(1), "name": NOT_LOGGED}


def test_the_envelope_of_schemas_says_what_cells_are() -> None:
    fields = [
        {"type": "int32", "optional": False, "field": "id"},
        {"type": "string", "optional": True, "field": "name"},
        {"type": "bytes", "optional": True, "name": "org.apache.kafka.connect.data.Decimal",
         "version": 1, "parameters": {"scale": "2"}, "field": "price"},
    ]  # fmt: skip
    schema = {"type": "struct", "fields": [
        {"type": "struct", "fields": fields, "optional": True, "field": "before"},
        {"type": "struct", "fields": fields, "optional": True, "field": "after"},
    ]}  # fmt: skip
    payload = json.loads(message("c", None, row(1, price="AxY=")))
    found = read(json.dumps({"schema": schema, "payload": payload}).encode())

    assert found is not None
    assert found.changes[0].after == row(1, price="7.90")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        json.dumps({"schema": None, "payload": None}).encode(),
        json.dumps({"ts_ms": 1}).encode(),
        message("c", None, {"id": 1}, source={"table": "other"}),
        json.dumps({"status": "BEGIN", "id": "571", "event_count": None}).encode(),
    ],
)
def test_tombstones_heartbeats_and_other_tables_concern_nobody(data: bytes) -> None:
    assert read(data) is None


def test_the_end_of_a_transaction_is_told_with_its_size() -> None:
    data = {"status": "END", "id": "571:24023128", "event_count": 2, "data_collections": []}

    assert read(json.dumps(data).encode()) == Event("571:24023128", ends=2)


def test_the_block_of_the_transaction_names_it_before_the_source_does() -> None:
    block = {"id": "571:24023128", "total_order": 1, "data_collection_order": 1}

    found = read(message("c", None, row(1), transaction=block))

    assert found is not None
    assert found.transaction == "571:24023128"


def test_a_gtid_names_a_transaction_of_mariadb() -> None:
    source = {"txId": None, "lsn": None, "gtid": "0-1-77"}

    found = read(message("c", None, row(1), source=source))

    assert found is not None
    assert (found.transaction, found.marker) == ("0-1-77", 77)


def test_a_changed_definition_is_told() -> None:
    data = {
        "source": {"ts_ms": 1}, "databaseName": "shop", "ddl": "ALTER TABLE order_line …",
        "tableChanges": [{"type": "ALTER", "id": '"shop"."order_line"'}],
    }  # fmt: skip

    found = read(json.dumps(data).encode())

    assert found is not None
    assert found.altered == ("order_line",)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[1]",
        b"7",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        json.dumps({"hello": 1}).encode(),
        message("c", None, None),
        message("c", None, {"name": "no key"}),
        message("c", None, {"id": None}),
        message("c", None, [1]),
        message("x", None, row(1)),
        message("d", None),
        json.dumps({"op": "c", "source": None, "after": row(1)}).encode(),
        json.dumps({"op": "c", "source": {"table": "order_line", "ts_ms": "soon"},
                    "after": row(1)}).encode(),
        json.dumps({"status": "END", "id": "1", "event_count": "many"}).encode(),
    ],
)  # fmt: skip
def test_what_says_nothing_is_garbage(data: bytes) -> None:
    with pytest.raises(Garbage):
        read(data)


def test_one_table_of_two_databases_is_garbage() -> None:
    reader = MessageReader([LINE])
    reader.read(message("c", None, row(1)))

    with pytest.raises(Garbage, match="is of"):
        reader.read(message("c", None, row(1), source={"db": "another"}))


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Garbage):
        read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "op": st.sampled_from(["c", "u", "d", "r", "t", "m", "?"]) | JSON,
            "source": st.just(SOURCE) | JSON,
            "before": st.just(row(1)) | JSON,
            "after": st.just(row(1)) | JSON,
            "transaction": JSON,
            "status": JSON,
            "id": JSON,
            "tableChanges": JSON,
        },
    )
)
def test_any_object_is_read_or_refused(payload: dict[str, Any]) -> None:
    with contextlib.suppress(Garbage):
        read(json.dumps(payload).encode())
