"""Every call of a gateway goes through here: with a deadline, counted, and never in a dry run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from new_core.domain.gateway import Book, Charge, Charged, Move, Moved, MoveKind, Question, Reach
from new_core.domain.gateway_health import Breaker, Health
from new_core.domain.payment import PaymentIntent
from new_core.domain.payment_failover import Candidate
from new_core.errors import GatewayUnavailable, NotFound
from new_core.ports import Gateway
from new_core.service.effects import effects_off, refuse_effect

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offered:
    """A gateway, and what it is used for.

    Attributes:
        kinds: methods of payment that it takes, e.g. "card".
        currencies: empty means all.
    """

    gateway: Gateway
    kinds: frozenset[str]
    currencies: frozenset[str] = frozenset()

    def takes(self, intent: PaymentIntent) -> bool:
        """Whether a payment can be tried here."""
        method = intent.method
        return (
            method.kind in self.kinds
            and (not self.currencies or intent.currency in self.currencies)
            and (not self.gateway.needs_token or bool(method.token_at(self.gateway.code)))
        )


class GatewayMeter(Protocol):
    """Counts calls of gateways."""

    def called(self, gateway: str, operation: str, outcome: str, elapsed_s: float) -> None:
        """A call ended."""
        ...

    def stands(self, gateway: str, breaker: Breaker) -> None:
        """A gateway's breaker is known."""
        ...


class Gateways:
    """The gateways of a process, best first. Shared by all tasks."""

    def __init__(
        self, offered: Sequence[Offered], *, deadline_s: float, meter: GatewayMeter | None = None
    ) -> None:
        """Begin without connections; no call may take longer than `deadline_s`."""
        self._offered = {one.gateway.code: one for one in offered}
        self._meter = meter
        self._deadline_s = deadline_s

    @property
    def codes(self) -> tuple[str, ...]:
        """The gateways, best first."""
        return tuple(self._offered)

    def named(self, code: str) -> Gateway:
        """A gateway.

        Raises:
            NotFound: there is none of that code here, or not any more.
        """
        found = self._offered.get(code)
        if found is None:
            raise NotFound("gateway", code)
        return found.gateway

    def candidates(
        self, intent: PaymentIntent, healths: Mapping[str, Health], now: datetime
    ) -> tuple[Candidate, ...]:
        """The gateways that take a payment: the wished one first, then by preference."""
        wished = intent.method.gateway
        fit = [code for code, one in self._offered.items() if one.takes(intent)]
        ordered = sorted(fit, key=lambda code: code != wished)
        return tuple(
            Candidate(code, healths.get(code, Health(code)).breaker(now)) for code in ordered
        )

    def seen(self, health: Health, now: datetime) -> None:
        """Let the meter know how a gateway is."""
        if self._meter is not None:
            self._meter.stands(health.gateway, health.breaker(now))

    async def authorise(self, code: str, charge: Charge) -> Charged:
        """Ask for money, once."""
        gateway = self.named(code)
        lost = Charged(Reach.NO_ANSWER, reason="no_answer")
        return await self._call(code, "authorise", lambda: gateway.authorise(charge), lost)

    async def move(self, code: str, kind: MoveKind, move: Move) -> Moved:
        """Capture, void or refund, once."""
        gateway = self.named(code)
        calls = {
            MoveKind.CAPTURE: gateway.capture,
            MoveKind.VOID: gateway.void,
            MoveKind.REFUND: gateway.refund,
        }
        lost = Moved(Reach.NO_ANSWER, reason="no_answer")
        return await self._call(code, kind.value, lambda: calls[kind](move), lost)

    async def lookup(self, code: str, question: Question) -> Book | None:
        """What the gateway's books say.

        Raises:
            GatewayUnavailable: it did not answer.
            NotFound: there is no such gateway here.
        """
        gateway = self.named(code)
        started = time.perf_counter()
        outcome = "no_answer"
        _refuse_in_a_dry_run(gateway)
        try:
            async with asyncio.timeout(self._deadline_s):
                book = await gateway.lookup(question)
            outcome = "not_found" if book is None else book.state.value
        except TimeoutError as exc:
            raise GatewayUnavailable(code, "it takes too long") from exc
        finally:
            self._count(code, "lookup", outcome, started)
        return book

    async def close(self) -> None:
        """Let go of all connections."""
        for one in self._offered.values():
            await one.gateway.close()

    async def _call(
        self, code: str, operation: str, call: Callable[[], Awaitable[T]], lost: T
    ) -> T:
        _refuse_in_a_dry_run(self.named(code))
        started = time.perf_counter()
        answer = lost
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await call()
        except TimeoutError:
            log.warning("gateway %s: %s took more than %g s", code, operation, self._deadline_s)
        except Exception as exc:  # noqa: BLE001 - whatever broke, money may have moved
            # Its text may hold what was sent; its kind does not.
            log.error("gateway %s: %s broke with %s", code, operation, type(exc).__name__)  # noqa: TRY400 - see above
        finally:
            self._count(code, operation, _outcome(answer), started)
        return answer

    def _count(self, code: str, operation: str, outcome: str, started: float) -> None:
        if self._meter is not None:
            self._meter.called(code, operation, outcome, time.perf_counter() - started)


def _outcome(answer: object) -> str:
    if isinstance(answer, Charged):
        return answer.book.state.value if answer.book is not None else answer.reach.value
    if isinstance(answer, Moved):
        return answer.state.value if answer.reach is Reach.ANSWERED else answer.reach.value
    return "answered"


def _refuse_in_a_dry_run(gateway: Gateway) -> None:
    if gateway.is_outside and effects_off():
        refuse_effect(f"gateway {gateway.code} was to be called")
