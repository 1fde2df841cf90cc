"""MariaDB's log, read in a thread and put together to whole transactions."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

from legacy_adapters.capture.mariadb_grouping import Ended, Grouping
from legacy_adapters.capture.mariadb_handover import Handover
from legacy_adapters.capture.mariadb_server import Server, cut, translated
from legacy_adapters.capture.mariadb_values import RowImages
from legacy_adapters.capture.row_changes import deleted, inserted, updated
from legacy_adapters.errors import AdapterError, SourceLost, SourceUnfit
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Change

try:
    import pymysql
    from pymysql.protocol import MysqlPacket
    from pymysqlreplication import BinLogStreamReader
    from pymysqlreplication.event import (
        FormatDescriptionEvent,
        HeartbeatLogEvent,
        MariadbGtidEvent,
        NotImplementedEvent,
        QueryEvent,
        RotateEvent,
        XidEvent,
    )
    from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent
except ModuleNotFoundError as _exc:
    raise SourceUnfit("MariaDB needs drivers: pip install 'banyan-migration[sync]'") from _exc

HEARTBEAT_S = 1
_SILENT_S = 15  # without a heartbeat: the server or the way to it is gone
_PLACES = 100_000
_INCIDENT = 26
_COMPRESSED = range(165, 172)
_EVENTS = (
    FormatDescriptionEvent, HeartbeatLogEvent, MariadbGtidEvent, NotImplementedEvent, QueryEvent,
    RotateEvent, XidEvent, DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent,
)  # fmt: skip
_ROWS = {DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent}


class LogThread(threading.Thread):
    """Reads the log from a position on and hands over what it finds, until `stop`."""

    def __init__(
        self,
        server: Server,
        tables: Sequence[Table],
        server_id: int,
        after: Position,
        handover: Handover,
    ) -> None:
        super().__init__(name=f"binlog-{server_id}", daemon=True)
        self.places: dict[int, tuple[str, int]] = {}
        self._server = server
        self._tables = {table.name: table for table in tables}
        self._server_id = server_id
        self._after = after
        self._handover = handover
        self._grouping = Grouping(server.database, tables, after)
        self._images: dict[int, RowImages] = {}
        self._connections: list[pymysql.Connection[Any]] = []
        self._is_stopped = False

    def stop(self) -> None:
        """Make it end, also while it waits for the server; called from another thread."""
        self._is_stopped = True
        self._end_if_stopped()

    @override
    def run(self) -> None:
        """The thread."""
        reader = self._reader()
        try:
            with translated():
                while not self._is_stopped and self._read_on(reader):
                    pass
        except AdapterError as exc:
            self._handover.fail(exc)
        except Exception as exc:  # noqa: BLE001 - the log's reader raises whatever its bytes hit
            failure = SourceUnfit(
                f"the log cannot be read behind {self._grouping.end_token}: {exc!r}"
            )
            failure.__cause__ = exc
            self._handover.fail(failure)
        finally:
            reader.close()

    def _reader(self) -> BinLogStreamReader:
        settings = {**self._server.settings, "read_timeout": _SILENT_S}
        return BinLogStreamReader(
            connection_settings=settings,
            server_id=self._server_id,
            pymysql_wrapper=self._connect,
            is_mariadb=True,
            blocking=True,
            auto_position=self._after.token,
            slave_heartbeat=HEARTBEAT_S,
            only_events=_EVENTS,
            filter_non_implemented_events=False,
            only_tables=frozenset(self._tables),
            only_schemas=frozenset({self._server.database}),
            # A description with the number of an earlier one is the same, see `_dealt_with`.
            freeze_schema=True,
            enable_logging=False,
        )

    def _connect(self, **settings: Any) -> pymysql.Connection[Any]:
        """A connection of the reader's: one for the log, then one for questions."""
        connection = _connect(**settings)
        self._connections.append(connection)
        self._end_if_stopped()
        return connection

    def _end_if_stopped(self) -> None:
        if self._is_stopped:
            for connection in self._connections:
                cut(connection)

    def _read_on(self, reader: BinLogStreamReader) -> bool:
        event = reader.fetchone()
        if event is None:
            raise pymysql.err.OperationalError(2013, "the server ended the log")
        found = self._dealt_with(reader, event)
        if found is None:
            return True
        position, transaction = found
        self._remember(position, (str(reader.log_file), int(reader.log_pos)))
        return self._handover.put(transaction, position)

    def _remember(self, position: Position, place: tuple[str, int]) -> None:
        self.places[position.order] = place
        if len(self.places) > _PLACES:
            del self.places[next(iter(self.places))]

    def _dealt_with(self, reader: BinLogStreamReader, event: Any) -> Ended | None:
        kind = type(event)
        if kind in _ROWS:
            self._grouping.add(self._changes(event))
        elif kind is MariadbGtidEvent:
            self._grouping.begin(event.gtid, event.flags)
        elif kind is XidEvent:
            return self._grouping.end(_moment(event))
        elif kind is QueryEvent:
            schema = event.schema.decode("utf-8", "replace")
            return self._grouping.statement(event.query, schema, _moment(event))
        elif kind in {RotateEvent, FormatDescriptionEvent}:
            # 1. The server starts anew and numbers its tables anew, 2. a number that meant one of
            # ours means another's now, 3. whose rows would be read as ours.
            reader.table_map.clear()
            self._images.clear()
        elif event.event_type == _INCIDENT:
            raise SourceLost("the server notes in its log that changes may be missing there")
        elif event.event_type in _COMPRESSED:
            raise SourceUnfit(
                "the log is compressed: SET GLOBAL log_bin_compress = OFF, and start with a new "
                "backfill"
            )
        return None

    def _changes(self, event: Any) -> list[Change]:
        images = self._images.get(event.table_id)
        if images is None:
            table = self._tables[event.table]
            images = self._images[event.table_id] = RowImages(table, event.columns)
        table, data = images.table, event.packet.read(event.event_size - event.packet.read_bytes)
        found: list[Change] = []
        if isinstance(event, UpdateRowsEvent):
            present = event.columns_present_bitmap, event.columns_present_bitmap2
            for before, after in images.updated(data, *present):
                found += updated(table, before, after)
            return found
        make = inserted if isinstance(event, WriteRowsEvent) else deleted
        for row in images.inserted(data, event.columns_present_bitmap):
            found += make(table, row)
        return found


class _Connection(pymysql.connections.Connection):  # type: ignore[misc]
    """1. The connection breaks, 2. the log's reader opens another one by itself, 3. from the
    position that it began with: it would tell everything again. So what breaks is told in words
    that it does not know.
    """

    @override
    def _read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        with translated():
            return super()._read_packet(packet_type)


def _connect(**settings: Any) -> pymysql.Connection[Any]:
    """As the log's reader asks for it, in words that the driver no longer has."""
    if "db" in settings:
        settings["database"] = settings.pop("db")
    return _Connection(**settings)


def try_to_read(server: Server, server_id: int, after: Position) -> None:
    """Read the log from a position to its end, to see that this user may.

    Raises:
        SourceUnfit: it may not.
    """
    with translated():
        reader = BinLogStreamReader(
            connection_settings=server.settings,
            server_id=server_id,
            pymysql_wrapper=_connect,
            is_mariadb=True,
            blocking=False,
            auto_position=after.token,
            only_events=[RotateEvent],
            enable_logging=False,
        )
        try:
            while reader.fetchone() is not None:
                pass
        finally:
            reader.close()


def _moment(event: Any) -> datetime:
    return datetime.fromtimestamp(event.timestamp, UTC)
