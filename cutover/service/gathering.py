"""Read the evidence that gates are judged by; say why not, where it cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from cutover.core.gate import Findings
from proxy.routing import Domain
from shadow_compare.errors import CompareError

if TYPE_CHECKING:
    from shadow_compare.ports import EvidenceReader

OpenEvidence = Callable[[], "AbstractAsyncContextManager[EvidenceReader]"]

_MOST_GROUPS = 50
_DEADLINE_S = 10.0


async def gather(
    open_evidence: OpenEvidence, domains: Sequence[Domain], measured: Collection[str] = ()
) -> dict[str, Findings]:
    """Findings per domain. Never raises: a store that is away is a finding too.

    The store is opened only when there is something to ask. `measured` are the domains of
    which it is asked how long both sides took, and how often they failed.
    """
    import asyncio  # noqa: PLC0415 - a rollback loads this module and never asks

    found: dict[str, Findings] = {}
    if not domains:
        return found
    problem = ""
    try:
        async with asyncio.timeout(_DEADLINE_S), open_evidence() as evidence:
            known = await evidence.readings(domains, points=0, groups=_MOST_GROUPS)
            for name, one in known.items():
                found[name] = Findings(one.evidence, one.groups)
                if name in measured:
                    answered = tuple(await evidence.answered(name))
                    found[name] = replace(found[name], latencies=one.latency, answered=answered)
    except CompareError as exc:
        problem = str(exc)
    except TimeoutError:
        problem = f"no answer within {_DEADLINE_S:g} s"
    unread = Findings(None, problem=problem)
    return {domain.name: found.get(domain.name, unread) for domain in domains}
