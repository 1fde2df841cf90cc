"""What PostgreSQL's `pgoutput` says (protocol version 1), put together to transactions. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from legacy_adapters.capture.row_changes import deleted, inserted, is_replicators, updated
from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.rows import Broken, Cell, Column, Row, Table, key_text, plain
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Change, Transaction

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BYTEA = 17
_BEGIN, _COMMIT = struct.Struct(">QqI"), struct.Struct(">BQQq")
_SHORT, _LONG = struct.Struct(">H"), struct.Struct(">I")
_FULL = "f"
_NULL, _UNCHANGED, _TEXT = b"nut"

_Field = bytes | None | Broken
_NOT_LOGGED = Broken("not in the log")


@dataclass(frozen=True, slots=True)
class _Relation:
    """A table as the log describes it.

    Attributes:
        table: None where nobody asked for it.
        shape: names and types of all columns, and what the log has of old rows.
        columns: of each field its name and kind, and whether it is a bytea; None for a field
            that the table, as this program knows it, does not have.
    """

    name: str
    table: Table | None
    shape: tuple[tuple[str, int], ...]
    identity: str
    columns: tuple[tuple[str, Column, bool] | None, ...]


class PgoutputReader:
    """Takes messages, one by one in their order, and gives whole transactions.

    One for each stay on the log: the server describes its tables anew to each connection.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables: Mapping[str, Table] = {table.name: table for table in tables}
        self._relations: dict[int, _Relation] = {}
        self._shapes: dict[str, object] = {}
        self._name: str | None = None
        self._changes: list[Change] = []
        self._truncated: dict[str, None] = {}
        self._altered: dict[str, None] = {}
        self.read_to = 0
        """End of the last transaction's commit record, also of one without a change of ours."""

    @property
    def is_inside(self) -> bool:
        """Whether a transaction has begun and not ended."""
        return self._name is not None

    @property
    def held(self) -> int:
        """Changes of the transaction that has not ended."""
        return len(self._changes)

    def take(self, message: bytes) -> Transaction | None:
        """The transaction that ends with this message, if it has something for us.

        Raises:
            SourceUnfit: these bytes are no message of pgoutput.
        """
        try:
            return self._take(message)
        except (struct.error, ValueError, IndexError, KeyError) as exc:
            raise SourceUnfit(
                f"the log has a message that pgoutput 1 does not know: {message[:40]!r}"
            ) from exc

    def _take(self, message: bytes) -> Transaction | None:
        match message[:1]:
            case b"I":
                relation, at = self._relation(message)
                fields, _ = _fields(message, at + 1)
                if relation.table is not None:
                    self._changes += inserted(relation.table, _row(relation, fields))
            case b"U":
                self._update(message)
            case b"D":
                self._delete(message)
            case b"B":
                _, _, number = _BEGIN.unpack_from(message, 1)
                self._name = str(number)
            case b"C":
                return self._commit(message)
            case b"R":
                self._describe(message)
            case b"T":
                self._truncate(message)
            case b"O" | b"Y" | b"M":
                pass
            case _:
                raise ValueError(message[:1])
        return None

    def _commit(self, message: bytes) -> Transaction | None:
        _, _, end, microseconds = _COMMIT.unpack_from(message, 1)
        if self._name is None:
            raise ValueError("an end without a beginning")
        changes, self._changes = self._changes, []
        truncated, self._truncated = tuple(self._truncated), {}
        altered, self._altered = tuple(self._altered), {}
        name, self._name = self._name, None
        self.read_to = end
        if not (changes or truncated or altered):
            return None
        return Transaction(
            position=Position(end, lsn_text(end)),
            name=name,
            at=_EPOCH + timedelta(microseconds=microseconds),
            is_ours=is_replicators(changes),
            changes=tuple(changes),
            truncated=truncated,
            altered=altered,
        )

    def _relation(self, message: bytes) -> tuple[_Relation, int]:
        if self._name is None:
            raise ValueError("a change outside of a transaction")
        (number,) = _LONG.unpack_from(message, 1)
        return self._relations[number], 5

    def _update(self, message: bytes) -> None:
        relation, at = self._relation(message)
        old: list[_Field] | None = None
        kind = message[at : at + 1]
        if kind in (b"K", b"O"):
            old, at = _fields(message, at + 1)
        new, _ = _fields(message, at + 1)
        if relation.table is None:
            return
        if old is None or kind == b"K":
            self._update_without_old(relation.table, _row(relation, new), relation, old)
            return
        # Long values that did not change are not sent again; the old row has them.
        whole = [was if _is_unsent(is_) else is_ for is_, was in zip(new, old, strict=True)]
        self._changes += updated(relation.table, _row(relation, old), _row(relation, whole))

    def _update_without_old(
        self, table: Table, after: Row, relation: _Relation, key: list[_Field] | None
    ) -> None:
        new = key_text(table, after)
        old = new if key is None else key_text(table, _row(relation, key))
        if old == new:
            self._changes.append(Change(table.name, new, None, after))
            return
        self._changes.append(Change(table.name, old, None, None))
        self._changes.append(Change(table.name, new, None, after))

    def _delete(self, message: bytes) -> None:
        relation, at = self._relation(message)
        fields, _ = _fields(message, at + 1)
        if relation.table is None:
            return
        row = _row(relation, fields)
        if message[at : at + 1] == b"O":
            self._changes += deleted(relation.table, row)
        else:
            self._changes.append(
                Change(relation.table.name, key_text(relation.table, row), None, None)
            )

    def _truncate(self, message: bytes) -> None:
        (count,) = _LONG.unpack_from(message, 1)
        gone = {
            self._relations[number].name
            for (number,) in _LONG.iter_unpack(message[6 : 6 + 4 * count])
        } & self._tables.keys()
        self._truncated |= dict.fromkeys(sorted(gone))
        # What stood in the table before is gone with the rest.
        self._changes = [change for change in self._changes if change.table not in gone]

    def _describe(self, message: bytes) -> None:
        (number,) = _LONG.unpack_from(message, 1)
        _, at = _word(message, 5)
        name, at = _word(message, at)
        identity = chr(message[at])
        (count,) = _SHORT.unpack_from(message, at + 1)
        at += 3
        shape: list[tuple[str, int]] = []
        for _ in range(count):
            column, at = _word(message, at + 1)
            (kind,) = _LONG.unpack_from(message, at)
            at += 8
            shape.append((column, kind))
        relation = _described(name, self._tables.get(name), tuple(shape), identity)
        self._relations[number] = relation
        if relation.table is not None:
            self._note_shape(relation, relation.table)

    def _note_shape(self, relation: _Relation, table: Table) -> None:
        shape = (relation.shape, relation.identity)
        fits = {name for name, _ in relation.shape} == table.columns.keys()
        known = self._shapes.get(relation.name)
        is_new = (not fits or relation.identity != _FULL) if known is None else known != shape
        if is_new:
            self._altered[relation.name] = None
        self._shapes[relation.name] = shape


def lsn_text(order: int) -> str:
    """A place in the log as PostgreSQL writes it, e.g. "16/B374D848"."""
    return f"{order >> 32:X}/{order & 0xFFFFFFFF:X}"


def lsn_order(text: str) -> int:
    """The number of a place in the log that PostgreSQL wrote.

    Raises:
        ValueError: it is none.
    """
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def _described(
    name: str, table: Table | None, shape: tuple[tuple[str, int], ...], identity: str
) -> _Relation:
    known = table.columns if table is not None else {}
    columns = tuple(
        (column, known[column], kind == _BYTEA) if column in known else None
        for column, kind in shape
    )
    return _Relation(name, table, shape, identity, columns)


def _word(message: bytes, at: int) -> tuple[str, int]:
    end = message.index(0, at)
    return message[at:end].decode(), end + 1


def _fields(message: bytes, at: int) -> tuple[list[_Field], int]:
    (count,) = _SHORT.unpack_from(message, at)
    at += 2
    fields: list[_Field] = []
    for _ in range(count):
        kind = message[at]
        at += 1
        if kind == _TEXT:
            (size,) = _LONG.unpack_from(message, at)
            at += 4
            value = message[at : at + size]
            if len(value) != size:
                raise ValueError("a value is cut off")
            fields.append(value)
            at += size
        elif kind == _NULL:
            fields.append(None)
        elif kind == _UNCHANGED:
            fields.append(_NOT_LOGGED)
        else:
            raise ValueError(kind)
    return fields, at


def _is_unsent(field: _Field) -> bool:
    return field is _NOT_LOGGED


def _row(relation: _Relation, fields: list[_Field]) -> Row:
    return {
        known[0]: cell(known[1], field, is_bytea=known[2])
        for known, field in zip(relation.columns, fields, strict=True)
        if known is not None
    }


def cell(column: Column, field: bytes | str | Broken | None, *, is_bytea: bool) -> Cell:
    """A cell from the text that PostgreSQL gives for it."""
    if field is None or isinstance(field, Broken):
        return field
    if not is_bytea:
        return plain(column, field)
    text = field.decode() if isinstance(field, bytes) else field
    return plain(column, bytes.fromhex(text.removeprefix("\\x")))
