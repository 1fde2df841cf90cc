"""Cells of Debezium's messages."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.capture.debezium_values import Schema, cell
from legacy_adapters.mapping.rows import Broken, Cell, Column, ColumnKind

INTEGER, TEXT, DECIMAL = ColumnKind.INTEGER, ColumnKind.TEXT, ColumnKind.DECIMAL
MOMENT, DAY, BYTES, UUID = ColumnKind.MOMENT, ColumnKind.DAY, ColumnKind.BYTES, ColumnKind.UUID
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def named(name: str, kind: str = "int64", **parameters: str) -> Schema:
    return Schema(kind, name, parameters)


TIME = "io.debezium.time."
CONNECT = "org.apache.kafka.connect.data."


@pytest.mark.parametrize(
    ("column", "value", "schema", "wanted"),
    [
        (Column(DECIMAL, 2), "AxY=", Schema(), "7.90"),
        (Column(DECIMAL, 2), "/Oo=", Schema(), "-7.90"),
        (Column(DECIMAL, 2), "7.9", Schema(), "7.90"),
        (Column(DECIMAL, 2), "-7", Schema(), "-7.00"),
        (Column(DECIMAL, 2), 7.9, Schema(), "7.90"),
        (Column(DECIMAL, 0), "1234", Schema("string"), "1234"),
        (Column(DECIMAL, 2), {"scale": 3, "value": "Hs8="}, Schema(), Broken("7.887")),
        (Column(DECIMAL, 3), {"scale": 3, "value": "Hs8="}, Schema(), "7.887"),
        (Column(DECIMAL, 2), "!!!!", Schema(), Broken("!!!!")),
        (
            Column(MOMENT),
            1_700_000_000_123,
            named(TIME + "Timestamp"),
            "2023-11-14T22:13:20.123000Z",
        ),
        (Column(MOMENT), 1_000, named(TIME + "MicroTimestamp"), "1970-01-01T00:00:00.001000Z"),
        (Column(MOMENT), -1, named(TIME + "MicroTimestamp"), "1969-12-31T23:59:59.999999Z"),
        (Column(MOMENT), 1_700_000_000_123_456, Schema(), "2023-11-14T22:13:20.123456Z"),
        (Column(MOMENT), 1_700_000_000_123, Schema(), "2023-11-14T22:13:20.123000Z"),
        (Column(MOMENT), 1_700_000_000_123_456_789, Schema(), "2023-11-14T22:13:20.123456Z"),
        (Column(MOMENT), 1_000_000, named(TIME + "NanoTimestamp"), "1970-01-01T00:00:00.001000Z"),
        (
            Column(MOMENT),
            "2023-11-14T22:13:20.5Z",
            named(TIME + "ZonedTimestamp", "string"),
            "2023-11-14T22:13:20.500000Z",
        ),
        (Column(MOMENT), "2023-11-14T22:13:20+02:00", Schema(), "2023-11-14T20:13:20.000000Z"),
        (
            Column(MOMENT),
            9_223_372_036_825_200_000,
            named(TIME + "MicroTimestamp"),
            Broken("9223372036825200000"),
        ),
        (Column(DAY), 19_675, named(TIME + "Date", "int32"), "2023-11-14"),
        (Column(DAY), 19_675, Schema(), "2023-11-14"),
        (Column(DAY), "2023-11-14", Schema(), "2023-11-14"),
        (Column(DAY), 10**9, Schema(), Broken("1000000000")),
        (Column(ColumnKind.BOOLEAN), 1, named("", "int16"), True),
        (Column(ColumnKind.BOOLEAN), False, Schema(), False),
        (Column(INTEGER), 5, Schema(), 5),
        (
            Column(INTEGER),
            "AP//////////",
            named(CONNECT + "Decimal", "bytes", scale="0"),
            2**64 - 1,
        ),
        (Column(INTEGER), 5.5, Schema(), Broken("5.5")),
        (Column(TEXT), 34_200_000, named(TIME + "Time", "int32"), "09:30:00"),
        (Column(TEXT), 34_200_000_001, named(TIME + "MicroTime"), "09:30:00.000001"),
        (Column(TEXT), -1_000_000, named(TIME + "MicroTime"), "-00:00:01"),
        (Column(TEXT), 34_200_000, Schema(), Broken("34200000")),
        (Column(TEXT), "naïve", Schema(), "naïve"),
        (
            Column(UUID),
            "12345678-9ABC-4def-8123-456789abcdef",
            Schema(),
            "12345678-9abc-4def-8123-456789abcdef",
        ),
        (
            Column(UUID),
            base64.b64encode(bytes(16)).decode(),
            Schema(),
            "00000000-0000-0000-0000-000000000000",
        ),
        (Column(BYTES), "AP8=", Schema(), "AP8="),
        (Column(BYTES), "no base64!", Schema(), Broken("no base64!")),
        (
            Column(ColumnKind.JSON),
            '{"a":  1}',
            named("io.debezium.data.Json", "string"),
            '{"a":  1}',
        ),
        (Column(ColumnKind.JSON), {"a": 1}, Schema(), '{"a":1}'),
        (Column(ColumnKind.NUMBER), 0.1, Schema(), "0.1"),
        (Column(ColumnKind.NUMBER), 3, Schema(), "3.0"),
        (Column(MOMENT), None, Schema(), None),
    ],
)
def test_a_cell_is_read_by_its_schema_or_its_kind(
    column: Column, value: Any, schema: Schema, wanted: Cell
) -> None:
    assert cell(column, value, schema) == wanted


@given(st.sampled_from(ColumnKind), JSON, st.sampled_from(["", "bytes", "string", "int64"]))
def test_every_value_of_a_message_is_a_cell(kind: ColumnKind, value: Any, told: str) -> None:
    found = cell(Column(kind, 2), value, Schema(told))

    assert found is None or isinstance(found, bool | int | str | Broken)


@given(st.integers(-(10**27), 10**27), st.integers(0, 20))
def test_a_precise_decimal_is_exact(raw: int, scale: int) -> None:
    packed = raw.to_bytes(raw.bit_length() // 8 + 1, "big", signed=True)

    found = cell(Column(DECIMAL, scale), base64.b64encode(packed).decode())

    assert int(str(found).replace(".", "")) == raw


def test_a_decimal_of_more_digits_than_fit_is_broken_and_not_rounded() -> None:
    packed = (10**30 + 1).to_bytes(13, "big", signed=True)

    found = cell(Column(DECIMAL, 2), base64.b64encode(packed).decode())

    assert isinstance(found, Broken)
