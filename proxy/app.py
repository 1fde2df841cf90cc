"""Put the proxy together. Nothing imports this module but the command line."""

from __future__ import annotations

import asyncio
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from proxy.core.address import AddressError, parse_listen, parse_networks
from proxy.edge.access_log import Addresses
from proxy.edge.control import Handed
from proxy.edge.entry import open_entrance
from proxy.edge.handover import say_ready
from proxy.edge.listening import PortTakenError, bind, inherited
from proxy.edge.orders import WorkerOrders
from proxy.edge.rules import check_stores
from proxy.edge.supervisor import Supervisor
from proxy.edge.tls import ListenerTls
from proxy.edge.tracing import check_tracing
from proxy.edge.watching import WatchOrders
from proxy.errors import ProxyError
from proxy.settings import ProxySettings
from proxy.storage import redaction_key, sealing_key, sweep
from proxy.storage.tables import load_routing


class SettingsError(ProxyError):
    """An environment variable cannot be used; the text names it."""


def read_settings() -> ProxySettings:
    """The settings of the environment.

    Raises:
        SettingsError: one is wrong.
    """
    try:
        return ProxySettings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "environment"
        variable = name if name.startswith("BANYAN_") else f"BANYAN_PROXY_{name.upper()}"
        raise SettingsError(f"{variable}: {first['msg']}") from exc


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for.

    Attributes:
        inherit: descriptors of a handover: listeners, the side door, where to say ready.
    """

    config: Path
    listen: str
    side_door: str
    workers: int
    spool: Path
    inherit: str = ""


def serve(wish: Wish, settings: ProxySettings) -> None:
    """Run the proxy until SIGTERM or SIGINT; return when it has drained.

    Raises:
        RoutingFileError: the routing file does not load.
        ProxyError: an address, a setting or the spool directory cannot be used.
    """
    table = load_routing(wish.config)
    check_stores(table, wish.config.parent)
    trusted, entrance = parse_networks(settings.trusted_peers), settings.entrance()
    tls = open_entrance(entrance, has_trusted=bool(trusted))
    if settings.otel:
        check_tracing()
    spool = wish.spool
    try:
        redaction_key(spool)
        sealing_key(spool)
        sweep(spool)
    except OSError as exc:
        raise ProxyError(f"the spool {spool} cannot be used: {exc.strerror or exc}") from exc
    sockets = _inherited(wish) if wish.inherit else _bound(wish)
    scheme = "https" if entrance.tls_certificate else "http"
    print(  # noqa: T201 - the one line that a person waits for
        f"Listening on {scheme}://{_shown(sockets.listeners[0])}, "
        f"side door http://{_shown(sockets.door)}",
        flush=True,
    )
    asyncio.run(_until_stopped(_orders(wish, settings), sockets, tls))


@dataclass(frozen=True, slots=True)
class _Sockets:
    listeners: list[socket.socket]
    door: socket.socket
    ready_fd: int | None = None


def _bound(wish: Wish) -> _Sockets:
    door_host, door_port = parse_listen(wish.side_door)
    host, port = parse_listen(wish.listen)
    if port and port == door_port:
        raise AddressError("the side door needs a port of its own")
    listeners = bind(host, port, wish.workers)
    try:
        (door,) = bind(door_host, door_port, 1)
    except ProxyError:
        for listener in listeners:
            listener.close()
        raise
    return _Sockets(listeners, door)


def _inherited(wish: Wish) -> _Sockets:
    try:
        *fds, ready_fd = map(int, wish.inherit.split(","))
    except ValueError as exc:
        raise PortTakenError("--inherit is for handovers only") from exc
    if len(fds) < 2:
        raise PortTakenError("--inherit is for handovers only")
    *listeners, door = inherited(fds)
    return _Sockets(listeners, door, ready_fd)


def _orders(wish: Wish, settings: ProxySettings) -> WorkerOrders:
    key, sealing = settings.redaction_key, settings.sealing_key
    access_log = settings.access_log
    if access_log not in ("", "-"):
        access_log = str(Path(access_log).absolute())
    return WorkerOrders(
        config=str(wish.config.absolute()),
        handed=Handed(b""),
        listen_fd=-1,
        spool=str(wish.spool.absolute()),
        run="",
        redaction_key=None if key is None else key.encode(),
        trusted_peers=settings.trusted_peers,
        limits=settings.limits(),
        timeouts=settings.timeouts(),
        capture=settings.capture(),
        log_level=settings.log_level,
        is_compiled=settings.compiled,
        entrance=settings.entrance(),
        kill_file=str((settings.kill_file or settings.var / "kill").absolute()),
        watch=WatchOrders(access_log, Addresses(settings.access_log_address), settings.otel),
        hold_limits=settings.hold(),
        sealing_key=None if sealing is None else sealing.encode(),
    )


async def _until_stopped(orders: WorkerOrders, sockets: _Sockets, tls: ListenerTls | None) -> None:
    is_guest = sockets.ready_fd is not None
    supervisor = Supervisor(orders, sockets.listeners, tls, is_guest=is_guest)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, supervisor.stop)
    loop.add_signal_handler(signal.SIGINT, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.replace_workers)
    loop.add_signal_handler(signal.SIGUSR1, supervisor.kill_all)
    loop.add_signal_handler(signal.SIGUSR2, supervisor.upgrade)

    def on_up() -> None:
        if sockets.ready_fd is not None:
            say_ready(sockets.ready_fd)

    await supervisor.run(sockets.door, on_up)


def _shown(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
