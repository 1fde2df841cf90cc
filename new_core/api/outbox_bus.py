"""Events on a NATS JetStream (the `bus` extra)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from new_core.domain.events import Told, envelope
from new_core.errors import BusUnavailable, InvalidValue

SUBJECTS = "banyan.events"

_CONNECT_S = 3
_PUBLISH_S = 3.0
_ALL_S = 12.0
"""Well within what a claim lasts: an event is not published after others have taken it over."""
_AGE_S = 7 * 24 * 3600.0
_DUPLICATES_S = 600.0


class NatsBus:
    """Implements ports.EventBus. Connects when first used, and again after trouble.

    A subject per type, "banyan.events." and the type; the message id is the event's, so that
    the stream drops what comes twice within its window.
    """

    def __init__(self, urls: str, stream: str, credentials: str = "") -> None:
        """Begin without a connection.

        Raises:
            InvalidValue: nats-py is not installed.
        """
        try:
            import nats  # noqa: PLC0415 - an extra
        except ImportError as exc:
            raise InvalidValue("BANYAN_CORE_BUS", "needs the extra `bus`") from exc
        self._connect = nats.connect
        self._urls = [one.strip() for one in urls.split(",") if one.strip()]
        self._stream = stream
        self._credentials = credentials or None
        self._client: Any = None
        self._js: Any = None

    async def publish(self, events: Sequence[Told]) -> frozenset[UUID]:
        ordered = sorted(events, key=_aggregate)
        lines = [tuple(some) for _, some in groupby(ordered, key=_aggregate)]
        stored: set[UUID] = set()
        try:
            async with asyncio.timeout(_ALL_S):
                js = await self._ready()
                troubles = await asyncio.gather(*(self._in_order(js, one, stored) for one in lines))
        except (Exception, TimeoutError) as exc:
            # The library raises errors of its own, of the system and of asyncio alike.
            await self.close()
            if not stored:
                raise BusUnavailable(f"no JetStream at {self._shown()}: {_said(exc)}") from exc
            return frozenset(stored)
        trouble = next((one for one in troubles if one is not None), None)
        if trouble is not None:
            await self.close()
            if not stored:
                raise BusUnavailable(f"the bus took nothing: {_said(trouble)}") from trouble
        return frozenset(stored)

    async def _in_order(
        self, js: Any, events: Sequence[Told], stored: set[UUID]
    ) -> Exception | None:
        """Publish one aggregate's events one after the other, up to the first trouble."""
        for one in events:
            try:
                await js.publish(
                    f"{SUBJECTS}.{one.event.type}",
                    json.dumps(envelope(one), separators=(",", ":")).encode(),
                    timeout=_PUBLISH_S,
                    stream=self._stream,
                    headers={"Nats-Msg-Id": str(one.event_id)},
                )
            except Exception as exc:  # noqa: BLE001 - others' events are published all the same
                return exc
            stored.add(one.event_id)
        return None

    async def _ready(self) -> Any:
        if self._client is not None and self._client.is_connected:
            return self._js
        await self.close()
        self._client = await self._connect(
            self._urls,
            name="banyan core",
            user_credentials=self._credentials,
            allow_reconnect=False,
            connect_timeout=_CONNECT_S,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=_quiet,
        )
        self._js = self._client.jetstream(timeout=_PUBLISH_S)
        await self._prepare()
        return self._js

    async def _prepare(self) -> None:
        """Make the stream, unless there is one: then its bounds are the operator's."""
        from nats.js.api import StorageType, StreamConfig  # noqa: PLC0415 - an extra
        from nats.js.errors import NotFoundError  # noqa: PLC0415 - an extra

        try:
            await self._js.stream_info(self._stream)
        except NotFoundError:
            config = StreamConfig(
                name=self._stream,
                subjects=[f"{SUBJECTS}.>"],
                storage=StorageType.FILE,
                max_age=_AGE_S,
                duplicate_window=_DUPLICATES_S,
            )
            await self._js.add_stream(config)

    async def close(self) -> None:
        """Let go of the connection."""
        client, self._client = self._client, None
        if client is not None:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await client.close()
            except Exception:  # noqa: BLE001, S110 - it is given up either way
                pass

    def _shown(self) -> str:
        return ", ".join(one.rpartition("@")[2] for one in self._urls)


def _aggregate(told: Told) -> tuple[str, UUID]:
    return told.event.aggregate_type, told.event.aggregate_id


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _quiet(_error: Exception) -> None:
    """The library's own would print a traceback."""
