"""The replication protocol of PostgreSQL: bytes in, bytes out, in a thread of the caller's.

psycopg2 opens the connection. It is not let near the messages: its own reading confirms the
log by itself:
1. transaction A is confirmed up to its end, 20;
2. B, which ends at 30, is sent, and not applied yet;
3. the first row of C is sent, written at 11, when A was still open;
4. a sign of life says that the server is at 40. psycopg2 takes 11 < 20 for "all is confirmed"
   and confirms 40;
5. the process dies, and B is never sent again.
So messages are taken from libpq, which is below psycopg2, by the pointer that it offers.
"""

from __future__ import annotations

import ctypes
import select
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from legacy_adapters.capture.pgoutput import lsn_text
from legacy_adapters.capture.postgres_link import quoted, translated
from legacy_adapters.errors import SourceUnavailable, SourceUnfit

_SIGN, _DATA = struct.Struct(">cQqB"), struct.Struct(">cQQq")
_STATUS = struct.Struct(">cQQQqB")
_SEND_S = 10.0
_CONNECT_S = "10"
_FORMS = (
    "SET datestyle = 'ISO'",
    "SET timezone = 'UTC'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    "SET statement_timeout = 0",
)
"""Cells as text look the same in the log and in a snapshot."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of life. The log was read up to `at`; `asks` for one back."""

    at: int
    asks: bool


def psycopg2_module() -> Any:
    """The driver, which comes with an extra.

    Raises:
        SourceUnfit: it is not installed.
    """
    try:
        import psycopg2  # noqa: PLC0415 - only those who capture PostgreSQL need it
        import psycopg2.extras  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise SourceUnfit(
            "psycopg2 is not installed: pip install 'banyan-migration[sync]'"
        ) from exc
    return psycopg2


def connected(dsn: str, *, replication: bool) -> Any:
    """A connection of psycopg2 whose cells have the forms that we read.

    Raises:
        SourceUnavailable, SourceUnfit: as `translated` says.
    """
    driver = psycopg2_module()
    factory = driver.extras.LogicalReplicationConnection if replication else None
    try:
        connection = driver.connect(
            dsn,
            connection_factory=factory,
            connect_timeout=_CONNECT_S,
            client_encoding="UTF8",
            application_name="banyan capture",
        )
        with connection.cursor() as cursor:
            for statement in _FORMS:
                cursor.execute(statement)
    except driver.Error as exc:
        raise translated(exc) from exc
    return connection


class Wire:
    """One stay on the log. Belongs to one thread."""

    def __init__(self, dsn: str, slot: str, publication: str, after: int) -> None:
        self._connection = connected(dsn, replication=True)
        driver = psycopg2_module()
        try:
            self._cursor = self._connection.cursor()
            self._cursor.start_replication_expert(
                f"START_REPLICATION SLOT {quoted(slot)} LOGICAL {lsn_text(after)} "
                f"(proto_version '1', publication_names '{quoted(publication)}')",
                decode=False,
            )
        except driver.Error as exc:
            self._connection.close()
            raise translated(exc) from exc
        self._libpq = _libpq(driver)
        self._pointer = ctypes.c_void_p(self._connection.pgconn_ptr)
        self._number = self._connection.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def fileno(self) -> int:
        """For `select`."""
        return int(self._number)

    def receive(self) -> bytes | Sign | None:
        """The next message, or None while there is none.

        Raises:
            SourceUnavailable: the connection is cut, or the server ended it.
            SourceLost: the log is gone.
        """
        raw = self._raw()
        if raw is None:
            return None
        if raw[:1] == b"w":
            return raw[_DATA.size :]
        if raw[:1] == b"k" and len(raw) >= _SIGN.size:
            _, at, _, asks = _SIGN.unpack_from(raw)
            return Sign(at, asks=bool(asks))
        raise SourceUnavailable(f"the server sent what is no replication message: {raw[:20]!r}")

    def _raw(self) -> bytes | None:
        buffer = ctypes.c_char_p()
        size = self._libpq.PQgetCopyData(self._pointer, ctypes.byref(buffer), 1)
        if size == 0:
            if not self._libpq.PQconsumeInput(self._pointer):
                raise self._broken()
            size = self._libpq.PQgetCopyData(self._pointer, ctypes.byref(buffer), 1)
        if size > 0:
            try:
                return ctypes.string_at(buffer, size)
            finally:
                self._libpq.PQfreemem(buffer)
        if size == 0:
            return None
        if size == -1:
            self._libpq.PQclear(self._libpq.PQgetResult(self._pointer))
        raise self._broken()

    def tell(self, read: int, flushed: int, *, asks: bool) -> None:
        """Say how far the log was read, and up to where it is never asked for again.

        Args:
            read: up to where messages were taken.
            flushed: 0 for nothing yet.
            asks: for a sign of life.

        Raises:
            SourceUnavailable: the connection is cut.
        """
        message = _STATUS.pack(b"r", max(read, flushed), flushed, flushed, 0, asks)
        while True:
            sent = self._libpq.PQputCopyData(self._pointer, message, len(message))
            if sent > 0:
                break
            self._wait(sent)
        while (left := self._libpq.PQflush(self._pointer)) != 0:
            self._wait(0 if left > 0 else -1)

    def _wait(self, result: int) -> None:
        if result < 0:
            raise self._broken()
        _, ready, _ = select.select([], [self._number], [], _SEND_S)
        if not ready:
            raise SourceUnavailable("the server takes no more bytes")

    def _broken(self) -> Exception:
        text = self._libpq.PQerrorMessage(self._pointer).decode("utf-8", "replace").strip()
        return translated(ConnectionError(text or "the server ended the connection"))


def _libpq(driver: Any) -> Any:
    # The library that the driver itself is linked with, wherever it came from.
    library = ctypes.CDLL(driver._psycopg.__file__)
    pointer, whole = ctypes.c_void_p, ctypes.c_int
    for name, takes, gives in (
        ("PQgetCopyData", [pointer, ctypes.POINTER(ctypes.c_char_p), whole], whole),
        ("PQputCopyData", [pointer, ctypes.c_char_p, whole], whole),
        ("PQconsumeInput", [pointer], whole),
        ("PQflush", [pointer], whole),
        ("PQfreemem", [ctypes.c_char_p], None),
        ("PQgetResult", [pointer], pointer),
        ("PQclear", [pointer], None),
        ("PQerrorMessage", [pointer], ctypes.c_char_p),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = takes, gives
    return library
