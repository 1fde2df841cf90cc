"""Printing: which program does it, and what is said when it does not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cutover.edge.printing import NoPrinter, NotPrinted, find_printer, print_pdf

PDF = "%PDF-1.4 as small as can be"


def a_program(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def a_printer(folder: Path) -> Path:
    """Writes where --print-to-pdf says, as Chromium does, and notes how it was called."""
    return a_program(
        folder / "printer",
        f'echo "$@" > {folder}/called',
        'for word in "$@"; do case $word in --print-to-pdf=*)',
        f'printf "%s" "{PDF.replace("%", "%%")}" | sed "s/%%/%/" > "${{word#*=}}";; esac; done',
    )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>page</title>")
    return page


def test_the_program_that_is_named_is_taken(tmp_path: Path) -> None:
    program = a_program(tmp_path / "mine")

    assert find_printer({"BANYAN_CHROMIUM": str(program)}) == program


def test_a_name_that_is_no_program_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NoPrinter, match=r"BANYAN_CHROMIUM=.* is no program.*--html works"):
        find_printer({"BANYAN_CHROMIUM": str(tmp_path / "none")})


def test_without_any_browser_one_line_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoPrinter, match=r"apt-get install chromium") as caught:
        find_printer({})

    assert "\n" not in str(caught.value)


def test_a_page_is_printed_with_a_profile_that_is_gone_afterwards(
    tmp_path: Path, page: Path
) -> None:
    target = tmp_path / "out.pdf"

    print_pdf(a_printer(tmp_path), page, target)

    called = (tmp_path / "called").read_text()
    profile = next(word for word in called.split() if word.startswith("--user-data-dir="))
    assert target.read_text() == PDF
    assert called.split()[-1] == page.as_uri()
    assert not Path(profile.partition("=")[2]).parent.exists()
    assert ("--no-sandbox" in called) == (os.geteuid() == 0)


def test_a_printer_that_makes_nothing_is_quoted_and_leaves_no_file(
    tmp_path: Path, page: Path
) -> None:
    silent = a_program(tmp_path / "silent", "echo 'no display' >&2", "exit 3")

    with pytest.raises(NotPrinted, match="printed nothing: no display"):
        print_pdf(silent, page, tmp_path / "out.pdf")

    assert not (tmp_path / "out.pdf").exists()


def test_what_was_there_stays_when_nothing_is_printed(tmp_path: Path, page: Path) -> None:
    target = tmp_path / "out.pdf"
    target.write_text("last week's")

    with pytest.raises(NotPrinted):
        print_pdf(a_program(tmp_path / "silent", "exit 0"), page, target)

    assert target.read_text() == "last week's"


def test_a_printer_that_hangs_is_ended_with_its_children(tmp_path: Path, page: Path) -> None:
    hanging = a_program(tmp_path / "hanging", f"sleep 60 & echo $! > {tmp_path}/child", "wait")

    with pytest.raises(NotPrinted, match="not done within 1 s"):
        print_pdf(hanging, page, tmp_path / "out.pdf", deadline_s=1)

    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    until = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.01)
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path, page: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("no program")
    broken.chmod(0o755)

    with pytest.raises(NotPrinted, match="cannot be started"):
        print_pdf(broken, page, tmp_path / "out.pdf")
