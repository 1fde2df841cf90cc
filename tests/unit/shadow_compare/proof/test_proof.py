"""What a set of rules would miss, proven on pairs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Accept, CompareRule
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.proof import Prover, RouteProof, failures
from tests.support.comparing import LIST, rule

DOCUMENT = {
    "count": 3,
    "results": [
        {
            "id": n,
            "price": {"amount": f"12.5{n}", "currency": "EUR"},
            "updated": "2026-11-01T10:00:00Z",
        }
        for n in range(3)
    ],
}
HEADERS = (("Content-Type", "application/json"),)


def answer(document: object, **headers: str) -> Answer:
    return Answer(200, (*HEADERS, *headers.items()), json.dumps(document).encode())


def proven(
    *rules: CompareRule, pairs: Sequence[Exchange] = (), lot: int = 1, route: str = LIST
) -> RouteProof:
    prover = Prover(route, Judge(("content-type",), rules), lot)
    for pair in pairs or [Exchange("GET", answer(DOCUMENT), answer(DOCUMENT))]:
        prover.add(pair)
    return prover.proof()


def missed(proof: RouteProof) -> dict[str, tuple[str, ...]]:
    return {kind.kind: kind.missed[0].culprits for kind in proof.missed}


def test_without_rules_nothing_is_missed() -> None:
    proof = proven()

    assert missed(proof) == {}
    assert proof.pairs == 1
    assert sum(kind.seeded for kind in proof.kinds) > 40
    assert list(failures([proof], critical_only=False)) == []


def test_the_rule_behind_a_missed_defect_is_named() -> None:
    proof = proven(rule("$..price", Accept.ANY), rule("$..updated", Accept.TIMESTAMP))

    found = missed(proof)
    assert found["price_cent_more"] == ("any $..price",)
    assert found["currency_changed"] == ("any $..price",)
    assert found["time_hour_early"] == ("timestamp $..updated",)
    assert "id_changed" not in found
    told = list(failures([proof], critical_only=True))
    assert any("price_cent_more at $.results[*].price.amount is missed" in one for one in told)
    assert not any("time_hour_early" in one for one in told)
    assert len(list(failures([proof], critical_only=False))) > len(told)


def test_an_unordered_list_that_hides_a_ranking_is_named() -> None:
    proof = proven(rule("$.results", Accept.UNORDERED))

    assert missed(proof) == {"items_swapped": ("unordered $.results",)}


def test_a_header_that_nobody_compares_is_the_reason() -> None:
    said = answer(DOCUMENT, Vary="Accept")

    proof = proven(pairs=[Exchange("GET", said, said)])

    assert missed(proof) == {"header_missing": ("vary is not in compare.headers",)}


def test_a_kind_without_a_place_proves_nothing_and_is_told() -> None:
    proof = proven()

    kinds = {kind.kind: kind for kind in proof.kinds}
    assert {"redirect_changed", "byte_changed", "stock_one_less"} <= set(proof.nowhere)
    assert all(kinds[name].seeded == kinds[name].caught == 0 for name in proof.nowhere)


def test_a_pair_that_differs_is_proven_on_legacys_answer_alone() -> None:
    other = {**DOCUMENT, "count": 4}

    proof = proven(pairs=[Exchange("GET", answer(DOCUMENT), answer(other))])

    assert (proof.pairs, missed(proof)) == (1, {})


def test_a_pair_that_cannot_be_read_proves_nothing() -> None:
    broken = Answer(200, HEADERS, b'{"a":')

    proof = proven(pairs=[Exchange("GET", broken, broken), Exchange("GET", broken, answer([]))])

    assert proof.pairs == 1  # equal bytes are equal, whatever they are
    assert proof.unread == 1


def test_packed_bodies_are_unpacked_before_anything_is_seeded() -> None:
    packed = Answer(
        200,
        (*HEADERS, ("Content-Encoding", "gzip")),
        gzip.compress(json.dumps(DOCUMENT).encode()),
    )

    proof = proven(pairs=[Exchange("GET", packed, answer(DOCUMENT))])

    assert proof.pairs == 1
    assert {kind.kind: kind.seeded for kind in proof.kinds}["price_cent_more"] == 1


@given(st.integers(0, 1_000))
def test_the_same_lot_proves_the_same(lot: int) -> None:
    rules = (rule("$..price", Accept.ANY),)

    assert proven(*rules, lot=lot) == proven(*rules, lot=lot)


def test_a_place_is_tried_a_few_times_and_not_once_for_every_pair() -> None:
    pair = Exchange("GET", answer(DOCUMENT), answer(DOCUMENT))

    proof = proven(pairs=[pair] * 20)

    assert {kind.kind: kind.seeded for kind in proof.kinds}["price_cent_more"] == 3
    assert proof.pairs == 20
