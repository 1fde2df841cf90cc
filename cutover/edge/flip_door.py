"""The proxy's side door as a flip pulls it: few milliseconds a pull, from an event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cutover.errors import DoorClosed, Refused
from cutover.ports.flips import HoldSeen

_ANSWER_S = 4.0
"""A lever waits up to 2 s for workers."""


@dataclass(frozen=True, slots=True)
class FlipDoor:
    """Holds, releases and reloads by the side door at `url`.

    Raises, from any call: DoorClosed, Refused.
    """

    url: str

    async def hold(self, domains: Sequence[str], *, for_s: float) -> HoldSeen:
        """Hold domains together."""
        asked = {"domains": list(domains), "for": f"{for_s * 1_000:.0f}ms"}
        return _seen((await self.ask("POST", "/hold", asked)).get("holds", ()))

    async def holding(self, domains: Sequence[str]) -> HoldSeen | None:
        """How they stand; None when one is not held."""
        told = await self.ask("GET", "/holds")
        held = [hold for hold in told.get("holds", ()) if hold.get("domain") in domains]
        return _seen(held) if len(held) == len(set(domains)) else None

    async def release(self, domains: Sequence[str]) -> bool:
        """Release them; False when a hold was over."""
        told = await self.ask("POST", "/release", {"domains": list(domains)})
        return bool(told.get("released"))

    async def take(self, revision: str) -> None:
        """Make every worker go by a table."""
        told = await self.ask("POST", "/reload", {})
        if told.get("problem"):
            raise Refused(f"the proxy does not take the table: {told['problem']}")
        if told.get("revision") != revision:
            followed = told.get("revision")
            raise Refused(f"the proxy follows {followed}, not {revision}; does it read this file?")

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """One request; the answer's JSON object."""
        try:
            status, told = await asyncio.wait_for(self._exchange(method, path, body), _ANSWER_S)
        except ConnectionRefusedError as exc:
            raise DoorClosed(f"nothing listens at {self.url}", is_refused=True) from exc
        except (OSError, ValueError, EOFError) as exc:
            problem = str(exc) or type(exc).__name__
            raise DoorClosed(f"{self.url} gives no answer: {problem}", is_refused=False) from exc
        if status != 200:
            raise Refused(f"the proxy says no to {path}: {told.get('detail', status)}")
        return told

    async def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        where = urlsplit(self.url)
        host, port = where.hostname or "127.0.0.1", where.port or 80
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {where.path}{path} HTTP/1.0\r\nHost: {host}:{port}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(head.encode("ascii") + b"\r\n" + data)
            answer = await reader.read()
        finally:
            writer.close()
        first, _, rest = answer.partition(b"\r\n\r\n")
        if not first.startswith(b"HTTP/1."):
            raise ValueError("this is not HTTP")
        told = json.loads(rest)
        if not isinstance(told, dict):
            raise ValueError("this is not a proxy's side door")  # noqa: TRY004 - as garbage
        return int(first.split(b" ", 2)[1]), told


def _seen(holds: Sequence[Mapping[str, Any]]) -> HoldSeen:
    return HoldSeen(
        sum(int(hold.get("in_flight_writes", 0)) for hold in holds),
        sum(int(hold.get("waiting", 0)) for hold in holds),
    )
