"""Builds this package's objects from its settings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from cutover.edge.side_door import HttpDoor
from cutover.ports import ProxyDoor
from cutover.service.acknowledge import Timer
from cutover.service.books import Books
from cutover.settings import CutoverSettings
from cutover.storage.applied import AppliedFile
from cutover.storage.ledger import RevisionFiles
from cutover.storage.turn import FileTurn

if TYPE_CHECKING:
    from cutover.core.flip_owners import Owners
    from cutover.core.load_gate import Loads
    from cutover.core.outside_gates import Outside
    from cutover.ports.outside import StepAsked
    from cutover.service.doubts import OpenProof
    from cutover.service.gathering import OpenEvidence
    from shadow_compare.ports import EvidenceReader, ProofStore


def ledger(settings: CutoverSettings) -> RevisionFiles:
    """The ledger of revisions."""
    return RevisionFiles(settings.revisions)


def books(settings: CutoverSettings) -> Books:
    """The applied state under BANYAN_VAR. Makes nothing until something is applied."""
    return Books(
        applied=AppliedFile(settings.applied),
        ledger=ledger(settings),
        turn=FileTurn(settings.var / "cutover.lock", time.monotonic, time.sleep),
        now=lambda: datetime.now(UTC),  # noqa: TID251 - the edge's clock
        ask_outside=partial(_ask_outside, settings),
        loads=partial(_loads, settings),
    )


async def _ask_outside(
    settings: CutoverSettings, steps: Sequence[StepAsked]
) -> Mapping[str, Outside]:
    from cutover.app.outside import ask_outside  # noqa: PLC0415 - slow to load, and few need it

    return await ask_outside(settings, steps)


def _loads(settings: CutoverSettings, domain: str) -> Loads:
    from cutover.storage.loadtests import LoadFiles  # noqa: PLC0415 - a rollback needs none

    return LoadFiles(settings.var / "loadtests").of(domain)


def door(settings: CutoverSettings) -> ProxyDoor:
    """The proxy's side door."""
    return HttpDoor(settings.side_door)


def timer() -> Timer:
    """Time as it passes."""
    return Timer(time.monotonic, time.sleep)


def owners(settings: CutoverSettings) -> Owners:
    """Who owns the data behind routes. Raises CannotRead."""
    if not settings.environment.get("BANYAN_LEGACY_DATABASE"):
        return {}
    from cutover.edge.flip_owners import read_owners  # noqa: PLC0415 - few need it
    from legacy_adapters.oscar.domains import DOMAINS  # noqa: PLC0415 - likewise

    return read_owners(settings.environment, DOMAINS)


def evidence(settings: CutoverSettings) -> OpenEvidence:
    """How to open the evidence, for when a gate asks: its libraries are slow to load."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[EvidenceReader]:
        from shadow_compare.app import open_evidence  # noqa: PLC0415 - see above

        async with open_evidence(settings.evidence_database) as reader:
            yield reader

    return opened


def proof(settings: CutoverSettings) -> OpenProof:
    """How to open what rules are checked by, likewise."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ProofStore]:
        from shadow_compare.app import open_proof  # noqa: PLC0415 - see above

        async with open_proof(settings.evidence_database) as store:
            yield store

    return opened
