"""What one sample is, and that each counts once."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.frame import Frame
from shadow_compare.core.anytime import anytime_bounds_ppm
from shadow_compare.core.sampling import (
    KEYS,
    SLOTS,
    Remembered,
    Sample,
    Served,
    Sighting,
    Stratum,
    add_up,
    sample_of,
    served,
    stratum_key,
)
from tests.support.comparing import LIST, frame

STRATUM = Stratum(LIST, Served.LEGACY, "2xx")


def asked(target: str = "/products/", *, shopper: str | None = "s-1", body: bytes = b"") -> Frame:
    return msgspec.structs.replace(frame(target=target, request_body=body), shopper=shopper)


def key(of: Frame) -> tuple[Stratum, int]:
    sample = sample_of(of, 200, 0)
    return sample.stratum, sample.key


def keys(frames: list[Frame]) -> int:
    return add_up(
        [Sighting(sample_of(one, 200, 0), is_unequal=False) for one in frames], {}, KEYS
    ).samples


def test_the_same_shopper_asking_the_same_thing_is_one_sample() -> None:
    again = msgspec.structs.replace(asked(), seq=2, request_id="other", at_us=5, elapsed_us=1)

    assert key(again) == key(asked())


def test_another_shopper_is_another_sample() -> None:
    assert key(asked(shopper="s-2")) != key(asked())


@pytest.mark.parametrize(
    "other", [asked("/products/?page=2"), asked(body=b"{}"), asked("/products/", shopper=None)]
)
def test_another_address_body_or_nobody_is_another_sample(other: Frame) -> None:
    assert sample_of(other, 200, 0) != sample_of(asked(), 200, 0)


def test_a_stratum_is_route_served_and_the_class_of_legacys_status() -> None:
    found = sample_of(asked(), 404, 0).stratum

    assert found == Stratum(LIST, Served.LEGACY, "4xx")


@pytest.mark.parametrize(
    ("stage", "side", "bucket", "expected"),
    [
        ("shadow", "legacy", None, Served.LEGACY),
        ("canary", "legacy", 9_999, Served.LEGACY),
        ("canary", "core", 99, Served.CORE),
        ("canary", "core", None, Served.PILOT),
        ("canary", "core", 100, Served.PILOT),
        ("core", "core", None, Served.CORE),
    ],
)
def test_whom_an_answer_was_for(
    stage: str, side: str, bucket: int | None, expected: Served
) -> None:
    one = msgspec.structs.replace(asked(), stage=stage, side=side, bucket=bucket)

    assert served(one, 100) is expected
    assert served(msgspec.structs.replace(one, shopper=None), 100) is Served.NOBODY


def test_a_flood_of_one_client_buys_no_confidence() -> None:
    repeats = [asked() for _ in range(10_000)]
    crawl = [asked(f"/products/{n}/?x={n}") for n in range(10_000)]

    assert keys(repeats) == 1
    assert keys(crawl) == SLOTS
    assert anytime_bounds_ppm(SLOTS, SLOTS, 9_500).lower_ppm < 960_000


def test_a_crawl_without_a_key_counts_apart_from_shoppers_and_its_repeats_do_not() -> None:
    crawl = [asked(f"/products/{n}/", shopper=None) for n in range(500)] * 3

    strata = {sample_of(one, 200, 0).stratum.served for one in crawl}

    assert strata == {Served.NOBODY}
    assert keys(crawl) == 500


def test_few_requests_of_a_shopper_hardly_ever_share_a_slot() -> None:
    shoppers = [
        keys([asked(f"/products/{n * 7 + s}/", shopper=f"s-{s}") for n in range(5)])
        for s in range(200)
    ]

    assert sum(shoppers) > 0.95 * 5 * 200


def test_what_else_falls_into_a_slot_neither_counts_nor_spoils_it() -> None:
    first, other = Sample(STRATUM, 5, request=1), Sample(STRATUM, 5, request=2)

    found = add_up([Sighting(first, False), Sighting(other, True)], {}, KEYS)

    assert (found.samples, found.unequal) == (1, 0)


def test_a_sample_is_unequal_from_its_first_mismatch_on() -> None:
    one = Sample(STRATUM, 5, 1)

    found = add_up([Sighting(one, wrong) for wrong in (False, True, False, True)], {}, KEYS)

    assert (found.samples, found.unequal) == (1, 1)
    assert found.changed == {5: Remembered(1, True)}


SIGHTINGS = st.lists(
    st.builds(
        Sighting,
        st.builds(Sample, st.just(STRATUM), st.integers(0, 12), st.integers(0, 2)),
        st.booleans(),
    ),
    max_size=40,
)


@given(SIGHTINGS, st.integers(0, 40), st.integers(0, 13))
def test_batches_add_up_wherever_they_are_cut_and_a_frame_that_comes_again_adds_nothing(
    seen: list[Sighting], cut: int, below: int
) -> None:
    whole = add_up(seen, {}, below)
    known = dict(add_up(seen[:cut], {}, below).changed)
    second = add_up(seen[cut:], known, below)
    first = add_up(seen[:cut], {}, below)

    assert first.samples + second.samples == whole.samples == len(whole.changed)
    assert first.unequal + second.unequal == whole.unequal
    assert known | second.changed == whole.changed
    again = add_up(seen, whole.changed, below)
    assert (again.samples, again.unequal, again.changed) == (0, 0, {})


@given(SIGHTINGS, st.integers(0, 13))
def test_whether_a_sample_counts_never_depends_on_how_its_answers_compared(
    seen: list[Sighting], below: int
) -> None:
    turned = [Sighting(sample, not is_unequal) for sample, is_unequal in seen]

    assert add_up(seen, {}, below).changed.keys() == add_up(turned, {}, below).changed.keys()


@pytest.mark.parametrize("below", [KEYS, KEYS // 2, KEYS // 16])
def test_what_lies_below_a_threshold_is_a_fair_draw(below: int) -> None:
    chance = random.Random(7)
    seen = [
        Sighting(sample_of(asked(f"/p/{n}/", shopper=f"s-{n}"), 200, 0), chance.random() < 0.2)
        for n in range(20_000)
    ]

    found = add_up(seen, {}, below)

    share = below / KEYS
    assert found.samples == pytest.approx(20_000 * share, rel=0.1)
    assert found.unequal / found.samples == pytest.approx(0.2, abs=0.04)


def test_strata_of_different_epochs_and_domains_have_numbers_of_their_own() -> None:
    numbers = {
        stratum_key(domain, epoch, STRATUM._replace(route=route))
        for domain in ("a", "ab")
        for epoch in ("c", "bc")
        for route in ("GET /x", "GET /y")
    }

    assert len(numbers) == 8
    assert all(0 <= number < KEYS for number in numbers)


def test_numbers_of_samples_are_those_that_earlier_releases_stored() -> None:
    known, nobody = sample_of(asked(), 200, 0), sample_of(asked(shopper=None), 200, 0)

    assert (known.key, known.request) == (2477483346352263389, 1264317286150222918)
    assert nobody.key == 8494067506441469809
    assert stratum_key("catalog", "e", STRATUM) == 5676036695150413269
