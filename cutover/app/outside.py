"""Asks both databases and other systems about steps forward."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from cutover.app.flips import open_flips
from cutover.core.flip_gates import Facts, Stream, Unknown
from cutover.core.outside_gates import DataFacts, Outside, Said
from cutover.core.readiness import readiness
from cutover.edge.asking import Secret, ask_webhook
from cutover.ports.outside import StepAsked
from cutover.service.flipping_house import OURS
from cutover.settings import CutoverSettings
from shadow_compare.settings import secret_from_environment

_DEADLINE_S = 20.0


async def ask_outside(
    settings: CutoverSettings,
    steps: Sequence[StepAsked],
    secret: Secret = secret_from_environment,
) -> Mapping[str, Outside]:
    """Domain to what databases and other systems say. Never raises.

    `secret` reads a variable that a gate names.
    """
    said = await asyncio.gather(*(_webhooks(step, secret) for step in steps))
    asked = [step.domain for step in steps if step.data]
    data: Mapping[str, tuple[DataFacts, ...]] = {}
    problem = ""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            data = await _data(settings, asked) if asked else {}
    except (*OURS, SQLAlchemyError) as exc:
        problem = str(exc).partition("\n")[0]
    except TimeoutError:
        problem = f"no answer within {_DEADLINE_S:g} s"
    return {
        step.domain: Outside(data.get(step.domain, ()), problem if step.data else "", webhooks)
        for step, webhooks in zip(steps, said, strict=True)
    }


async def _webhooks(step: StepAsked, secret: Secret) -> tuple[Said, ...]:
    asked = (ask_webhook(gate, step, secret) for gate in step.webhooks)
    return tuple(await asyncio.gather(*asked))


async def _data(
    settings: CutoverSettings, domains: Sequence[str]
) -> Mapping[str, tuple[DataFacts, ...]]:
    found: dict[str, list[DataFacts]] = {name: [] for name in domains}
    async with open_flips(settings) as desk:
        for part in desk.domains:
            behind = [name for name in domains if name in part.routes]
            if behind:
                row = await desk.control(part.name)
                seen = await desk.observer.facts(part, row, await desk.routes(part))
                for name in behind:
                    found[name].append(_facts(part.name, seen))
    return {name: tuple(parts) for name, parts in found.items()}


def _facts(name: str, seen: Facts) -> DataFacts:
    drift = None if isinstance(seen.drift, Unknown) else seen.drift
    lag_ms = seen.there.lag_ms if isinstance(seen.there, Stream) else None
    return DataFacts(
        name=name,
        drift=None if drift is None else drift.unresolved,
        pass_age_s=None if drift is None else drift.pass_age_s,
        lag_s=None if lag_ms is None else lag_ms / 1_000,
        blocks=readiness(seen).blocks,
    )
