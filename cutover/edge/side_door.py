"""Ask the proxy's side door how its workers are.

By hand, over a plain socket: an HTTP library costs up to 0.2 s to load, and a rollback
has a second. One GET to loopback, HTTP/1.0, so the answer ends where the connection does.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cutover.errors import DoorClosed
from cutover.ports import DoorState

_ANSWER_S = 1.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class HttpDoor:
    """Implements ports.ProxyDoor."""

    url: str

    def state(self) -> DoorState:
        host, port, path = self._place()
        try:
            return _state(json.loads(_get(host, port, f"{path}/readyz")))
        except ConnectionRefusedError as exc:
            raise DoorClosed(f"nothing listens at {self.url}", is_refused=True) from exc
        except (OSError, ValueError, TypeError) as exc:
            problem = str(exc) or type(exc).__name__
            raise DoorClosed(f"{self.url} gives no answer: {problem}", is_refused=False) from exc

    def _place(self) -> tuple[str, int, str]:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port or 80
        except ValueError as exc:
            raise DoorClosed(f"{self.url} is no address", is_refused=True) from exc
        if not host or parts.scheme != "http":
            raise DoorClosed(f"{self.url} is no http:// address", is_refused=True)
        return host, port, parts.path


def _get(host: str, port: int, path: str) -> bytes:
    """The body of an answer; its status does not matter, /readyz has a body in any case."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n"
    with socket.create_connection((host, port), timeout=_ANSWER_S) as connection:
        connection.sendall(request.encode("ascii", "replace"))
        answer = b""
        while len(answer) < _MOST_BYTES and (piece := connection.recv(65_536)):
            answer += piece
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.") or not gap:
        raise ValueError("this is not HTTP")
    return body


def _state(told: Any) -> DoorState:
    """Read /readyz. Raises ValueError or TypeError for what is no such answer."""
    if not isinstance(told, dict) or "ready" not in told:
        raise ValueError("this is not a proxy's side door")
    revisions = told.get("revisions") or {}
    problem = told.get("problem")
    return DoorState(
        ready=bool(told["ready"]),
        workers=int(told.get("workers") or 0),
        revisions={str(pid): revision for pid, revision in dict(revisions).items()},
        problem=None if problem is None else str(problem),
    )
