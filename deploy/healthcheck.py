#!/usr/local/bin/python
"""A container's probe: `healthcheck http://…` wants status 200, `healthcheck HOST:PORT` a listener.

Exit status 0 when healthy, else 1 and one line on stderr. Needs nothing but Python.
"""

from __future__ import annotations

import http.client
import socket
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 2.5


class UnhealthyError(Exception):
    """Says in one line what is wrong."""


def check(target: str) -> None:
    """Raise UnhealthyError unless the target answers."""
    if "://" not in target:
        host, _, port = target.rpartition(":")
        socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
        return
    url = urlsplit(target)
    connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", url.path or "/")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != http.client.OK:
        raise UnhealthyError(f"status {status}")


def main(arguments: list[str]) -> int:
    """Check the one target that is named."""
    if len(arguments) != 1:
        sys.stderr.write("usage: healthcheck http://HOST:PORT/PATH | HOST:PORT\n")
        return 1
    try:
        check(arguments[0])
    except (UnhealthyError, OSError, http.client.HTTPException, ValueError) as problem:
        sys.stderr.write(f"{arguments[0]}: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
