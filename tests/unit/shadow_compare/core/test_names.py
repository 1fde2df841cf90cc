"""Names: of epochs, of mismatches, and what people read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Accept, Side, Store
from shadow_compare.core.epoch import epoch_key, join, rules_hash, rules_in_force, stores_hash
from shadow_compare.core.evidence import Accounting, Leaf, Parity
from shadow_compare.core.fingerprint import crowd, fingerprint, sentence, shape, title
from shadow_compare.core.latency import bucket_of, middle_ms, quantile_ms
from shadow_compare.core.ledger import Kind, Line, accounting, close, from_counters, settle
from shadow_compare.core.repeat import curl_of
from shadow_compare.core.reservoir import DRAWN, FIRST, LAST, slots_for
from shadow_compare.core.words import percent, statement, surety
from tests.support.comparing import LIST, STORES, TODAY, domain, example, finding, rule


def leaf(
    pattern: str, legacy: str | None = '"a"', core: str | None = '"b"', kind: str = "value"
) -> Leaf:
    return Leaf(pattern.replace("[*]", "[3]"), pattern, kind, legacy, core)


class TestEpoch:
    """What starts the evidence anew, and what does not."""

    key = staticmethod(lambda d=None, s=STORES, day=TODAY: epoch_key(d or domain(), s, day))

    def test_rules_headers_addresses_and_releases_do(self) -> None:
        released = {**STORES, Side.CORE: replace(STORES[Side.CORE], release="2")}
        moved = {**STORES, Side.LEGACY: Store(Side.LEGACY, "http://elsewhere")}
        keys = {
            self.key(),
            self.key(domain("catalog", rule("$.a"))),
            self.key(domain("catalog", rule("$.b"))),
            self.key(domain("catalog", rule("$.a", Accept.UUID))),
            self.key(domain("catalog", rule("$.a", routes=("/products/",)))),
            self.key(domain(headers=("etag",))),
            self.key(s=released),
            self.key(s=moved),
            self.key(domain("stock")),
        }

        assert len(keys) == 9

    def test_order_owner_and_reason_do_not(self) -> None:
        one, other = rule("$.a"), rule("$.b")
        renamed = replace(one, owner="someone else", reason="a better one")

        assert self.key(domain("catalog", one, other)) == self.key(
            domain("catalog", other, renamed)
        )

    def test_a_rule_holds_on_its_last_day_and_is_gone_the_day_after(self) -> None:
        last_day = domain("catalog", rule("$.a", expires=TODAY))
        tomorrow = TODAY + timedelta(days=1)

        assert len(rules_in_force(last_day, TODAY)) == 1
        assert rules_in_force(last_day, tomorrow) == ()
        assert rules_hash(last_day, tomorrow) == rules_hash(domain(), TODAY)

    def test_the_key_can_be_made_of_its_parts(self) -> None:
        parts = rules_hash(domain(), TODAY), stores_hash(STORES)

        assert join("catalog", *parts) == self.key()


class TestFingerprint:
    """Which mismatches look the same."""

    def name(self, *leaves: Leaf, route: str = LIST, statuses: tuple[int, int] = (200, 200)) -> str:
        return fingerprint("catalog", route, leaves, statuses)

    def test_it_is_stable_from_release_to_release(self) -> None:
        assert self.name(leaf("$.price")) == "v1:c05f8adc5530ebcb"

    def test_values_indexes_and_order_do_not_matter(self) -> None:
        one = Leaf("$[1].a", "$[*].a", "value", '"x"', '"y"')
        other = Leaf("$[7].a", "$[*].a", "value", '"p"', '"q"')

        assert self.name(one, leaf("$.b")) == self.name(leaf("$.b"), other, one)

    def test_place_kind_shape_route_and_status_do(self) -> None:
        names = {
            self.name(leaf("$.a")),
            self.name(leaf("$.b")),
            self.name(leaf("$.a", kind="type")),
            self.name(leaf("$.a", core="null")),
            self.name(leaf("$.a"), leaf("$.b")),
            self.name(leaf("$.a"), route="GET /x/"),
            self.name(leaf("$.a"), statuses=(200, 404)),
        }

        assert len(names) == 7

    def test_the_crowd_is_one_group_per_route(self) -> None:
        one, other = (
            crowd("catalog", LIST, finding("v1:1")),
            crowd("catalog", LIST, finding("v1:2")),
        )

        assert one.fingerprint == other.fingerprint != crowd("c", "r", finding()).fingerprint


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "absent"),
        ("null", "null"),
        ("true", "truth value"),
        ("-7", "whole number"),
        ("1.50", "decimal number"),
        ("1E+5", "decimal number"),
        ('""', "empty text"),
        ('"1.50"', "number in text"),
        ('"2026-01-01T10:00:00.123456Z"', "time"),
        ('"2026-01-01"', "date"),
        ('"0b9de1a6-31d1-4f0e-9b7a-000000000001"', "UUID"),
        ('"http://shop/7/"', "link"),
        ('"A book"', "text"),
        ("[]", "empty list"),
        ("[1]", "list"),
        ("{}", "empty object"),
        ('{"a": 1}', "object"),
    ],
)
def test_the_shape_of_a_value_is_told_in_a_word(value: str | None, expected: str) -> None:
    assert shape(value) == expected


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (
            leaf("$.t", '"2026-01-01T10:00:00"', '"2026-02-01T10:00:00"'),
            "$.t differs (time against time)",
        ),
        (leaf("$.a", core=None, kind="missing"), "$.a is missing in the core (text)"),
        (leaf("$.a", None, "1", "added"), "$.a is only in the core (whole number)"),
        (leaf("$.a", kind="order"), "$.a holds the same in another order"),
        (leaf("status", "200", "404", "status"), "legacy answers 200, the core 404"),
        (leaf("header:etag", kind="header"), "header etag differs"),
        (leaf("body", kind="body"), "the body differs"),
        (leaf("$['{legacy}']"), "$['{legacy}'] differs (text against text)"),
    ],
)
def test_a_difference_is_told_in_a_sentence(one: Leaf, told: str) -> None:
    assert sentence(one) == told


def test_the_title_tells_the_gravest_difference_and_how_many_more() -> None:
    found = [leaf("$.b"), leaf("$.a", kind="missing", core=None), leaf("$.c[*]"), leaf("$.c[*]")]

    assert title(found) == "$.a is missing in the core (text), and 2 more places differ"
    assert title(found[:2]).endswith("and 1 more place differs")


class TestLedger:
    """Where every mirrored exchange went."""

    def test_the_proxys_counters_are_read_with_their_escapes(self) -> None:
        counters = {
            "mirrored|catalog|GET /a%7Cb/": 3,
            "dropped|catalog|GET /a%7Cb/|queue_full": 1,
            "spooled|catalog|GET /a%7Cb/": 2,
            "requests|x": 9,
            "mirrored": 1,
        }

        assert from_counters(counters) == {
            Line("catalog", "GET /a|b/", Kind.MIRRORED): 3,
            Line("catalog", "GET /a|b/", Kind.DROPPED, "queue_full"): 1,
        }

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=8))
    def test_they_balance_whatever_order_the_counters_are_seen_in(
        self, steps: list[tuple[int, int, int]]
    ) -> None:
        books: dict[Line, int] = {}
        for mirrored, dropped, compared in steps:
            counters = {f"mirrored|d|{LIST}": mirrored, f"dropped|d|{LIST}|full": dropped}
            books = settle(books, counters, {Line("d", LIST, Kind.COMPARED): compared})
            found = accounting(books.items())
            assert found.mirrored == found.compared + found.lost + found.pending
            assert found.pending >= 0

        closed = accounting(close(books, "crash").items())
        assert closed.pending == 0
        assert closed.mirrored == accounting(books.items()).mirrored


@given(st.integers(1, 10**9))
def test_a_latency_bucket_stands_for_its_times_within_five_per_cent(elapsed_us: int) -> None:
    assert middle_ms(bucket_of(elapsed_us)) * 1000 == pytest.approx(elapsed_us, rel=0.05)


@pytest.mark.parametrize(("share", "bucket"), [(0.01, 10), (0.5, 10), (0.51, 20), (1.0, 30)])
def test_a_quantile_is_the_time_that_so_many_did_not_exceed(share: float, bucket: int) -> None:
    assert quantile_ms({30: 1, 10: 2, 20: 1}, share) == middle_ms(bucket)


def test_quantiles_of_nothing_are_nothing() -> None:
    assert quantile_ms({}, 0.5) == 0
    assert bucket_of(0) == bucket_of(1) == 0


def test_a_reservoir_keeps_first_last_and_a_fair_draw() -> None:
    kept: dict[int, int] = {}
    counts = [0] * 101
    for run in range(400):
        kept = {}
        for nth in range(1, 101):
            kept.update(dict.fromkeys(slots_for(f"run-{run}", nth, nth), nth))
        assert (kept[FIRST], kept[LAST]) == (1, 100)
        assert set(kept) == set(range(LAST + 1))
        for slot in range(1, DRAWN + 1):
            counts[kept[slot]] += 1

    # 400 draws of 8 out of 99: each is expected 32 times, with a deviation of 5.5.
    assert all(5 < count < 65 for count in counts[2:])


@pytest.mark.parametrize(
    ("ppm", "told"),
    [
        (1_000_000, "100 %"),
        (999_999, "99.999 %"),
        (999_995, "99.999 %"),
        (999_100, "99.91 %"),
        (909_090, "90.9 %"),
        (5, "0 %"),
        (0, "0 %"),
    ],
)
def test_a_share_is_never_rounded_up(ppm: int, told: str) -> None:
    assert percent(ppm) == told


def test_a_bound_is_told_with_its_confidence_and_nothing_is_not_told_as_zero() -> None:
    some = Parity(None, 99, 0, 1, 0, 0, 953_400, 9_500, samples=100)

    assert surety(some) == "at least 95.34 % (95 % sure)"
    assert surety(Parity(None, 0, 0, 0, 5, 0, 0, 9_500)) == "not enough data yet"


def test_the_books_are_told_so_that_they_add_up() -> None:
    books = Accounting(1_210, 1_200, 3, {"queue_full": 2, "crash": 5})

    assert statement(books) == (
        "1,210 mirrored = 1,200 compared + 7 lost + 3 pending"
        " (lost: 5 lost with a killed proxy worker, 2 the proxy's queue was full)"
    )


def test_curl_asks_again_without_what_was_hidden() -> None:
    hidden = replace(
        example(),
        request_headers=(("Accept", "a'b"), ("Cookie", "[hmac:0123456789abcdef]")),
    )

    assert curl_of(hidden, "http://127.0.0.1:1/x/").text == (
        """curl -sS -i -H 'Accept: a'"'"'b' 'http://127.0.0.1:1/x/products/7/?q=1'"""
    )
