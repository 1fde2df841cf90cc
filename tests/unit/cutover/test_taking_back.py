"""The quick way into a rollback reads what the full command line reads, or leaves it alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.cli import taking_back
from cutover.cli.taking_back import Wish, read_wish
from cutover.cli.tree import build
from proxy.routing import Stage

WORDS = st.sampled_from(
    [
        "catalog",
        "--reason",
        "slow",
        "--reason=soon",
        "--to",
        "shadow",
        "--to=legacy",
        "--to=x",
        "core",
        "--json",
        "--actor",
        "-c",
        "x.yaml",
        "--config=y.yaml",
        "--help",
        "-h",
        "--",
        "-x",
    ]
)


def by_the_full_command_line(args: list[str], patch: pytest.MonkeyPatch) -> Wish | None:
    wishes: list[Wish] = []

    def take_back(wish: Wish) -> int:
        wishes.append(wish)
        return 0

    patch.setattr(taking_back, "take_back", take_back)
    with pytest.raises(SystemExit):
        build("rollback")(args=["rollback", *args], prog_name="banyan")
    return wishes[0] if wishes else None


@given(st.lists(WORDS, max_size=7))
def test_both_ways_read_the_same_wish(args: list[str]) -> None:
    quick = read_wish(args)

    with pytest.MonkeyPatch.context() as patch:
        full = by_the_full_command_line(args, patch)
    assert quick is None or quick == full


def test_the_usual_ways_to_write_it_are_read_quickly() -> None:
    plain = read_wish(["catalog", "--reason", "searches are slow"])
    full = read_wish(
        ["--reason=x", "--to", "legacy", "-c", "a.yaml", "--actor", "me", "--json", "price"]
    )

    assert plain == Wish("catalog", "searches are slow")
    assert full == Wish("price", "x", Stage.LEGACY, Path("a.yaml"), "me", as_json=True)


@pytest.mark.parametrize(
    "args",
    [[], ["catalog"], ["catalog", "--help"], ["a", "b", "--reason", "x"], ["a", "--reason"]],
)
def test_what_needs_explaining_is_left_to_the_full_command_line(args: list[str]) -> None:
    assert read_wish(args) is None
