"""Ports on loopback for services that benches and tests start."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_SYSTEMS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _HIGHEST = 15_000, 32_000
_given: set[int] = set()
_dice = random.SystemRandom()  # tests run under one seed, in several processes


def free_port() -> int:
    """A TCP port that nobody listens on, and that this process was not given before.

    1. A port that the system picks is one that it gives to outgoing connections too.
    2. Ports are picked; then stores and processes start, and connect to each other.
    3. One of these connections leaves from a port that was picked, and whoever should
       listen there says "address in use".

    So ports come from below those that the system gives away by itself, where it has such.
    """
    highest = min(_HIGHEST, _systems_lowest() - 1)
    while True:
        asked = _dice.randint(_LOWEST, highest) if highest > _LOWEST else 0
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", asked))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def _systems_lowest() -> int:
    try:
        return int(_SYSTEMS_OWN.read_text().split()[0])
    except OSError:  # no Linux
        return 0
