"""The report in a real browser: read on two screens, printed, and made by the command.

Screenshots are kept under var/screenshots for people to look at.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cutover.core.revision import RevisionKind
from tests.e2e.test_control_room import CONTRAST, FLAGS, SCREENSHOTS, opening, serve
from tests.support.pdf_text import pages_of, readings_of
from tests.support.seeded_data import SeededData, in_thread, seed_shop
from tests.support.seeded_room import DETAIL, LIST, PRICE, SeededRoom

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
EVIL = "titles look odd <script>alert(1)</script> " + "x" * 400
PAST = (
    (500, RevisionKind.INIT, "", "catalog: new, in stage legacy"),
    (450, RevisionKind.APPLY, "", "catalog: legacy -> shadow"),
    (120, RevisionKind.APPLY, "the gate passed", "catalog: shadow -> canary 5 %"),
    (118, RevisionKind.ROLLBACK, EVIL, "catalog: canary 5 % -> shadow"),
    (60, RevisionKind.APPLY, "mended", "catalog: shadow -> canary 5 %"),
    (20, RevisionKind.APPLY, "held for a day", "catalog: canary 5 % -> canary 10 %"),
)


def banyan(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as people do. No proxy and no stores are up."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BANYAN_VAR", str(var))
        patched.setenv("BANYAN_SIDE_DOOR", "127.0.0.1:9")
        return subprocess.run(
            [sys.executable, "-m", "cutover", *words],
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog that went forward, back and forward again; a shop's data beside it."""
    room = SeededRoom(tmp_path_factory.mktemp("report"))
    room.write_table()
    for hours, kind, reason, change in PAST:
        room.write_revision(kind, reason, change, hours_ago=hours)
    room.compare(LIST, 900)
    room.compare(DETAIL, 1_196, mismatched=4)
    room.compare(PRICE, 40, domain="price")
    in_thread(lambda: seed_shop(SeededData(room.var)))
    return room.var


@pytest.fixture(scope="module")
def file(var: Path) -> Path:
    done = banyan(var, "report")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().removeprefix("The report is in "))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def test_the_command_writes_where_it_says(var: Path, file: Path) -> None:
    assert file.parent == var / "reports"
    assert re.fullmatch(r"report-\d{4}-\d{2}-\d{2}\.html", file.name)
    assert file.stat().st_size < 100_000


@pytest.mark.parametrize("width", [1440, 400])
def test_the_file_fits_its_screen_and_complains_of_nothing(
    browser: Browser, file: Path, width: int
) -> None:
    with opening(browser, file.as_uri()) as opened:
        page = opened("", width=width)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.get_by_role("article", name="catalog")).to_contain_text("at least")
        expect(page.locator(".delivery")).to_contain_text("Change failure rate")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"report-{width}.png", full_page=True)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 400])
def test_all_text_of_the_report_has_enough_contrast(
    browser: Browser, file: Path, dark: bool, width: int
) -> None:
    with opening(browser, file.as_uri()) as opened:
        page = opened("", dark=dark, width=width)

        assert page.evaluate(CONTRAST) == []


def test_headings_of_the_report_descend_and_ids_are_single(browser: Browser, file: Path) -> None:
    with opening(browser, file.as_uri()) as opened:
        page = opened("")

        levels = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
        )
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        lost = page.evaluate(
            "[...document.querySelectorAll('[aria-labelledby]')]"
            ".filter(e => !document.getElementById(e.getAttribute('aria-labelledby'))).length"
        )

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(ids) == len(set(ids))
    assert lost == 0


@pytest.mark.parametrize("width", [1440, 400])
def test_the_rooms_page_fits_its_screen_too(browser: Browser, var: Path, width: int) -> None:
    with serve(SeededRoom(var)) as address, opening(browser, address) as opened:
        for path in ("/report", "/report?since=4w&domain=catalog", "/"):
            page = opened(path, width=width)

            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(CONTRAST) == []


def test_the_room_has_the_same_behind_a_link(browser: Browser, var: Path) -> None:
    with serve(SeededRoom(var)) as address, opening(browser, address) as opened:
        page: Page = opened("/")
        page.get_by_role("link", name="Report", exact=True).click()

        expect(page.get_by_role("heading", name="Delivery")).to_be_visible()
        expect(page.locator(".delivery")).to_contain_text("1 of 3 forward steps taken back")
        with page.expect_download() as download:
            page.get_by_role("link", name="Save as one file to pass on").click()
        assert download.value.suggested_filename.startswith("report-")


def test_a_pdf_has_pages_with_numbers_and_text(var: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "monday.pdf"

    done = banyan(var, "report", "--pdf", str(target))

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"The report is in {target}"
    content = target.read_bytes()
    assert content.startswith(b"%PDF")
    pages = pages_of(content)
    said = " ".join(readings_of(content))
    assert pages >= 2
    for words in ("Change failure rate", "forward steps taken back", "owned by merchandising"):
        assert words in said
    assert said.count("Banyan report, ") >= pages
    assert "ledger 6, " in said


def test_without_a_browser_one_line_says_so_and_nothing_is_written(
    var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANYAN_CHROMIUM", str(tmp_path / "none"))

    done = banyan(var, "report", "--pdf", str(tmp_path / "a.pdf"))

    assert done.returncode == 1
    assert "is no program" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "a.pdf").exists()


def test_flips_that_began_in_its_time_are_told_with_their_freeze(var: Path) -> None:
    week, hour = (json.loads(banyan(var, "report", "--since", since, "--json").stdout)
                  for since in ("7d", "1h"))  # fmt: skip

    assert "writes waited 184 ms" in [one["row"]["freeze"] for one in week["flips"]]
    assert hour["flips"] == []
    assert hour["delivery"]["total"]["failure_ppm"] is None


def test_of_one_domain_it_tells_the_whole_way(var: Path, tmp_path: Path) -> None:
    target = tmp_path / "catalog.html"

    done = banyan(var, "report", "--domain", "catalog", "--html", str(target), "--json")

    assert done.returncode == 0, done.stderr
    assert '"steps": 4' in done.stdout
    assert "catalog is in stage canary 10 %" in target.read_text()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--since", "soon"), 2, "7d, 36h, 4w"),
        (("--domain", "catalgo"), 1, "did you mean catalog?"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(
    var: Path, words: tuple[str, str], status: int, said: str
) -> None:
    done = banyan(var, "report", *words)

    assert done.returncode == status
    assert said in done.stderr
