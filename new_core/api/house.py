"""What the routes and workers of every module are built from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import APIRouter

from new_core.api.observe import Metrics
from new_core.gateways import ManualGateway
from new_core.ports import Clock, Database, NewId
from new_core.service.gateway_calls import Gateways, Offered
from new_core.settings import CoreSettings


def paid_by_hand() -> Gateways:
    """The gateways of a house that was given none: people see to payment."""
    return Gateways([Offered(ManualGateway(), frozenset({"manual"}))], deadline_s=10.0)


@dataclass(frozen=True, slots=True)
class House:
    """Built once per process in app.py and handed down."""

    database: Database
    now: Clock
    new_id: NewId
    settings: CoreSettings
    metrics: Metrics
    gateways: Gateways = field(default_factory=paid_by_hand)


@dataclass(frozen=True, slots=True)
class Worker:
    """Something that is done again and again beside the requests.

    Several processes run it at a time: it claims what it works on by conditional updates.

    Attributes:
        run: one round; gives how many things it did. A round with something to do is followed
            by the next at once.
        every_s: the pause after a round without.
        close: lets go of what the rounds hold open, once, when there are no more of them.
    """

    name: str
    run: Callable[[], Awaitable[int]]
    every_s: float
    close: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """A part of the core that can be started alone."""

    routes: Callable[[House], APIRouter] | None = None
    workers: Callable[[House], tuple[Worker, ...]] | None = None
