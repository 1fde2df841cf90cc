"""The data half's pages in a real browser, over real databases of both halves.

Screenshots are kept under var/screenshots for people to look at.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect, sync_playwright

from legacy_adapters.storage.tables import flips, streams
from loadtests.ports import free_port
from tests.e2e.test_control_room import CONTRAST, FLAGS, SCREENSHOTS, Open, opening
from tests.support.processes import spawn_process, wait_for_http
from tests.support.seeded_data import FORWARD, WHOLE_FLIP, SeededData, in_thread, seed_shop
from tests.support.seeded_room import SeededRoom

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
PATHS = {
    "data": "/data",
    "data-orders": "/data/orders",
    "data-customers": "/data/customers",
    "data-flip": "/data/customers/flips/2",
    "data-flip-aborted": "/data/orders/flips/3",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def serve(var: Path) -> Iterator[str]:
    """The room as people start it. Neither a proxy nor stores are up."""
    room = SeededRoom(var)
    room.write_table()
    port = free_port()
    command = [
        sys.executable, "-m", "cutover", "room", "--listen", f"127.0.0.1:{port}",
        "--config", str(room.applied), "--database", room.database,
        "--side-door", "127.0.0.1:9", "--core", SeededData(var).core,
    ]  # fmt: skip
    log = var / "room.log"
    with spawn_process(command, log=log, env={"BANYAN_VAR": str(var)}):
        wait_for_http(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def calm_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    var = tmp_path_factory.mktemp("data")
    in_thread(lambda: seed_shop(SeededData(var)))
    return var


@pytest.fixture(scope="module")
def calm(calm_var: Path) -> Iterator[str]:
    yield from serve(calm_var)


@pytest.fixture
def open_page(browser: Browser, calm: str) -> Iterator[Open]:
    with opening(browser, calm) as opened:
        yield opened


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[str]:
    """A room whose core has no tables yet; see `tmp_path`."""
    yield from serve(tmp_path)


@pytest.fixture
def open_fresh(browser: Browser, fresh: str) -> Iterator[Open]:
    with opening(browser, fresh) as opened:
        yield opened


@pytest.mark.parametrize(("name", "path"), PATHS.items(), ids=PATHS)
@pytest.mark.parametrize("width", [1400, 400])
def test_every_page_of_the_data_fits_its_screen(
    open_page: Open, name: str, path: str, width: int
) -> None:
    page = open_page(path, width=width)
    expect(page.locator("#live")).to_have_text("Live")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png", full_page=True)


@pytest.mark.parametrize("path", PATHS.values())
def test_headings_of_the_data_descend_and_everything_has_a_name(open_page: Open, path: str) -> None:
    page = open_page(path)

    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    nameless = page.evaluate(
        "[...document.querySelectorAll('a, button, progress')]"
        ".filter(e => !e.textContent.trim() && !e.getAttribute('aria-label')).length"
    )

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(ids) == len(set(ids))
    assert nameless == 0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", PATHS.values())
def test_all_text_of_the_data_has_enough_contrast(open_page: Open, path: str, dark: bool) -> None:
    page = open_page(path, dark=dark)

    assert page.evaluate(CONTRAST) == []


def test_a_leader_comes_from_the_first_page_to_a_differing_order(open_page: Open) -> None:
    page = open_page("/")

    page.get_by_role("link", name="Data", exact=True).click()
    orders = page.get_by_role("article", name="orders")
    expect(orders).to_contain_text("Blocked by")
    orders.get_by_role("link", name="MISSING_CORE").click()

    expect(page.locator(".drifts li")).to_have_count(4)
    expect(page.locator(".drifts")).to_contain_text("order 90004")
    expect(page.locator(".drifts")).to_contain_text("[hmac:5f2b7c90aa41]")


def test_differences_are_read_page_by_page(open_page: Open) -> None:
    page = open_page("/data/orders")
    expect(page.locator(".drifts li")).to_have_count(25)

    page.get_by_role("link", name="last", exact=True).click()

    expect(page.locator(".drifts li")).to_have_count(14)
    expect(page.locator(".pages")).to_contain_text("51 to 64 of 64")


def test_the_next_command_is_copied_with_one_click(open_page: Open) -> None:
    page = open_page("/data/customers")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy").first.click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("banyan ")


def test_a_sync_that_is_installed_while_somebody_looks_appears_live(
    open_fresh: Open, tmp_path: Path
) -> None:
    page = open_fresh("/data")
    expect(page.locator("h1")).to_have_text("The sync is not installed yet.")
    expect(page.locator("#install-3")).to_have_text("banyan sync install")
    expect(page.locator("#live")).to_have_text("Live")

    in_thread(lambda: seed_shop(SeededData(tmp_path)))

    expect(page.get_by_role("article", name="customers")).to_be_visible()


def test_a_stream_that_stops_is_told_in_red_with_the_way_out(
    open_fresh: Open, tmp_path: Path
) -> None:
    data = SeededData(tmp_path)
    in_thread(lambda: seed_shop(data))
    page = open_fresh("/data")
    stream = page.get_by_role("article", name="legacy to new core")
    expect(stream).to_contain_text("184,203,991")

    stop = sa.update(streams.checkpoint).where(streams.checkpoint.c.stream == FORWARD)
    in_thread(lambda: data.change(stop.values(problem="the slot banyan was dropped")))

    expect(stream.locator(".stale-note")).to_contain_text("The slot banyan was dropped.")
    expect(stream.locator("pre")).to_have_text("banyan sync resume 'legacy>core'")


def test_a_flip_is_followed_step_by_step_while_it_goes(open_fresh: Open, tmp_path: Path) -> None:
    data = SeededData(tmp_path)
    in_thread(lambda: seed_shop(data))
    taken = sa.update(flips.domain).where(flips.domain.c.domain == "orders")
    in_thread(lambda: data.change(taken.values(phase="flipping", flip=9, holder="h")))
    in_thread(lambda: data.flip(9, "orders"))
    in_thread(lambda: data.journal(9, WHOLE_FLIP[:5]))
    page = open_fresh("/data/orders/flips/9")
    hold = page.locator(".steps li", has=page.get_by_role("heading", name="hold"))
    expect(hold).to_contain_text("At it")
    expect(page.locator(".steps li", has_text="release")).to_contain_text("To come")

    in_thread(lambda: data.journal(9, WHOLE_FLIP[5:6]))

    expect(hold).to_contain_text("Done")
    expect(hold).to_contain_text("30 ms")


def test_a_core_that_is_away_costs_the_other_pages_nothing(
    open_fresh: Open, tmp_path: Path
) -> None:
    (tmp_path / "core.sqlite3").write_bytes(b"this is no database" * 400)

    page = open_fresh("/data")

    expect(page.locator("h1")).to_have_text("Nothing is known of the data.")
    expect(page.locator(".stale-note")).to_contain_text("core's database does not answer")
    page.get_by_role("link", name="Banyan").click()
    expect(page.get_by_role("article", name="catalog")).to_be_visible()
