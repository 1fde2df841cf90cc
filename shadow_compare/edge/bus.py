"""A NATS JetStream as the bus: names, the connection, and what its errors mean for us."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.errors import AuthorizationError, Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from shadow_compare.core.note import Note
from shadow_compare.edge.bus_place import BusPlace
from shadow_compare.errors import BusRefused, BusUnavailable

REQUEST_S = 5.0
GROUP = "comparers"
_CONNECT_S = 5
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 5.0
_NOTES_BYTES = 256 * 1024 * 1024
_DUPLICATE_WINDOW_S = 120.0
_IN_HAND = 20_000
_NO_JETSTREAM = 10_039
_NO_ROOM_ON_SERVER = {10_023, 10_028, 10_047}
_NOT_ALLOWED = "permissions violation"

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Note).decode


class Bus:
    """An open connection. Its methods translate the library's errors."""

    def __init__(self, place: BusPlace, client: Client, refusals: list[str]) -> None:
        self.place = place
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=REQUEST_S)
        self._refusals = refusals

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turn what goes wrong inside into BusUnavailable or BusRefused."""
        self._refusals.clear()
        try:
            yield
        except APIError as exc:
            if exc.description:
                raise _translated(what, exc) from exc
            raise self._silent(what) from exc
        except NoRespondersError as exc:
            raise self._silent(what) from exc
        except (TimeoutError, Error, OSError) as exc:
            # A subject that we may not use is not answered at all; the reason comes aside.
            if self._refusals:
                raise BusRefused(
                    f"{what}: {self._refusals[-1]}; let this user publish and subscribe as "
                    "docs/reference/bus.md says"
                ) from exc
            told = str(exc) or type(exc).__name__
            raise BusUnavailable(f"{what}: {told} ({self.place.shown})") from exc

    def _silent(self, what: str) -> BusUnavailable:
        # Also a server that has just started and is about to open its store.
        return BusUnavailable(
            f"{what}: no JetStream answers at {self.place.shown}; the server needs -js"
        )

    async def prepare(self) -> None:
        """Make the streams, or bring their bounds to what is set.

        Raises:
            BusUnavailable, BusRefused
        """
        place = self.place
        frames = StreamConfig(
            name=place.stream,
            subjects=[place.frames_of("*")],
            # A frame is gone once a comparer acknowledged it, so the bound is one of what
            # waits, and the oldest frame of a run tells how far the run has passed.
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            storage=StorageType.FILE,
            max_bytes=place.max_bytes,
            max_age=place.max_age_s,
            duplicate_window=min(_DUPLICATE_WINDOW_S, place.max_age_s),
            num_replicas=place.replicas,
        )
        notes = StreamConfig(
            name=place.notes_stream,
            subjects=[place.note_of("*")],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            max_msgs_per_subject=1,
            max_bytes=min(_NOTES_BYTES, place.max_bytes),
            num_replicas=place.replicas,
        )
        for config in (frames, notes):
            await self._prepare(config)

    async def _prepare(self, config: StreamConfig) -> None:
        name = str(config.name)
        with self.asking(f"stream {name}"):
            try:
                found = (await self.js.stream_info(name)).config
            except NotFoundError:
                await self.js.add_stream(config)
                return
            if found.retention != config.retention:
                raise BusRefused(
                    f"stream {name} is there and is no {config.retention}; "
                    "choose another name by BANYAN_BUS_STREAM"
                )
            bounds = ("max_bytes", "max_age", "num_replicas", "discard")
            if any(getattr(found, of) != getattr(config, of) for of in bounds):
                await self.js.update_stream(config)

    async def join(self) -> JetStreamContext.PullSubscription:
        """Become one of the comparers that share the frames.

        Raises:
            BusUnavailable: among others, nobody has made the stream yet.
            BusRefused
        """
        place = self.place
        config = ConsumerConfig(
            durable_name=GROUP,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=place.ack_wait_s,
            max_deliver=-1,
            max_ack_pending=_IN_HAND,
            filter_subject=place.frames_of("*"),
        )
        with self.asking(f"consumer {GROUP} of stream {place.stream}"):
            await self.js.add_consumer(place.stream, config)
            return await self.js.pull_subscribe_bind(
                GROUP, place.stream, pending_msgs_limit=-1, pending_bytes_limit=-1
            )

    async def notes(self) -> dict[str, Note]:
        """The last note of every run.

        Raises:
            BusUnavailable, BusRefused
        """
        place = self.place
        found = {}
        with self.asking("reading the notes of runs"):
            info = await self.js.stream_info(place.notes_stream, subjects_filter=place.note_of("*"))
            for subject in sorted(info.state.subjects or {}):
                try:
                    message = await self.js.get_msg(place.notes_stream, subject=subject)
                except NotFoundError:  # forgotten meanwhile
                    continue
                found[subject.rpartition(".")[2]] = _decode(message.data or b"")
        return found

    async def tell(self, run: str, note: Note) -> None:
        """Put a run's note in the place of the last one.

        Raises:
            BusUnavailable, BusRefused
        """
        with self.asking(f"the note of run {run}"):
            await self.js.publish(self.place.note_of(run), _encode(note))

    async def forget(self, run: str) -> None:
        """Remove a run's note.

        Raises:
            BusUnavailable, BusRefused
        """
        with self.asking(f"forgetting run {run}"):
            await self.js.purge_stream(self.place.notes_stream, subject=self.place.note_of(run))

    async def first_left(self, run: str) -> int | None:
        """Number of the oldest frame of a run that the bus still holds, None when none is.

        Raises:
            BusUnavailable, BusRefused
        """
        with self.asking(f"the oldest frame of run {run}"):
            try:
                subject = self.place.frames_of(run)
                message = await self.js.get_msg(
                    self.place.stream, seq=1, subject=subject, next=True
                )
            except NotFoundError:
                return None
            return seq_of(message.headers)


def message_id(run: str, seq: int) -> str:
    """What names a frame to the bus."""
    return f"{run}:{seq}"


def seq_of(headers: dict[str, Any] | None) -> int | None:
    """The frame's number in a message's headers; None in a message that is not ours."""
    number = str((headers or {}).get("Nats-Msg-Id", "")).rpartition(":")[2]
    return int(number) if number.isdecimal() else None


@asynccontextmanager
async def open_bus(
    place: BusPlace, name: str, keep_trying: Callable[[], bool]
) -> AsyncIterator[Bus]:
    """Connect, and stay connected: a bus that goes away is found again by itself.

    Raises:
        BusUnavailable: it did not answer, and `keep_trying` said no.
        BusRefused: wrong credentials, or a URL that is none.
    """
    refusals: list[str] = []
    closing = False
    await _answers(place, keep_trying)

    async def on_error(error: Exception) -> None:
        if _NOT_ALLOWED in str(error).lower():
            refusals.append(str(error).removeprefix("nats: "))

    async def on_lost() -> None:
        if not closing:
            log.warning("the bus at %s is gone, trying to find it again", place.shown)

    async def on_found() -> None:
        log.warning("the bus at %s is back", place.shown)

    client = await nats.connect(
        place.url.split(","),
        name=f"banyan {name}",
        user_credentials=None if place.credentials is None else str(place.credentials),
        error_cb=on_error,
        disconnected_cb=on_lost,
        reconnected_cb=on_found,
        connect_timeout=_CONNECT_S,
        reconnect_time_wait=1,
        max_reconnect_attempts=-1,
        pending_size=16 * 1024 * 1024,
    )
    try:
        yield Bus(place, client, refusals)
    finally:
        closing = True
        try:
            await asyncio.wait_for(client.close(), _CONNECT_S)
        except (TimeoutError, Error, OSError) as exc:
            log.debug("closing the bus: %s", exc)


async def _answers(place: BusPlace, keep_trying: Callable[[], bool]) -> None:
    """Wait until the bus lets us in. A refusal is told at once, silence is waited out."""
    wait_s, complained = _FIRST_RETRY_S, False
    while True:
        try:
            client = await nats.connect(
                place.url.split(","),
                user_credentials=None if place.credentials is None else str(place.credentials),
                error_cb=_quiet,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_S,
            )
        except (TimeoutError, Error, OSError, ValueError) as exc:
            if isinstance(exc, AuthorizationError) or "authorization" in str(exc).lower():
                raise BusRefused(
                    f"the bus at {place.shown} refuses this user; see BANYAN_BUS and "
                    "BANYAN_BUS_CREDENTIALS"
                ) from exc
            if isinstance(exc, (ValueError, FileNotFoundError)):
                raise BusRefused(f"BANYAN_BUS or BANYAN_BUS_CREDENTIALS: {exc}") from exc
            if not keep_trying():
                raise BusUnavailable(f"no bus answers at {place.shown}: {exc}") from exc
            if not complained:
                log.warning("no bus answers at %s, trying on: %s", place.shown, exc)
            complained = True
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LAST_RETRY_S)
        else:
            await client.close()
            return


async def _quiet(_error: Exception) -> None:
    """The library's own would print a traceback."""


def _translated(what: str, exc: APIError) -> BusUnavailable | BusRefused:
    told = exc.description or "no reason given"
    if exc.err_code == _NO_JETSTREAM:
        return BusRefused(f"{what}: the server has no JetStream for us; start it with -js")
    if exc.err_code in _NO_ROOM_ON_SERVER:
        return BusRefused(
            f"{what}: {told}; lower BANYAN_BUS_MAX_BYTES or give the server a larger store"
        )
    return BusUnavailable(f"{what}: {told}")
