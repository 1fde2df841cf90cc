"""The bus as a shipper fills it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from nats.js.errors import APIError, NoStreamResponseError

from proxy.core.frame import Frame
from proxy.storage.records import encode
from shadow_compare.core.note import Note
from shadow_compare.edge.bus import REQUEST_S, Bus, message_id
from shadow_compare.errors import BusUnavailable

# More than this is not on its way at once: two seconds of a slow link.
_IN_FLIGHT_BYTES = 8 * 1024 * 1024
_HEADERS_BYTES = 512
_TOO_LARGE_FOR_STREAM = 10_054


class NatsSink:
    """Implements ports.FrameSink."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def notes(self) -> Mapping[str, Note]:
        await self._bus.prepare()
        return await self._bus.notes()

    async def send(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        limit = self._bus.client.max_payload - _HEADERS_BYTES
        refused: list[Frame] = []
        flight: list[tuple[Frame, bytes]] = []
        size = 0
        for frame in frames:
            record = encode(frame)
            if len(record) > limit:
                refused.append(frame)
                continue
            flight.append((frame, record))
            size += len(record)
            if size > _IN_FLIGHT_BYTES:
                refused += await self._send(flight)
                flight, size = [], 0
        return [*refused, *await self._send(flight)]

    async def tell(self, run: str, note: Note) -> None:
        await self._bus.tell(run, note)

    async def _send(self, flight: Sequence[tuple[Frame, bytes]]) -> list[Frame]:
        """Publish all at once and wait for every acknowledgement; returns what is too large.

        Sent again, those that were stored are known to the bus by their number.
        """
        place, js = self._bus.place, self._bus.js
        with self._bus.asking("storing frames"):
            results = await asyncio.gather(
                *(
                    js.publish(
                        place.frames_of(frame.run),
                        record,
                        timeout=REQUEST_S,
                        headers={"Nats-Msg-Id": message_id(frame.run, frame.seq)},
                    )
                    for frame, record in flight
                ),
                return_exceptions=True,
            )
            refused = []
            for (frame, _), result in zip(flight, results, strict=True):
                if isinstance(result, APIError) and result.err_code == _TOO_LARGE_FOR_STREAM:
                    refused.append(frame)
                elif isinstance(result, NoStreamResponseError):
                    # Somebody removed the stream; the next try has a new one.
                    await self._bus.prepare()
                    raise BusUnavailable(f"stream {place.stream} was gone")
                elif isinstance(result, BaseException):
                    raise result
        return refused
