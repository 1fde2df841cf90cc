"""Connections to a MariaDB, what its errors mean here, and how it is set up."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position

try:
    import pymysql
    from pymysql import converters
except ModuleNotFoundError as _exc:
    raise SourceUnfit("MariaDB needs drivers: pip install 'banyan-migration[sync]'") from _exc

CONNECT_S, ANSWER_S = 10, 60

_PURGED_OR_OTHER = 1236
_REFUSED = {
    1044, 1045, 1049, 1054, 1142, 1143, 1146, 1227, 1298, 1370, 1698, 2049, 2059, 2061,
}  # fmt: skip
_GTID = re.compile(r"(\d+)-(\d+)-(\d+)")
_WANTED = {
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "log_bin_compress": "OFF",
}
_UNREADABLE = {"inet4", "inet6"}


Value = str | int | bytes


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database is and how to log in there."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of `pymysql.connect` but for the database."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_S,
            "read_timeout": ANSWER_S,
            "write_timeout": ANSWER_S,
        }

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A connection for a few questions.

        Raises:
            SourceUnavailable, SourceUnfit: as `translated`.
        """
        session = Session.opened(self)
        try:
            yield session
        finally:
            session.close()


class Session:
    """One connection; texts come as texts, and nothing is read into them. One thread at a time."""

    def __init__(self, connection: pymysql.Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    def opened(cls, server: Server) -> Session:
        """Log in; times are told in UTC there."""
        with translated():
            return cls(
                pymysql.connect(
                    **server.settings,
                    database=server.database,
                    conv=converters.encoders,  # and no decoders
                    autocommit=True,
                    init_command="SET time_zone = '+00:00', sql_mode = ''",
                )
            )

    def rows(self, statement: str, *values: Value) -> Sequence[tuple[Any, ...]]:
        """All rows: str, or bytes of binary columns, or None."""
        with translated(), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def cut(self) -> None:
        """End it from another thread, whatever it is busy with."""
        cut(self._connection)

    def close(self) -> None:
        """Close it; never fails."""
        with contextlib.suppress(pymysql.err.Error, OSError):
            self._connection.close()


def server_of(url: str) -> Server:
    """The server that a URL like mysql://user:password@host:3306/shop names; any driver's.

    Raises:
        SourceUnfit: it names no database.
    """
    parts = urlsplit(url)
    database = unquote(parts.path.lstrip("/"))
    if not parts.hostname or not database:
        raise SourceUnfit("a MariaDB is named as mysql://user:password@host:port/database")
    return Server(
        parts.hostname,
        parts.port or 3306,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        database,
    )


def cut(connection: pymysql.Connection[Any]) -> None:
    """Wake whoever reads from a connection, with an error."""
    with contextlib.suppress(AttributeError, OSError):  # it is closed already
        connection._sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises into SourceUnavailable, SourceUnfit or SourceLost."""
    try:
        yield
    except pymysql.err.Error as exc:
        raise _translation(exc) from exc
    except OSError as exc:
        raise SourceUnavailable(f"MariaDB: {exc}") from exc


def _translation(exc: pymysql.err.Error) -> Exception:
    code, text = (*exc.args, "", "")[:2]
    told = f"MariaDB: {text or exc} ({code})"
    if code == _PURGED_OR_OTHER:
        lost = re.search(r"GTID|purged|Could not find|first log file", str(text), re.IGNORECASE)
        return SourceLost(told) if lost else SourceUnfit(told)
    if code in _REFUSED:
        return SourceUnfit(told)
    return SourceUnavailable(told)


def take_turn(session: Session, name: str) -> None:
    """Be the only reader of a name until `end_turn` or the session's end.

    Raises:
        SourceUnavailable: another one is at it.
    """
    session.rows("SET SESSION wait_timeout = 31536000")
    if session.rows("SELECT GET_LOCK(%s, 1)", _turn(name))[0][0] != "1":
        raise SourceUnavailable(f"another reader is at {name}")


def end_turn(session: Session, name: str) -> None:
    """Let the next reader begin at once; never fails, for the session's end does it too."""
    with contextlib.suppress(SourceUnavailable, SourceUnfit):
        session.rows("DO RELEASE_LOCK(%s)", _turn(name))
    session.close()


def _turn(name: str) -> str:
    return f"banyan {hashlib.sha256(name.encode()).hexdigest()[:32]}"


def reader_id(name: str) -> int:
    """A server_id for a reader: the same for each name, out of the way of small numbers."""
    digest = hashlib.sha256(name.encode()).digest()
    return 1_000_000_000 + int.from_bytes(digest[:4], "big") % 1_000_000_000


def position_of(gtids: str) -> Position:
    """The place in the log that a server's GTID position means.

    Raises:
        SourceUnfit: it has several replication domains, so its log has no one order.
    """
    found = [one.strip() for one in gtids.split(",") if one.strip()]
    if not found:
        return Position(0)
    if len(found) > 1:
        raise SourceUnfit(
            f"the log has several replication domains ({gtids}), so it has no one order; let all "
            "sessions have one gtid_domain_id, and FLUSH BINARY LOGS DELETE_DOMAIN_ID the others"
        )
    return Position(sequence(found[0]), found[0])


def sequence(gtid: str) -> int:
    """A GTID's sequence number.

    Raises:
        SourceLost: it is none of MariaDB's, so it is of another log.
    """
    found = _GTID.fullmatch(gtid)
    if found is None:
        raise SourceLost(f"{gtid!r} is no place in a MariaDB's log")
    return int(found[3])


def check(server: Server, session: Session) -> None:
    """Look whether changes can be captured.

    Raises:
        SourceUnfit: the text says what to do about it.
    """
    version = str(session.rows("SELECT VERSION()")[0][0])
    if "MariaDB" not in version:
        raise SourceUnfit(
            f"the server is {version}, and this reads MariaDB alone; capture MySQL with Debezium "
            "and read its events"
        )
    if session.rows("SELECT @@log_bin")[0][0] != "1":
        raise SourceUnfit("the server keeps no log: start it with log_bin = binlog, server_id = 1")
    wrong = [
        f"SET GLOBAL {name} = {'ON' if wanted == 'ON' else wanted}"
        for name, wanted in _WANTED.items()
        if variable(session, name).upper() not in {wanted, ""}
    ]
    if not variable(session, "binlog_row_metadata"):
        raise SourceUnfit(f"MariaDB {version} names no columns in its log; 10.5 or later does")
    if wrong:
        raise SourceUnfit(
            "; ".join(wrong) + "; and in its configuration, and let its sessions connect anew"
        )
    _check_filters(server, session)


def _check_filters(server: Server, session: Session) -> None:
    """A database that is left out of the log tells no changes at all, and no error either."""
    status = session.rows("SHOW MASTER STATUS")
    logged, ignored = (
        {name.strip() for name in str(cell or "").split(",") if name.strip()}
        for cell in (status[0][2:4] if status else ("", ""))
    )
    if (logged and server.database not in logged) or server.database in ignored:
        raise SourceUnfit(
            f"the log leaves {server.database} out: take it off binlog_ignore_db, or add it to "
            "binlog_do_db"
        )


def check_columns(server: Server, session: Session, tables: Sequence[Table]) -> None:
    """Look whether the log's reader knows all types of the tables.

    Raises:
        SourceUnfit: it does not, or a table or its primary key is missing.
    """
    declared = {table.name: table for table in tables}
    keys: dict[str, set[str]] = {}
    for table, column, kind, told, key in session.rows(
        "SELECT table_name, column_name, data_type, column_type, column_key "
        "FROM information_schema.columns WHERE table_schema = %s",
        server.database,
    ):
        if table not in declared:
            continue
        keys.setdefault(table, set()).update({column} if key == "PRI" else ())
        if "COMPRESSED" in told:
            raise SourceUnfit(
                f"{table}.{column} is compressed, and so in the log: "
                f"ALTER TABLE {table} MODIFY it without COMPRESSED"
            )
        if kind in _UNREADABLE and column in declared[table].columns:
            raise SourceUnfit(f"{table}.{column} is an {kind}, which this cannot read as text")
    for one in tables:
        _check_key(one, keys.get(one.name))


def _check_key(table: Table, key: set[str] | None) -> None:
    names = ", ".join(table.key)
    if key is None:
        raise SourceUnfit(f"there is no table {table.name}")
    if not key:
        raise SourceUnfit(f"no primary key: ALTER TABLE {table.name} ADD PRIMARY KEY ({names})")
    if key != set(table.key):
        raise SourceUnfit(f"{table.name} has another primary key than {names}")


def gtids_at(session: Session, file: str) -> str:
    """The GTID position at the beginning of a file of the log."""
    found = session.rows("SELECT BINLOG_GTID_POS(%s, 4)", file)[0][0]
    return found.decode() if isinstance(found, bytes) else str(found or "")


def variable(session: Session, name: str) -> str:
    """A server variable's global value; "" where it has no such variable."""
    found = session.rows("SHOW GLOBAL VARIABLES WHERE variable_name = %s", name)
    return str(found[0][1]) if found else ""


def fingerprints(server: Server, session: Session, tables: Sequence[Table]) -> Mapping[str, str]:
    """A digest of each table's columns, in their order, and its primary key."""
    rows = session.rows(
        "SELECT table_name, column_name, column_type, is_nullable, character_set_name, column_key "
        "FROM information_schema.columns WHERE table_schema = %s "
        "ORDER BY table_name, ordinal_position",
        server.database,
    )
    found: dict[str, str] = {}
    for table in tables:
        told = [
            (*row[1:5], "PRI" if row[5] == "PRI" else "") for row in rows if row[0] == table.name
        ]
        if told:
            found[table.name] = hashlib.sha256(repr(told).encode()).hexdigest()[:32]
    return found
