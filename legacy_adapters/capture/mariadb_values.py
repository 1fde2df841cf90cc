"""Row images of MariaDB's log, read byte by byte. Pure.

mysql-replication could read them too, but it turns zero dates into None, the zero timestamp into
1970, sets into unordered ones, raises on bytes that are no text of their charset and cuts zeroes
off the end of a BINARY. Here a cell arrives as a query would give it, or as Broken.

What stays lost: the names of ENUM and SET values in a charset other than UTF-8.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.rows import Broken, Cell, Column, ColumnKind, Row, Table, plain

NOT_LOGGED = Broken("not in the log")
"""A cell that the table has and the log does not."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)

Reader = Callable[[bytes, int], tuple[Any, int]]
"""From the bytes of a row and where its cell begins: the value, and where the next one begins."""


class Logged(Protocol):
    """A column as the log describes it; which attributes it has depends on its type."""

    @property
    def type(self) -> int: ...

    @property
    def name(self) -> str | None: ...

    def __getattr__(self, name: str) -> Any: ...


class RowImages:
    """Reads the rows of one table, as one place of the log describes it.

    Raises:
        SourceUnfit: from the constructor: the log does not name its columns, or has a type of
            them that cannot be read.
    """

    def __init__(self, table: Table, logged: Sequence[Logged]) -> None:
        if logged and not logged[0].name:
            raise SourceUnfit(
                f"the log does not name the columns of {table.name}; "
                "SET GLOBAL binlog_row_metadata = FULL, and start with a new backfill"
            )
        self.table = table
        self._fields = [_field(table, column) for column in logged]
        known = {name for name, _ in self._fields}
        self._absent = {name: NOT_LOGGED for name in table.columns if name not in known}
        self._present: dict[bytes, tuple[tuple[str, Reader], ...]] = {}

    def inserted(self, data: bytes, present: bytes) -> Iterator[Row]:
        """The rows of an insertion or a deletion."""
        at = 0
        while at < len(data):
            row, at = self._row(data, at, present)
            yield self._absent | row

    def updated(
        self, data: bytes, present_before: bytes, present_after: bytes
    ) -> Iterator[tuple[Row, Row]]:
        """The rows of an update, before and after it."""
        at = 0
        while at < len(data):
            before, at = self._row(data, at, present_before)
            after, at = self._row(data, at, present_after)
            whole = self._absent | before
            # Where only changed columns were logged, the others are as they were.
            yield whole, whole | after

    def _row(self, data: bytes, at: int, present: bytes) -> tuple[dict[str, Cell], int]:
        fields = self._present.get(present)
        if fields is None:
            fields = self._present[present] = self._choose(present)
        nulls = at
        row: dict[str, Cell] = {}
        at += (len(fields) + 7) >> 3
        for index, (name, read) in enumerate(fields):
            if data[nulls + (index >> 3)] >> (index & 7) & 1:
                row[name] = None
            else:
                row[name], at = read(data, at)
        row.pop("", None)
        return row, at

    def _choose(self, present: bytes) -> tuple[tuple[str, Reader], ...]:
        chosen = [
            field
            for index, field in enumerate(self._fields)
            if present[index >> 3] >> (index & 7) & 1
        ]
        if len(chosen) < len(self._fields):
            kept = {name for name, _ in chosen}
            self._absent |= {name: NOT_LOGGED for name in self.table.columns if name not in kept}
        return tuple(chosen)


def _field(table: Table, logged: Logged) -> tuple[str, Reader]:
    """A column's name, "" where nobody asked for it, and the reader of its cells."""
    make = _MAKERS.get(logged.type)
    if make is None:
        raise SourceUnfit(
            f"{table.name}.{logged.name} has a type that the log's reader does not know "
            f"({logged.type}); change the column, or leave the table out"
        )
    read = make(logged)
    column = table.columns.get(str(logged.name))
    return ("", read) if column is None else (str(logged.name), _cells(column, read))


def _cells(column: Column, read: Reader) -> Reader:
    def cell(data: bytes, at: int) -> tuple[Cell, int]:
        value, at = read(data, at)
        if isinstance(value, int) and column.kind is ColumnKind.INTEGER:
            return value, at
        return as_cell(column, value), at

    return cell


def as_cell(column: Column, value: Any) -> Cell:
    """A value of the log or of a query in the form of the rows."""
    if isinstance(value, Broken):
        return value
    if column.kind is ColumnKind.TEXT and isinstance(value, int | float):
        return str(value)
    if column.kind is ColumnKind.UUID and isinstance(value, bytes) and len(value) == 16:
        return str(UUID(bytes=value))
    return plain(column, value)


def _integer(size: int) -> Callable[[Logged], Reader]:
    def make(logged: Logged) -> Reader:
        is_signed = not logged.unsigned

        def read(data: bytes, at: int) -> tuple[int, int]:
            end = at + size
            return int.from_bytes(data[at:end], "little", signed=is_signed), end

        return read

    return make


def _float(spelling: str) -> Callable[[Logged], Reader]:
    packed = struct.Struct(spelling)

    def read(data: bytes, at: int) -> tuple[float, int]:
        return packed.unpack_from(data, at)[0], at + packed.size

    return lambda _logged: read


def _year(_logged: Logged) -> Reader:
    return lambda data, at: (data[at] + 1900 if data[at] else 0, at + 1)


def _text(size: int, logged: Logged) -> Reader:
    decode = _decoding(logged.character_set_name)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        begin = at + size
        end = begin + int.from_bytes(data[at:begin], "little")
        raw = data[begin:end]
        return (decode(raw) if decode else raw), end

    return read


def _varchar(logged: Logged) -> Reader:
    return _text(2 if logged.max_length > 255 else 1, logged)


def _char(logged: Logged) -> Reader:
    read, length = _varchar(logged), logged.max_length
    if logged.character_set_name != "binary":
        return read

    def padded(data: bytes, at: int) -> tuple[bytes, int]:
        raw, at = read(data, at)
        return raw.ljust(length, b"\0"), at

    return padded


def _blob(logged: Logged) -> Reader:
    return _text(logged.length_size, logged)


def _decoding(charset: str | None) -> Callable[[bytes], str | Broken] | None:
    """None for what is read as UTF-8 or left as bytes, by the column's kind."""
    if charset in {None, "utf8", "binary"}:
        return None
    if charset == "cp1252":
        return latin1_text
    try:
        codec = codecs.lookup(_CODECS.get(str(charset), str(charset)))
    except LookupError:
        codec = codecs.lookup("ascii")  # and what is more than that is told as it is

    def decode(raw: bytes) -> str | Broken:
        try:
            return codec.decode(raw, "strict")[0]
        except ValueError:
            return Broken(raw.decode("ascii", "backslashreplace"))

    return decode


def latin1_text(raw: bytes) -> str:
    """Text of the charset that MariaDB calls latin1: cp1252, whose five gaps it keeps. Total."""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(bytes((one,)).decode(_LATIN1.get(one, "cp1252")) for one in raw)


_LATIN1 = dict.fromkeys((0x81, 0x8D, 0x8F, 0x90, 0x9D), "iso8859-1")
_CODECS = {
    "ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be",
    "ujis": "euc_jp", "euckr": "euc_kr", "sjis": "shift_jis", "greek": "iso8859-7",
    "hebrew": "iso8859-8", "latin2": "iso8859-2", "latin5": "iso8859-9", "latin7": "iso8859-13",
    "macroman": "mac_roman", "macce": "mac_latin2", "tis620": "tis-620", "eucjpms": "euc_jp",
}  # fmt: skip


def _decimal(logged: Logged) -> Reader:
    """Base 1e9 from the point to both sides, in big-endian groups; negative ones are flipped."""
    whole, scale = logged.precision - logged.decimals, logged.decimals
    groups = [whole % 9, *[9] * (whole // 9)], [*[9] * (scale // 9), scale % 9]
    size = sum(_DIGIT_BYTES[digits] for digits in (*groups[0], *groups[1]))

    def read(data: bytes, at: int) -> tuple[str, int]:
        raw = bytes((data[at] ^ 0x80,)) + data[at + 1 : at + size]
        is_negative = bool(raw[0] & 0x80)
        if is_negative:
            raw = bytes(one ^ 0xFF for one in raw)
        left, used = _digits(raw, 0, groups[0])
        right, _ = _digits(raw, used, groups[1])
        text = f"{left.lstrip('0') or '0'}.{right}" if scale else left.lstrip("0") or "0"
        return ("-" + text if is_negative else text), at + size

    return read


def _digits(raw: bytes, at: int, groups: Sequence[int]) -> tuple[str, int]:
    text = ""
    for digits in groups:
        end = at + _DIGIT_BYTES[digits]
        if digits:
            text += f"{int.from_bytes(raw[at:end], 'big'):0{digits}d}"
        at = end
    return text, at


def _date(_logged: Logged) -> Reader:
    def read(data: bytes, at: int) -> tuple[str, int]:
        packed = int.from_bytes(data[at : at + 3], "little")
        return f"{packed >> 9:04d}-{packed >> 5 & 15:02d}-{packed & 31:02d}", at + 3

    return read


def _datetime(logged: Logged) -> Reader:
    places = logged.fsp
    size = 5 + (places + 1) // 2

    def read(data: bytes, at: int) -> tuple[datetime | str, int]:
        packed = int.from_bytes(data[at : at + 5], "big") - 0x80_0000_0000
        days, clock = packed >> 17, packed & 0x1_FFFF
        year, month = divmod(days >> 5, 13)
        parts = year, month, days & 31, clock >> 12, clock >> 6 & 63, clock & 63
        micro = _fraction(data, at + 5, places)
        try:
            return datetime(*parts, micro, tzinfo=UTC), at + size
        except ValueError:
            return _odd_moment(parts, micro, places), at + size

    return read


def _timestamp(logged: Logged) -> Reader:
    places = logged.fsp
    size = 4 + (places + 1) // 2

    def read(data: bytes, at: int) -> tuple[datetime | str, int]:
        seconds = int.from_bytes(data[at : at + 4], "big")
        micro = _fraction(data, at + 4, places)
        if not seconds:
            return _odd_moment((0, 0, 0, 0, 0, 0), micro, places), at + size
        return _EPOCH + timedelta(seconds=seconds, microseconds=micro), at + size

    return read


def _odd_moment(parts: tuple[int, ...], micro: int, places: int) -> str:
    year, month, day, hour, minute, second = parts
    return (
        f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"
        f"{_decimals(micro, places)}"
    )


def _decimals(micro: int, places: int) -> str:
    return f".{micro:06d}"[: places + 1] if places else ""


def _fraction(data: bytes, at: int, places: int) -> int:
    size = (places + 1) // 2
    return int.from_bytes(data[at : at + size], "big") * int(100 ** (3 - size)) if size else 0


def _time(logged: Logged) -> Reader:
    """As one number with its fraction, moved by the half of its range."""
    places = logged.fsp
    fraction = (places + 1) // 2
    size = 3 + fraction

    def read(data: bytes, at: int) -> tuple[str, int]:
        packed = int.from_bytes(data[at : at + size], "big") - (0x80_0000 << 8 * fraction)
        sign, packed = ("-", -packed) if packed < 0 else ("", packed)
        clock = packed >> 8 * fraction
        micro = (packed & ((1 << 8 * fraction) - 1)) * int(100 ** (3 - fraction))
        text = f"{sign}{clock >> 12:02d}:{clock >> 6 & 63:02d}:{clock & 63:02d}"
        return text + _decimals(micro, places), at + size

    return read


def _enum(logged: Logged) -> Reader:
    size, names = logged.size, logged.enum_values or [""]

    def read(data: bytes, at: int) -> tuple[Any, int]:
        index = int.from_bytes(data[at : at + size], "little")
        name = names[index] if index < len(names) else ""
        if index and not name:
            return Broken(f"ENUM value number {index}"), at + size
        return name, at + size

    return read


def _set(logged: Logged) -> Reader:
    size, names = logged.size, logged.set_values or []

    def read(data: bytes, at: int) -> tuple[Any, int]:
        mask = int.from_bytes(data[at : at + size], "little")
        chosen = [name for index, name in enumerate(names) if mask >> index & 1]
        if "" in chosen or mask >> len(names):
            return Broken(f"SET of bits {mask:b}"), at + size
        return ",".join(chosen), at + size

    return read


def _bit(logged: Logged) -> Reader:
    size = logged.bytes

    def read(data: bytes, at: int) -> tuple[int, int]:
        return int.from_bytes(data[at : at + size], "big"), at + size

    return read


# Types of before MariaDB 10.1.2 (7, 11, 12) lack their fraction in the log; compressed columns
# (140, 141) and MySQL's JSON (245) are others' formats: those are refused.
_MAKERS: Mapping[int, Callable[[Logged], Reader]] = {
    1: _integer(1),
    2: _integer(2),
    3: _integer(4),
    4: _float("<f"),
    5: _float("<d"),
    8: _integer(8),
    9: _integer(3),
    10: _date,
    13: _year,
    15: _varchar,
    16: _bit,
    17: _timestamp,
    18: _datetime,
    19: _time,
    246: _decimal,
    247: _enum,
    248: _set,
    252: _blob,
    253: _varchar,
    254: _char,
    255: _blob,
}
