"""Calibrate one domain: ask the stores, store the drift."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from proxy.routing import RoutingTable, Side
from proxy.storage import redaction_key
from shadow_compare.edge.asker import HttpAsker, Keys, Limits
from shadow_compare.edge.runner import WallClock
from shadow_compare.errors import CompareError
from shadow_compare.ports import Asker, ProofStore
from shadow_compare.service.calibrating import Survey, Surveyor, bare_judges, requests_of
from shadow_compare.service.proving import Tick
from shadow_compare.settings import secret_from_environment


class NothingRecorded(CompareError):
    """There is no recorded request to ask again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be calibrated.

    Attributes:
        sides: those to ask.
        requests: recorded requests to ask each side twice, at most.
        spacing_s: between the two questions.
    """

    domain: str
    sides: Sequence[Side]
    requests: int
    spacing_s: float


@asynccontextmanager
async def open_asker(
    table: RoutingTable, spool: Path, key: bytes | None, limits: Limits, base: Path
) -> AsyncIterator[Asker]:
    """An asker of the table's stores that redacts as the proxy does.

    `base` is the folder that relative names of certificates start from.

    Raises:
        NothingRecorded: the redaction key is neither given nor in the spool.
    """
    if key is None:
        if not await asyncio.to_thread(spool.is_dir):
            raise NothingRecorded(f"there is no spool at {spool} with the key of the redaction")
        key = await asyncio.to_thread(redaction_key, spool)
    # A recorded request brings no sealed credentials; what rules set is set here too.
    asker = HttpAsker(table, Keys(key, None), limits, base=base, secret=secret_from_environment)
    try:
        yield asker
    finally:
        await asker.close()


async def calibrate(
    wish: Wish, table: RoutingTable, store: ProofStore, asker: Asker, tick: Tick
) -> tuple[Survey, ...]:
    """Ask each side twice and store what moved; `tick` once for each request and side.

    Raises:
        NothingRecorded: no request of the domain was recorded yet.
        EvidenceUnavailable: the evidence cannot be read or written.
    """
    frames = requests_of(await store.pairs(wish.domain, limit=10_000), wish.requests)
    judges = bare_judges(table, wish.domain)
    frames = tuple(frame for frame in frames if frame.route in judges)
    if not frames:
        raise NothingRecorded(f"no request of {wish.domain} was recorded; compare some first")
    clock = WallClock()
    surveyor = Surveyor(asker, clock, judges, wish.spacing_s)
    found = []
    for side in wish.sides:
        survey = await surveyor.survey(side, frames, tick)
        await store.put_drifts(wish.domain, survey.drifts, clock.now_s())
        found.append(survey)
    return tuple(found)
