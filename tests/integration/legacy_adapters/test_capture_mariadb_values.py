"""Cells of a MariaDB: the log and a snapshot tell the same of each type."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from legacy_adapters.mapping.rows import Broken, Cell, Column, ColumnKind, Table
from tests.support.mariadb import shared_mariadb
from tests.support.mariadb_shop import Shop, after_rows, read_to, shop_on

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("mariadb_port")]

INTEGER, TEXT, BYTES = ColumnKind.INTEGER, ColumnKind.TEXT, ColumnKind.BYTES
MOMENT, DAY, UUID, NUMBER = ColumnKind.MOMENT, ColumnKind.DAY, ColumnKind.UUID, ColumnKind.NUMBER
OLD_ID = "12345678-9abc-1def-8123-456789abcd00"
NEW_ID = "12345678-9abc-4def-8123-456789abcd00"
Case = tuple[str, ColumnKind, str, Cell]

CASES: tuple[Case, ...] = (
    ("TINYINT", INTEGER, "-128", -128),
    ("SMALLINT UNSIGNED", INTEGER, "65535", 65_535),
    ("MEDIUMINT", INTEGER, "-8388608", -8_388_608),
    ("MEDIUMINT UNSIGNED", INTEGER, "16777215", 16_777_215),
    ("INT UNSIGNED", INTEGER, "4294967295", 4_294_967_295),
    ("BIGINT UNSIGNED", INTEGER, "18446744073709551615", 18_446_744_073_709_551_615),
    ("BIGINT", INTEGER, "-9223372036854775808", -9_223_372_036_854_775_808),
    ("BIT(10)", INTEGER, "b'1100000011'", 771),
    ("BIT(1)", ColumnKind.BOOLEAN, "b'1'", True),
    ("YEAR", INTEGER, "2024", 2024),
    ("YEAR", INTEGER, "0", 0),
    ("TINYINT(1)", ColumnKind.BOOLEAN, "1", True),
    ("TINYINT(1)", ColumnKind.BOOLEAN, "0", False),
    ("TINYINT(1)", ColumnKind.BOOLEAN, "7", Broken("7")),
    ("DECIMAL(12,2)", ColumnKind.DECIMAL, "-7.9", "-7.90"),
    ("DECIMAL(12,2)", ColumnKind.DECIMAL, "0", "0.00"),
    ("DECIMAL(12,2)", ColumnKind.DECIMAL, "9999999999.99", "9999999999.99"),
    ("DECIMAL(28,2)", ColumnKind.DECIMAL, "-10000000000000000000000.01", None),
    ("DECIMAL(9,0)", TEXT, "-123456789", "-123456789"),
    ("DECIMAL(40,19)", TEXT, "-0.0000000001000000001", "-0.0000000001000000001"),
    ("DOUBLE", NUMBER, "0.1", "0.1"),
    ("DOUBLE", NUMBER, "-1.7976931348623157e308", "-1.7976931348623157e+308"),
    ("FLOAT", NUMBER, "16777217", "16777216.0"),
    ("FLOAT", NUMBER, "1.5", "1.5"),
    ("DATETIME(6)", MOMENT, "'2026-01-31 09:00:00.000001'", "2026-01-31T09:00:00.000001Z"),
    ("DATETIME(3)", MOMENT, "'9999-12-31 23:59:59.999'", "9999-12-31T23:59:59.999000Z"),
    ("DATETIME(2)", MOMENT, "'2026-01-31 09:00:00.07'", "2026-01-31T09:00:00.070000Z"),
    ("DATETIME", MOMENT, "'1000-01-01'", "1000-01-01T00:00:00.000000Z"),
    ("DATETIME", MOMENT, "'0000-00-00'", Broken("0000-00-00 00:00:00")),
    ("DATETIME(6)", MOMENT, "'2026-00-10 01:02:03.5'", Broken("2026-00-10 01:02:03.500000")),
    ("TIMESTAMP NULL", MOMENT, "'2026-01-31 09:00:00'", "2026-01-31T07:00:00.000000Z"),
    ("TIMESTAMP(6) NULL", MOMENT, "'2026-01-31 09:00:00.25'", "2026-01-31T07:00:00.250000Z"),
    ("TIMESTAMP(3) NULL", MOMENT, "'0000-00-00'", Broken("0000-00-00 00:00:00.000")),
    ("DATE", DAY, "'2026-01-31'", "2026-01-31"),
    ("DATE", DAY, "'2026-00-10'", Broken("2026-00-10")),
    ("DATE", DAY, "'0000-00-00'", Broken("0000-00-00")),
    ("TIME", TEXT, "'-838:59:59'", "-838:59:59"),
    ("TIME(3)", TEXT, "'-10:11:12.345'", "-10:11:12.345"),
    ("TIME(6)", TEXT, "'00:00:00.000001'", "00:00:00.000001"),
    ("TIME(1)", TEXT, "'-00:00:00.5'", "-00:00:00.5"),
    ("VARCHAR(20)", TEXT, "'naïve 🌳'", "naïve 🌳"),
    ("VARCHAR(300)", TEXT, "''", ""),
    ("CHAR(5)", TEXT, "'ab '", "ab"),
    ("VARCHAR(20) CHARACTER SET latin1", TEXT, "_latin1 X'e98081'", "é€\x81"),
    ("CHAR(9) CHARACTER SET latin1", TEXT, "_latin1 X'e9'", "é"),
    ("VARCHAR(20) CHARACTER SET ucs2", TEXT, "'é€'", "é€"),
    ("VARCHAR(20) CHARACTER SET utf32", TEXT, "'🌳'", "🌳"),
    ("VARCHAR(20) CHARACTER SET cp1251", TEXT, "'книга'", "книга"),
    ("VARCHAR(20) CHARACTER SET sjis", TEXT, "'本'", "本"),
    ("VARCHAR(20) COLLATE uca1400_ai_ci", TEXT, "'straße'", "straße"),
    ("VARBINARY(20)", TEXT, "X'6f6bff'", Broken("ok\\xff")),
    ("LONGTEXT", TEXT, "REPEAT('é', 70000)", "é" * 70_000),
    ("JSON", ColumnKind.JSON, """'{"a":  [1, null]}'""", '{"a":  [1, null]}'),
    ("TINYBLOB", BYTES, "X'00ff'", "AP8="),
    ("BINARY(4)", BYTES, "X'0100'", "AQAAAA=="),
    ("VARBINARY(4)", BYTES, "X'0100'", "AQA="),
    ("CHAR(32)", UUID, "'123456789ABC1def8123456789abcd00'", OLD_ID),
    ("UUID", UUID, f"'{OLD_ID}'", OLD_ID),
    ("UUID", UUID, f"'{NEW_ID}'", NEW_ID),
    ("BINARY(16)", UUID, "X'123456789abc4def8123456789abcd00'", NEW_ID),
    ("CHAR(32)", UUID, "'none'", Broken("none")),
    ("ENUM('new','paid','é')", TEXT, "'é'", "é"),
    ("ENUM('new','paid')", TEXT, "'nonsense'", ""),
    ("SET('x','y','z')", TEXT, "'z,x'", "x,z"),
    ("SET('x','y','z')", TEXT, "''", ""),
    ("INT", TEXT, "5", "5"),
    ("INT", INTEGER, "NULL", None),
    ("DATETIME(6)", MOMENT, "NULL", None),
)  # fmt: skip
SCALES = {"DECIMAL(12,2)": 2}


def _table() -> Table:
    columns = {
        f"c{at}": Column(kind, SCALES.get(sql, 0)) for at, (sql, kind, _, _) in enumerate(CASES)
    }
    return Table("odd", ("id",), {"id": Column(INTEGER), **columns})


ODD = _table()


@pytest.fixture(scope="module")
def shop(mariadb_port: int) -> Iterator[Shop]:
    columns = ", ".join(f"c{at} {sql}" for at, (sql, *_) in enumerate(CASES))
    with shop_on(
        shared_mariadb(),
        f"CREATE TABLE odd (id INT PRIMARY KEY, {columns}) DEFAULT CHARSET utf8mb4",
    ) as opened:
        yield opened


async def test_every_type_arrives_the_same_from_the_log_and_from_a_snapshot(shop: Shop) -> None:
    source = shop.source(ODD)
    await source.prepare()
    start = await source.here()
    values = ", ".join(value for _, _, value, _ in CASES)
    shop.run("SET sql_mode = '', time_zone = '+02:00'", f"INSERT INTO odd VALUES (1, {values})")  # noqa: S608

    (logged,) = after_rows(await read_to(source, await source.here(), start))
    async with source.snapshot() as snapshot:
        (shot,) = await snapshot.page(ODD, None, 10)

    assert logged is not None
    for at, (sql, kind, value, wanted) in enumerate(CASES):
        told = f"{sql} as {kind}: {value[:60]}"
        if wanted is not None or value == "NULL":
            assert (told, logged[f"c{at}"]) == (told, wanted)
        assert (told, shot[f"c{at}"]) == (told, logged[f"c{at}"])
