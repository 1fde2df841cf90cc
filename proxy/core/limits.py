"""How much of anything the data plane takes, and how long it waits. All of it is bounded."""

from __future__ import annotations

import msgspec

KIB = 1024
MIB = 1024 * KIB


class Limits(msgspec.Struct, frozen=True):
    """Per worker.

    Attributes:
        head_bytes: largest request or response head, 431 (or 502) beyond.
        target_bytes: longest request target, 414 beyond.
        fields: most header fields in a request, 431 beyond.
        body_bytes: largest request body, 413 beyond; 0 means no bound.
        in_flight: exchanges per side at the same time, 503 beyond.
        idle_per_store: kept connections per store that wait for work.
        clients: client connections; beyond, a new one gets 503 and is closed.
        upgrades: lower-case names of protocols that a connection may change to.
    """

    head_bytes: int = 64 * KIB
    target_bytes: int = 8 * KIB
    fields: int = 100
    body_bytes: int = 1024 * MIB
    in_flight: int = 1_024
    idle_per_store: int = 256
    clients: int = 10_000
    upgrades: tuple[str, ...] = ("websocket",)


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. They are looked at twice a second, so each may take half a second more.

    Attributes:
        connect_s: to a store, name lookup included.
        first_byte_s: from the request's last byte to the answer's first.
        body_idle_s: between two pieces of a body, in either direction.
        tunnel_idle_s: between two pieces of an upgraded connection, such as a WebSocket.
        hold_s: of a held write, as a second rope behind the hold's own bound.
        head_s: from the first byte of a request's head to its last.
        idle_s: on a client's connection between two requests.
        store_idle_s: a store's connection kept without work; less than stores keep theirs.
        drain_s: for exchanges in flight when the proxy stops.
        drain_idle_s: for a kept connection to ask once more when the proxy stops.
        linger_s: for a refused client to read its answer.
    """

    connect_s: float = 2.0
    first_byte_s: float = 30.0
    body_idle_s: float = 60.0
    tunnel_idle_s: float = 600.0
    hold_s: float = 60.0
    head_s: float = 15.0
    idle_s: float = 75.0
    store_idle_s: float = 30.0
    drain_s: float = 10.0
    drain_idle_s: float = 2.0
    linger_s: float = 2.0


class CaptureLimits(msgspec.Struct, frozen=True):
    """Per worker, but for the spool, which all workers share. Newest frames go first."""

    queue_frames: int = 10_000
    queue_bytes: int = 64 * MIB
    body_bytes: int = MIB
    spool_bytes: int = 1024 * MIB
    segment_bytes: int = 8 * MIB
