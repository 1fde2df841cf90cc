"""Rules that nothing bears out are named beside a plan, and stop nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from cutover.service.applying import Prepared, commit, prepare
from cutover.service.doubts import OpenProof
from shadow_compare.core.drift import Drift, Nature
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.rule_use import RuleUse
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import ProofStore
from tests.fakes.cutover import Opening, books_in
from tests.fakes.evidence import FakeEvidence

ROUTE = "GET /c"
SURVEY = Drift("legacy", ROUTE, "", 20)
FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: shadow
    routes: [{path: /c}]
    compare: {rules: [RULES]}
"""
TERMS = "owner: o, reason: r, expires: 2100-01-01"
BLIND = f'{{path: "$.price", accept: any, {TERMS}}}'
STAMP = f'{{path: "$.at", accept: timestamp, within: 5s, {TERMS}}}'
PLAIN = f'{{path: "$.n", accept: number_text, {TERMS}}}'


@dataclass
class FakeProof(ProofStore):
    """Holds drift alone."""

    seen: tuple[Drift, ...] = ()
    away: str = ""
    opened: int = 0
    asked: list[str] = field(default_factory=list)

    @override
    async def pairs(self, domain: str, *, limit: int = 1_000) -> Sequence[RecordedPair]:
        self.asked.append(domain)
        return ()

    @override
    async def uses(self, domain: str) -> Mapping[str, RuleUse]:
        return {}

    @override
    async def drifts(self, domain: str) -> Sequence[Drift]:
        return self.seen

    @override
    async def put_drifts(self, domain: str, drifts: Sequence[Drift], at_s: float) -> None:
        raise AssertionError("a plan changes nothing")

    def how(self) -> OpenProof:
        @asynccontextmanager
        async def opened() -> AsyncIterator[ProofStore]:
            self.opened += 1
            if self.away:
                raise EvidenceUnavailable(self.away)
            yield self

        return opened


async def planned(var: Path, open_proof: OpenProof, *rules: str, stage: str = "shadow") -> Prepared:
    text = FILE.replace("RULES", ", ".join(rules)).replace("stage: shadow", f"stage: {stage}")
    opening = Opening(FakeEvidence()).how()
    books = books_in(var)
    return await prepare(
        books, text.encode(), "routing.yaml", opening, open_proof=open_proof, init=True
    )


async def test_a_rule_that_the_check_refuses_is_named_and_stops_nothing(tmp_path: Path) -> None:
    moved = Drift("legacy", ROUTE, "$.at", 20, 3, Nature.TIMESTAMP)

    prepared = await planned(tmp_path, FakeProof((SURVEY, moved)).how(), BLIND, STAMP, PLAIN)

    (note,) = prepared.notes
    assert note == (
        "catalog: rule any $.price is refused by banyan rules check:"
        " the field did not move in 20 pairs"
    )
    assert prepared.plan.refused == ()
    assert commit(books_in(tmp_path), prepared, actor="op", reason="").n == 1


async def test_a_rule_that_nobody_calibrated_is_named(tmp_path: Path) -> None:
    prepared = await planned(tmp_path, FakeProof().how(), STAMP)

    (doubt,) = prepared.doubts
    assert doubt.startswith("catalog: rule timestamp $.at within=5.0 was never justified: nobody")
    assert "banyan calibrate" in doubt


@pytest.mark.parametrize(
    ("rules", "stage"), [((PLAIN,), "shadow"), ((), "shadow"), ((BLIND,), "legacy")]
)
async def test_the_evidence_is_not_opened_where_there_is_nothing_to_doubt(
    tmp_path: Path, rules: tuple[str, ...], stage: str
) -> None:
    proof = FakeProof()

    prepared = await planned(tmp_path, proof.how(), *rules, stage=stage)

    assert (prepared.doubts, proof.opened) == ((), 0)


async def test_a_plan_that_changes_nothing_asks_about_no_rule(tmp_path: Path) -> None:
    first = await planned(tmp_path, FakeProof().how(), BLIND)
    commit(books_in(tmp_path), first, actor="op", reason="")
    proof = FakeProof()

    assert (await planned(tmp_path, proof.how(), BLIND)).doubts == ()
    assert proof.asked == []


async def test_evidence_that_is_away_is_said_and_stops_nothing(tmp_path: Path) -> None:
    proof = FakeProof(away="the file is not a database")

    prepared = await planned(tmp_path, proof.how(), BLIND)

    assert prepared.doubts == (
        "the rules of catalog could not be checked: the file is not a database",
    )
    assert prepared.plan.refused == ()
