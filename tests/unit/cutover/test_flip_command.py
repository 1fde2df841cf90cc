"""`banyan flip` and `banyan readiness` before they reach a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.cli import main
from cutover.cli.flips import seconds
from cutover.errors import CutoverError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("3s", 3.0), ("1.5s", 1.5), ("10m", 600.0), ("1h", 3600.0)],
)
def test_times_are_written_with_their_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "3", "0s", "-1s", "3 s", "1d", "s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(CutoverError, match="is no time"):
        seconds(text)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CORE", "LEGACY"):
        monkeypatch.delenv(f"BANYAN_{name}_DATABASE", raising=False)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["flip"], "say which domain"),
        (["flip", "orders"], "say which domain"),
        (["flip", "orders", "--to", "core", "--arm"], "--arm needs --watch"),
        (["flip", "orders", "--to", "core"], "BANYAN_CORE_DATABASE is not set"),
        (["flip", "--resume"], "BANYAN_CORE_DATABASE is not set"),
        (["readiness"], "BANYAN_CORE_DATABASE is not set"),
    ],
)
def test_a_command_that_cannot_begin_says_why_in_one_line(
    args: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)

    assert ended.value.code == 1
    assert told in capsys.readouterr().err


def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BANYAN_CORE_DATABASE", f"sqlite:///{tmp_path}/core.sqlite3")
    monkeypatch.setenv("BANYAN_LEGACY_DATABASE", f"sqlite:///{tmp_path}/legacy.sqlite3")

    with pytest.raises(SystemExit):
        main(["readiness"])

    assert "there is no" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
