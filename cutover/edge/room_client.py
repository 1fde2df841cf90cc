"""Ask a control room elsewhere. By hand, over the standard library: a rollback has a second.

An act carries a key, so a lost answer is asked for again and the act is still done once.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cutover.errors import RoomAway, RoomRefused, SettingsError

_CONNECT_S = 5.0
_ANSWER_S = 60.0
_PAUSE_S = 0.5
_MOST_BYTES = 64 * 1024 * 1024
_WAITS = frozenset(("request_in_flight", "busy"))
_T = TypeVar("_T")
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True)
class Told:
    """What a room answered, as JSON.

    Attributes:
        url: of the room.
    """

    value: Any
    url: str

    def read(self, make: Callable[[Any], _T]) -> _T:
        """The value that it was made from. Raises RoomRefused for what is no such value."""
        try:
            return make(self.value)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise RoomRefused(
                f"{self.url} answers something else than this Banyan knows; is it the same"
                " version?",
                status=200,
                code="",
                told={},
            ) from exc


@dataclass(frozen=True, slots=True)
class RoomClient:
    """A room.

    Attributes:
        url: e.g. https://room.example, without the API's own path.
        token: shows who asks; "" where the room knows no people.
        actor: who the ledger names, where nobody has to show who they are.
        patience_s: how long an act is asked for again whose answer was lost.
    """

    url: str
    token: str = field(default="", repr=False)
    actor: str | None = None
    patience_s: float = 30.0

    def get(self, path: str) -> Told:
        """Read. Raises RoomAway, RoomRefused."""
        return self._asked("GET", path, b"", {})

    def post(self, path: str, said: Mapping[str, Any], *, if_match: str = "") -> Told:
        """Do something, once.

        Raises:
            RoomAway: nothing was sent, or nobody knows whether it was done.
            RoomRefused: it was not done.
        """
        who = {} if self.actor is None else {"actor": self.actor}
        headers = {"content-type": "application/json", "idempotency-key": secrets.token_hex(16)}
        if if_match:
            headers["if-match"] = if_match
        body = json.dumps({**said, **who}).encode()
        give_up_s = time.monotonic() + self.patience_s
        may_be_done = False
        while True:
            try:
                return self._asked("POST", path, body, headers)
            except RoomAway as exc:
                # 1. It was sent, 2. the room died, 3. it starts again: ask until it does.
                may_be_done = may_be_done or exc.is_sent
                if not may_be_done:
                    raise
                if time.monotonic() >= give_up_s:
                    told = f"{exc}; it may have been done: banyan ledger list tells"
                    raise RoomAway(told, is_sent=True) from exc
            except RoomRefused as exc:
                if exc.code not in _WAITS or time.monotonic() >= give_up_s:
                    raise
            time.sleep(_PAUSE_S)

    def _asked(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Told:
        status, content = self._sent(method, path, body, dict(headers))
        try:
            value = json.loads(content)
        except ValueError:
            value = None
        if 200 <= status < 300 and value is not None:
            return Told(value, self.url)
        raise self._refusal(status, value)

    def _sent(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        is_sent = False
        connection, prefix = self._connection()
        try:
            connection.connect()
            connection.sock.settimeout(_ANSWER_S)
            is_sent = True
            connection.request(method, f"{prefix}/admin/v1{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as exc:
            raise RoomAway(f"{self.url} {_words(exc)}", is_sent=is_sent) from exc
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError as exc:
            raise SettingsError(f"BANYAN_ROOM={self.url} is no address") from exc
        if parts.scheme not in ("http", "https") or not host:
            raise SettingsError(f"BANYAN_ROOM={self.url} is no http:// or https:// address")
        prefix = parts.path.rstrip("/")
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_CONNECT_S), prefix
        if self.token and host not in _LOOPBACK:
            raise SettingsError(
                f"BANYAN_ROOM={self.url} is not encrypted, and anybody on the way could read the"
                " token; write https://"
            )
        return http.client.HTTPConnection(host, port, timeout=_CONNECT_S), prefix

    def _refusal(self, status: int, told: Any) -> RoomRefused:
        known = told if isinstance(told, dict) else {}
        code, detail = str(known.get("code", "")), str(known.get("detail", ""))
        if status == 401:
            way = "BANYAN_TOKEN does not hold there" if self.token else "set BANYAN_TOKEN"
            detail = f"{self.url} does not know who asks; {way}"
        elif not code and not detail:
            detail = f"{self.url} answers {status} and is no control room, or hides behind another"
        elif not code:
            detail = f"{self.url} answers {status}: {detail}"
        return RoomRefused(detail, status=status, code=code, told=known)


def _words(exc: Exception) -> str:
    """What a connection's failure means, and the way out where there is one."""
    reason = getattr(exc, "verify_message", "")
    if reason:
        return (
            f"shows a certificate that cannot be verified ({reason}); SSL_CERT_FILE names the"
            " file of another authority"
        )
    if isinstance(exc, ConnectionRefusedError):
        return "does not answer (connection refused)"
    if isinstance(exc, TimeoutError):
        return "does not answer in time"
    told = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return f"does not answer ({told})"
