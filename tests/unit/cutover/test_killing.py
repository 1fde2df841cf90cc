"""`banyan kill` writes the file whatever else is down, and asks before it releases."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.cli import killing, switches
from cutover.cli.killing import DoorAnswer, KillWish, do_kill, read_kill_wish
from cutover.cli.tree import build
from cutover.errors import CutoverError
from proxy.storage.kill_file import read_kill

TABLE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["header:Session-Id"]
domains:
  cart: {owner: shop, stage: core, routes: [{path: "/cart", methods: [GET]}]}
"""
WORDS = st.sampled_from(
    ["cart", "price", "--shadow", "--release", "--yes", "-y", "--json", "--help", "-x", "--"]
)


class Door:
    """Answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer = DoorAnswer(0, {"detail": "nobody there"})
        self.asked: list[tuple[str, str, object]] = []

    def ask(self, _url: str, method: str, path: str, body: object) -> DoorAnswer:
        self.asked.append((method, path, body))
        return self.answer


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setenv("BANYAN_VAR", str(tmp_path))
    monkeypatch.delenv("BANYAN_PROXY_KILL_FILE", raising=False)
    (tmp_path / "applied.yaml").write_text(TABLE)
    made = Door()
    monkeypatch.setattr(killing, "ask_door", made.ask)
    return made


@given(st.lists(WORDS, max_size=5))
def test_both_ways_read_the_same_wish(args: list[str]) -> None:
    wishes: list[KillWish] = []

    def take(wish: KillWish) -> int:
        wishes.append(wish)
        return 0

    quick = read_kill_wish(args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switches, "do_kill", take)
        with pytest.raises(SystemExit):
            build("kill")(args=["kill", *args], prog_name="banyan")

    assert quick is None or wishes == [quick]


def test_everything_is_killed_with_the_proxy_away(
    door: Door, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert do_kill(KillWish()) == 0

    assert (tmp_path / "kill").read_text() == "all\n"
    assert "does not answer" in capsys.readouterr().out
    assert door.asked == [("POST", "/kill", {"scope": "all"})]


def test_a_misspelt_domain_is_refused_and_a_broken_table_is_no_obstacle(
    door: Door, tmp_path: Path
) -> None:
    with pytest.raises(CutoverError, match="there are: cart"):
        do_kill(KillWish("carts"))
    assert not (tmp_path / "kill").exists()

    (tmp_path / "applied.yaml").write_text("in ruins")
    with pytest.raises(CutoverError, match="is no"):
        do_kill(KillWish("a\nb"))
    assert do_kill(KillWish("carts", shadow=True)) == 0
    assert read_kill(tmp_path / "kill").kill.scopes == ("shadow:carts",)


def test_a_release_asks_first(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    do_kill(KillWish())
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal: nobody was asked

    with pytest.raises(CutoverError, match="--yes"):
        do_kill(KillWish(release=True))
    assert (tmp_path / "kill").exists()
    assert do_kill(KillWish(release=True, yes=True)) == 0
    assert not (tmp_path / "kill").exists()
    assert door.asked[-1] == ("DELETE", "/kill", None)


def test_one_domain_is_released_and_the_rest_stays_killed(door: Door, tmp_path: Path) -> None:
    do_kill(KillWish("cart"))
    do_kill(KillWish(shadow=True))
    do_kill(KillWish("cart", release=True, yes=True))

    assert read_kill(tmp_path / "kill").kill.scopes == ("shadow",)


def test_a_worker_that_does_not_confirm_is_exit_code_4(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    door.answer = DoorAnswer(504, {"workers": {"1": ["all"]}, "silent": [2]})

    assert do_kill(KillWish()) == 4
    assert "[2] did not confirm" in capsys.readouterr().out


def test_without_a_file_the_side_door_is_enough_and_without_both_it_fails(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BANYAN_PROXY_KILL_FILE", str(tmp_path / "applied.yaml" / "kill"))

    with pytest.raises(CutoverError, match=r"cannot be written.*nobody there"):
        do_kill(KillWish())
    door.answer = DoorAnswer(200, {"workers": {"1": ["all"]}, "silent": [], "kept": False})
    assert do_kill(KillWish(as_json=True)) == 0
    assert json.loads(capsys.readouterr().out)["kept"] is False
