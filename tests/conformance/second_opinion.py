"""h11 as an independent reader of what a store saw. It shares no line with our readers."""

from __future__ import annotations

import h11


class DisagreementError(Exception):
    """h11 does not take the stream."""


def count_requests(data: bytes) -> int:
    """Whole requests in a stream, as h11 reads it.

    Raises:
        DisagreementError: it refuses some of it.
    """
    if not data:  # h11 takes that for the end of the connection
        return 0
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    count = 0
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return count
            if isinstance(event, h11.EndOfMessage):
                count += 1
                _answer(connection)
                if connection.our_state is not h11.DONE:
                    return count
                connection.start_next_cycle()
    except h11.RemoteProtocolError as exc:
        raise DisagreementError(str(exc)) from exc


def read_by_h11(data: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each whole answer in a stream, as h11 reads it; all to GET.

    Raises:
        DisagreementError: it refuses some of it.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    if data:
        connection.receive_data(data)
    status, body = 0, b""
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA:
            match event:
                case h11.Response():
                    status = event.status_code
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    return [(status, body)]
                case _:
                    pass
    except h11.RemoteProtocolError as exc:
        raise DisagreementError(str(exc)) from exc
    return []


def _answer(connection: h11.Connection) -> None:
    """Play the server's part, so that the next request may be read."""
    connection.send(h11.Response(status_code=204, headers=[]))
    connection.send(h11.EndOfMessage())
