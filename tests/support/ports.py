"""Ports for services that tests start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment.

    Another process may take it before the caller does; callers that lose the race fail
    with "address in use", which is loud enough.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
