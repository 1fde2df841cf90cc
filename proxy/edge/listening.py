"""Listening sockets: bound once, handed on, and closed without losing who waits in them."""

from __future__ import annotations

import ctypes
import errno
import logging
import select
import socket
import struct

from proxy.errors import ProxyError

log = logging.getLogger(__name__)

BACKLOG = 4_096
_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
# Classic BPF over a TCP segment: byte 13 has its flags; SYN without ACK is dropped.
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_SYN, _SYN_AND_ACK = 0x02, 0x12
_DROP_NEW = (
    (_LOAD_BYTE, 0, 0, 13),
    (_AND, 0, 0, _SYN_AND_ACK),
    (_JUMP_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 0x40000),
)


class PortTakenError(ProxyError):
    """Somebody else listens there."""


def bind(host: str, port: int, count: int) -> list[socket.socket]:
    """Bind `count` listening sockets to one address. Port 0 takes a free one.

    Raises:
        PortTakenError: with one line that says where.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockets: list[socket.socket] = []
    try:
        if port:
            # Two proxies could share a port by SO_REUSEPORT and each get half of the
            # traffic: the port must be free of others first.
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
                probe.listen(1)
        for _ in range(count):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.setblocking(False)
            sock.bind((host, port))
            port = sock.getsockname()[1]
            sock.listen(BACKLOG)
    except OSError as exc:
        for sock in sockets:
            sock.close()
        if exc.errno == errno.EADDRINUSE:
            raise PortTakenError(f"{host}:{port} is in use by another process") from exc
        raise PortTakenError(f"{host}:{port} cannot be listened on: {exc.strerror}") from exc
    return sockets


def inherited(fds: list[int]) -> list[socket.socket]:
    """Listening sockets that the process was started with.

    Raises:
        PortTakenError: a number is none of a listening socket.
    """
    sockets = []
    for fd in fds:
        try:
            sock = socket.socket(fileno=fd)
            is_listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as exc:
            raise PortTakenError(f"descriptor {fd} is no inherited socket: {exc}") from exc
        if not is_listening:
            raise PortTakenError(f"descriptor {fd} does not listen")
        sock.setblocking(False)
        sockets.append(sock)
    return sockets


def plug(sock: socket.socket) -> None:
    """Let no new connection begin, while those that began come through.

    A closed listener resets who waits in its backlog, and a client may always come
    between the last accept and the close. So first the opening segments of new
    connections are dropped, unanswered: their clients try again after a second. What is
    left in the backlog is accepted; then nobody can be lost by closing.
    """
    code = b"".join(struct.pack("HBBI", *step) for step in _DROP_NEW)
    held = ctypes.create_string_buffer(code)
    program = struct.pack("HP", len(_DROP_NEW), ctypes.addressof(held))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError as exc:
        # Not this kernel, or a sandbox without filters: the window is microseconds then.
        log.info("new connections cannot be held off: %s", exc)


def unplug(sock: socket.socket) -> None:
    """Undo `plug`, which an old proxy may have left on a socket that lives on."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except OSError as exc:
        if exc.errno != errno.ENOENT:
            log.info("the filter of a listener cannot be taken off: %s", exc)


def is_waiting(sock: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
