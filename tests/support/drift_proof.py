"""The proof: faults are seeded, one pass finds them, repairs mend them, another pass is clean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shadow_compare.app import open_reconcile_books
from shadow_compare.ports.reconciling import RepairRecord
from tests.support.commands import Ended, run_banyan
from tests.support.drift_seeds import Seed
from tests.support.drift_shop import DriftShop, keyed

Told = Mapping[str, Any]
ALLOWED = "1000.00 GBP"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen.

    Attributes:
        before, after: open differences by kind and key.
        passes: results of the pass that found them; `clean` of the last one, by domain.
        preflight: before anything was seeded; `totals` after all was mended.
        refused: what was said where nobody approved of the money.
        repairs: plans that were carried out, and lines about them.
    """

    before: Mapping[tuple[str, str], Told]
    after: Mapping[tuple[str, str], Told]
    passes: Mapping[str, Told]
    clean: Mapping[str, Told]
    refused: Told
    repairs: Mapping[str, Told]
    lines: Sequence[RepairRecord]
    preflight: Ended
    totals: Ended


def prove(shop: DriftShop, seeds: Sequence[Seed]) -> Proof:
    """Seed, find, repair, mend the rest as people do, and look again."""
    preflight = run_banyan("preflight", "--json", "--from", shop.legacy.url)
    for seed in seeds:
        seed.act(shop)
    shop.settle(parked=sum(seed.parks for seed in seeds))
    passes = {one["domain"]: one for one in shop.passes("--full")}
    before = keyed(shop.drifts())
    refused = json.loads(shop.banyan("repair", "orders", "--apply", "--json", code=1).out)
    repairs = {}
    # What others point at goes first.
    for domain in dict.fromkeys(sorted(seed.domain for seed in seeds)):
        words = ("repair", domain, "--apply", "--approve-up-to", ALLOWED, "--json")
        repairs[domain] = json.loads(shop.banyan(*words, code=None).out)
    for seed in seeds:
        if seed.mend is not None:
            seed.mend(shop)
    shop.retry()
    shop.settle()
    clean = {one["domain"]: one for one in shop.passes("--full")}
    return Proof(
        before, keyed(shop.drifts()), passes, clean, refused, repairs,
        asyncio.run(_lines(shop.evidence)), preflight, shop.banyan("reconcile", "--totals"),
    )  # fmt: skip


async def _lines(evidence: str) -> Sequence[RepairRecord]:
    async with open_reconcile_books(evidence) as books:
        return await books.repairs(None, 100)
