"""The NATS JetStream that Debezium's events stand in, and what its errors mean here."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit

try:
    import nats
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.errors import AuthorizationError, Error
    from nats.errors import TimeoutError as NothingThere
    from nats.js import JetStreamContext
    from nats.js.api import (
        AckPolicy,
        ConsumerConfig,
        ConsumerInfo,
        DeliverPolicy,
        RetentionPolicy,
        StreamConfig,
        StreamInfo,
    )
    from nats.js.errors import APIError, NotFoundError
except ModuleNotFoundError as _exc:
    raise SourceUnfit("a NATS needs its client: pip install 'banyan-migration[bus]'") from _exc

_CONNECT_S, _ANSWER_S, _FETCH_S = 5, 5.0, 0.25
_PATIENCE_S = 3600.0
_AT_ONCE = 500
_ASIDE_BYTES = 64 * 1024 * 1024
_DENIED, _REFUSED = {401, 403}, 400

log = logging.getLogger(__name__)


class EventStream:
    """One stream and the durable consumer that is the bookmark in it. One reader at a time."""

    def __init__(self, url: str, stream: str, durable: str) -> None:
        self.name = stream
        self.durable = durable
        self._url = url
        self._client: Client | None = None
        self._in_hand: list[Msg] = []

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[JetStreamContext]:
        """Raises SourceUnavailable or SourceUnfit for what goes wrong inside."""
        try:
            if self._client is None or self._client.is_closed:
                await self.close()
                self._client = await nats.connect(
                    self._url.split(","),
                    error_cb=_note,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=_CONNECT_S,
                )
            yield self._client.jetstream(timeout=_ANSWER_S)
        except NotFoundError as exc:
            told = f"NATS: {exc.description} ({self.name}, {self.durable})"
            raise SourceUnfit(told) from exc
        except (APIError, AuthorizationError) as exc:
            if isinstance(exc, AuthorizationError) or exc.code in _DENIED:
                raise SourceUnfit(f"NATS does not let us in: {exc}") from exc
            if exc.code == _REFUSED:
                raise SourceUnfit(f"NATS: {exc.description}") from exc
            raise SourceUnavailable(f"NATS: {exc}") from exc
        except (TimeoutError, Error, OSError) as exc:
            raise SourceUnavailable(f"NATS: {str(exc) or type(exc).__name__}") from exc

    async def prepare(self) -> None:
        """Look whether the stream keeps all, and put the bookmark at its beginning.

        Raises:
            SourceUnfit: it drops messages that nobody has read.
        """
        info = await self.info()
        if info.config.retention not in {None, RetentionPolicy.LIMITS}:
            raise SourceUnfit(
                f"the stream {self.name} drops what was acknowledged; make it with retention limits"
            )
        if (info.config.max_msgs_per_subject or 0) > 0:
            raise SourceUnfit(
                f"the stream {self.name} keeps the last messages of each subject alone; make it "
                "without max_msgs_per_subject"
            )
        async with self._asking() as js:
            await js.add_stream(
                StreamConfig(self._aside, subjects=[self._aside], max_bytes=_ASIDE_BYTES)
            )
            if await self._bookmark(js) is None:
                await self._place_bookmark(js, info.state.first_seq or 1)

    async def remove(self) -> None:
        """Take the bookmark and the messages kept aside away."""
        async with self._asking() as js:
            with contextlib.suppress(NotFoundError):
                await js.delete_consumer(self.name, self.durable)
            with contextlib.suppress(NotFoundError):
                await js.delete_stream(self._aside)

    async def info(self) -> StreamInfo:
        """The stream as it is."""
        async with self._asking() as js:
            return await js.stream_info(self.name)

    async def bookmark(self) -> int | None:
        """The sequence number up to which all is confirmed; None before `prepare`."""
        async with self._asking() as js:
            found = await self._bookmark(js)
        if found is None:
            return None
        began = (found.config.opt_start_seq or 1) - 1
        if not (found.delivered and found.delivered.consumer_seq):
            return began  # the server moves a floor that was never reached, when it drops messages
        return max(began, found.ack_floor.stream_seq if found.ack_floor else 0)

    async def reader(self, after: int | None) -> Messages:
        """Messages behind a sequence number, or behind the bookmark.

        The bookmark is made anew there, because a consumer hands out what an earlier reader
        took and did not confirm after all else, and so not in order.

        Raises:
            SourceLost: some of them are gone.
        """
        state = (await self.info()).state
        start = await self.bookmark() if after is None else after
        if start is None:
            start = max(0, state.first_seq - 1)
        if start > state.last_seq:
            raise SourceLost(
                f"the stream {self.name} ends at {state.last_seq} and was read up to {start}: it "
                "was made anew"
            )
        if state.first_seq > start + 1:
            raise SourceLost(
                f"the stream {self.name} begins at {state.first_seq} and was read up to {start}"
            )
        self._in_hand = []
        async with self._asking() as js:
            with contextlib.suppress(NotFoundError):
                await js.delete_consumer(self.name, self.durable)
            made = await self._place_bookmark(js, start + 1)
            subscription = await js.pull_subscribe_bind(self.durable, self.name)
        return Messages(self, subscription, start, str(made.created))

    async def fetch(self, subscription: JetStreamContext.PullSubscription) -> Sequence[Msg]:
        """The next messages; none when none come for a while."""
        async with self._asking():
            try:
                found = await subscription.fetch(_AT_ONCE, timeout=_FETCH_S)
            except (TimeoutError, NothingThere):
                if self._client is None or not self._client.is_connected:
                    raise
                return []
        self._in_hand += found
        return found

    async def confirm(self, upto: int) -> None:
        """Move the bookmark; what was not read by this object is left to a later call."""
        known = [one for one in self._in_hand if one.metadata.sequence.stream <= upto]
        self._in_hand = self._in_hand[len(known) :]
        if known:
            async with self._asking():
                await known[-1].ack_sync(timeout=_ANSWER_S)

    async def keep_aside(self, message: Msg, reason: str) -> None:
        """Keep a copy of a message that nobody can read, once."""
        sequence = message.metadata.sequence.stream
        headers = {
            "Nats-Msg-Id": f"{self.name}.{sequence}",
            "Banyan-Subject": message.subject,
            "Banyan-Sequence": str(sequence),
            "Banyan-Reason": " ".join(reason.split())[:1_000],
        }
        async with self._asking() as js:
            await js.publish(self._aside, message.data, headers=headers)

    async def made(self) -> str:
        """When the bookmark was made; "" when there is none."""
        async with self._asking() as js:
            found = await self._bookmark(js)
        return str(found.created) if found else ""

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(Error, OSError, TimeoutError):
            await client.close()
        # The client of a connection that broke closes half of it.
        if client._transport is not None:
            client._transport.close()  # type: ignore[no-untyped-call]

    @property
    def _aside(self) -> str:
        return f"{self.durable}_aside"

    async def _bookmark(self, js: JetStreamContext) -> ConsumerInfo | None:
        try:
            found: ConsumerInfo = await js.consumer_info(self.name, self.durable)
        except NotFoundError:
            return None
        return found

    async def _place_bookmark(self, js: JetStreamContext, start: int) -> ConsumerInfo:
        found: ConsumerInfo = await js.add_consumer(
            self.name,
            ConsumerConfig(
                durable_name=self.durable,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=start,
                ack_policy=AckPolicy.ALL,
                ack_wait=_PATIENCE_S,
                max_ack_pending=-1,
            ),
        )
        return found


class Messages:
    """Messages of one stay on the stream, in its order and without a gap."""

    def __init__(
        self,
        stream: EventStream,
        subscription: JetStreamContext.PullSubscription,
        start: int,
        made: str,
    ) -> None:
        self._stream = stream
        self._subscription = subscription
        self.start = start
        self.last = start
        self.pending = 0
        """How many more there were when the last one was handed out."""
        self._made = made
        self._delivered = 0

    async def next(self) -> Sequence[tuple[int, Msg]]:
        """The next ones, each once; none when none come for a while.

        Raises:
            SourceLost: messages in between are gone.
            SourceUnavailable: somebody else reads by the same bookmark.
        """
        found: list[tuple[int, Msg]] = []
        fetched = await self._stream.fetch(self._subscription)
        # 1. Another reader begins and makes the bookmark anew, 2. this one takes some of its
        # messages, whose numbers may even fit, 3. and both of them know the half.
        if await self._stream.made() != self._made:
            raise SourceUnavailable(f"the consumer {self._stream.durable} is somebody else's now")
        for message in fetched:
            sequence = message.metadata.sequence
            self._delivered += 1
            if sequence.consumer != self._delivered:
                raise SourceUnavailable(
                    f"somebody else reads {self._stream.name} as {self._stream.durable}"
                )
            if sequence.stream <= self.last:
                continue  # handed out again, because it was not confirmed for so long
            if sequence.stream > self.last + 1:
                raise SourceLost(
                    f"the stream {self._stream.name} has lost {self.last + 1} to "
                    f"{sequence.stream - 1}"
                )
            self.last, self.pending = sequence.stream, message.metadata.num_pending
            found.append((sequence.stream, message))
        return found

    async def close(self) -> None:
        """Leave; never fails."""
        with contextlib.suppress(Error, OSError):
            await self._subscription.unsubscribe()


async def _note(problem: Exception) -> None:
    log.debug("NATS: %s", problem)
