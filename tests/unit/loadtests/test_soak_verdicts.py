"""A soak tells errors from noise, and books that add up from those that do not."""

from __future__ import annotations

import pytest

from loadtests.soak_report import HEADER, Calm, Found, Memory, Turn, line


def turn(p99_ms: float, **errors: int) -> Turn:
    return Turn(100, 0.5, p99_ms, errors)


def found(alone: list[float], shadowed: list[float], **shadow: int) -> Found:
    counts = {"mirrored": 100, "spooled": 90, "dropped": 10} | shadow
    return Found("shadow hangs", [turn(p) for p in alone], [turn(p) for p in shadowed], 100, counts)


@pytest.mark.parametrize(
    ("alone", "shadowed", "calm"),
    [
        ([1.0, 1.0, 1.0], [1.1, 1.1, 1.1], Calm.PASS),
        ([1.0, 1.0, 1.0], [1.0, 9.0, 1.0], Calm.PASS),
        ([1.0, 1.0, 1.5], [1.2, 1.3, 1.5], Calm.NOISE),
        ([1.0, 1.0, 1.1], [1.2, 1.3, 1.5], Calm.FAIL),
    ],
)
def test_p99_is_judged_turn_by_turn_against_the_proxy_without_shadow(
    alone: list[float], shadowed: list[float], calm: Calm
) -> None:
    assert found(alone, shadowed).calm is calm


def test_a_calm_scene_has_no_problems() -> None:
    assert found([1.0], [1.0]).problems() == []


def test_captures_in_memory_are_part_of_the_books() -> None:
    scene = found([1.0], [1.0], spooled=80)
    assert len(scene.problems()) == 1

    scene.in_memory = 10

    assert scene.problems() == []


def test_an_exchange_that_was_not_mirrored_is_a_problem() -> None:
    scene = found([1.0], [1.0], mirrored=99, spooled=89)

    assert scene.problems() == ["100 exchanges, and 99 counted as mirrored"]


def test_errors_of_either_proxy_and_deaths_are_problems() -> None:
    scene = found([1.0], [1.0])
    scene.alone.append(turn(1.0, timeout=2))
    scene.shadowed.append(turn(1.0, timeout=1))
    scene.deaths = 1

    assert scene.problems() == ["3 x timeout", "1 workers died"]


@pytest.mark.parametrize(("end", "problems"), [(43_000_000, 0), (43_000_001, 1), (0, 0)])
def test_memory_that_grows_is_a_problem(end: int, problems: int) -> None:
    scene = found([1.0], [1.0])
    scene.worker = Memory(31_818_182, end)

    assert len(scene.problems()) == problems


def test_the_line_stands_under_its_header() -> None:
    scene = found([1.0], [1.0])
    scene.worker = Memory(31_000_000, 32_000_000)

    said = line(scene)

    assert len(said) == len(HEADER)
    assert "31 -> 32" in said
    assert scene.as_json()["calm"] == "pass"
