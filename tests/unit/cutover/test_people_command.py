"""`banyan people` and `banyan tokens`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.support.commands import Ended, run_banyan

PASSWORD = "eleven quiet herons"


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BANYAN_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


def typing(monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> Ended:
    """Run a command with text on its standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return run_banyan(*words)


def test_somebody_is_added_listed_changed_and_shut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("people", "add", "Eva", "--role", "operator", "--role", "approver", "--password-stdin")

    added = typing(monkeypatch, f"{PASSWORD}\nmore\n", *words)
    run_banyan("people", "roles", "eva", "--role", "viewer")
    run_banyan("people", "disable", "EVA")

    assert added.out == "eva may now sign in as approver and operator.\n"
    listed = json.loads(run_banyan("people", "list", "--json").out)
    assert [(one["name"], one["roles"], one["disabled"]) for one in listed] == [
        ("eva", ["viewer"], True)
    ]
    assert run_banyan("people").out.startswith("eva: viewer, disabled, since ")
    assert run_banyan("people", "enable", "eva").out == "eva may sign in again.\n"


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("brief\n", ("add", "eva", "--role", "viewer", "--password-stdin"), "is too short"),
        ("", ("add", "eva", "--role", "viewer", "--password-stdin"), "is too short"),
        (PASSWORD, ("add", "eva", "--role", "viewer"), "use --password-stdin"),
        (PASSWORD, ("add", "e va", "--role", "viewer", "--password-stdin"), "is no name"),
        (PASSWORD, ("password", "bob", "--password-stdin"), "nobody is called bob"),
        ("", ("disable", "bob"), "nobody is called bob"),
    ],
)
def test_a_refused_command_says_why_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, var: Path, text: str, words: tuple[str, ...], told: str
) -> None:
    ended = typing(monkeypatch, text, "people", *words)

    assert ended.code == 1
    assert told in ended.err
    assert PASSWORD not in ended.err + ended.out
    assert not (var / "people.json").exists()


def test_the_last_admin_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, PASSWORD, "people", "add", "eva", "--role", "admin", "--password-stdin")

    for words in (("disable", "eva"), ("roles", "eva", "--role", "viewer")):
        ended = run_banyan("people", *words)

        assert (ended.code, "eva is the last admin" in ended.err) == (1, True)


def test_an_unknown_role_is_wrong_usage() -> None:
    assert run_banyan("people", "add", "eva", "--role", "king").code == 2


def test_a_token_is_told_once_and_then_only_by_its_name(var: Path) -> None:
    made = run_banyan("tokens", "add", "grafana", "--role", "viewer", "--expires", "90d")
    token = made.out.strip()

    assert token.startswith("banyan_")
    assert token not in made.err
    assert token not in (var / "people.json").read_text()
    listed = run_banyan("tokens", "list", "--json").out
    assert (token not in listed, json.loads(listed)[0]["name"]) == (True, "grafana")
    assert run_banyan("tokens").out.startswith("grafana: viewer, until ")
    assert run_banyan("tokens", "revoke", "grafana").out == "The token grafana is void.\n"
    assert json.loads(run_banyan("tokens", "list", "--json").out) == []
    assert run_banyan("tokens", "revoke", "grafana").code == 1
    assert run_banyan("tokens", "add", "x", "--role", "viewer", "--expires", "1y").code == 1


def test_an_empty_list_says_how_to_begin() -> None:
    assert "banyan people add NAME" in run_banyan("people").out
    assert "banyan tokens add NAME" in run_banyan("tokens").out
