"""The control room in a real browser, over a real evidence database and real files.

Screenshots are kept under var/screenshots for people to look at.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from cutover.core.revision import RevisionKind
from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http
from tests.support.seeded_room import DETAIL, FINGERPRINT, LIST, PRICE, ROUTING, SeededRoom

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
PATHS = ["/", "/domains/catalog", "/mismatches", f"/mismatches/{FINGERPRINT}"]
SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def seed(var: Path) -> SeededRoom:
    """A catalog in canary with a mismatch, a price domain that only begins."""
    seeded = SeededRoom(var)
    seeded.write_table()
    seeded.write_revision(RevisionKind.INIT, "", "catalog: new, in stage legacy")
    seeded.write_revision(RevisionKind.ROLLBACK, "titles look odd", "catalog: canary 5 % -> shadow")
    seeded.write_revision(RevisionKind.APPLY, "mended", "catalog: shadow -> canary 10 %")
    seeded.compare(LIST, 900)
    seeded.compare(DETAIL, 1_196, mismatched=4)
    seeded.lose(DETAIL, "shadow_timeout", 3)
    seeded.drop(LIST, "queue_full", 5, waiting=2)
    seeded.compare(PRICE, 40, domain="price")
    return seeded


@contextlib.contextmanager
def serve(room: SeededRoom) -> Iterator[str]:
    """The room as people start it. No proxy and no stores are up."""
    port = free_port()
    command = [
        sys.executable, "-m", "cutover", "room",
        "--listen", f"127.0.0.1:{port}",
        "--config", str(room.applied),
        "--database", room.database,
        "--side-door", "127.0.0.1:9",
    ]  # fmt: skip
    log = room.var / "room.log"
    with spawn_process(command, log=log, env={"BANYAN_VAR": str(room.var)}):
        wait_for_http(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    assert "Traceback" not in log.read_text()


# The room is live within about a second; a busy machine may take longer.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


Open = Callable[..., Page]


@contextlib.contextmanager
def opening(browser: Browser, address: str) -> Iterator[Open]:
    """Open pages; afterwards, nothing may have gone wrong or out of the house."""
    pages: list[Page] = []
    complaints: list[str] = []
    asked: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def opened(
        path: str = "/", *, width: int = 1280, dark: bool = False, script: bool = True
    ) -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(address)] == []


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a room that nobody changes."""
    with serve(seed(tmp_path_factory.mktemp("calm"))) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, calm: str) -> Iterator[Open]:
    """Open pages of the room that nobody changes."""
    with opening(browser, calm) as opened:
        yield opened


@pytest.fixture
def room(tmp_path: Path) -> SeededRoom:
    """A room's files for one test to change."""
    return seed(tmp_path)


@pytest.fixture
def open_live(browser: Browser, room: SeededRoom) -> Iterator[Open]:
    """Open pages of the room that this test changes."""
    with serve(room) as address, opening(browser, address) as opened:
        yield opened


def numbers(text: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


def test_a_leader_reads_where_every_domain_stands(open_page: Open) -> None:
    page = open_page()
    catalog = page.get_by_role("article", name="catalog")

    expect(page.get_by_role("heading", level=1)).to_have_text(
        re.compile(
            r"^0 of 2 domains on the new core, 1 in canary; nothing is blocking, "
            r"1 still gathers evidence, but the platform is not well \(\d parts\); "
            r"last rollback (just now|\d+ s ago|1 min ago)\.$"
        )
    )
    expect(catalog.locator("[aria-current=step]")).to_have_text("canary 10 %")
    expect(catalog).to_contain_text("owned by merchandising")
    expect(catalog.locator(".parity")).to_have_text(
        re.compile(r"^at least 98\.\d\d % equal \(95 % sure, 1,200 samples\)$")
    )
    expect(catalog.locator(".card-head .light")).to_have_text("Gate passes")
    price = page.get_by_role("article", name="price")
    expect(price.locator(".parity")).to_have_text("not enough data yet (40 of about 4,104)")
    expect(price.locator(".card-head .light")).to_have_text("Not decided yet")
    expect(price.locator(".next")).to_contain_text("needs 60 more samples")


def test_the_accounting_sentence_adds_up_on_the_page(open_page: Open) -> None:
    page = open_page()

    sentence = page.get_by_role("article", name="catalog").locator(".sum").inner_text()

    left, right = sentence.split("=")
    assert "5 dropped (queue full)" in right
    assert "3 unanswered in time" in right
    assert "2 waiting" in right
    assert sum(numbers(left)) == sum(numbers(right)) == 2_110


def test_two_clicks_lead_from_the_figure_to_the_differing_leaf(open_page: Open) -> None:
    page = open_page()

    page.get_by_role("link", name="title differs").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("title differs")
    marks = page.locator(".row.counted mark")
    expect(marks).to_have_count(2)
    expect(marks.first).to_contain_text("keeper's")
    expect(marks.last).to_contain_text("keepers")
    expect(page.locator(".lead")).to_contain_text('keepers almanac" in the core')
    expect(page.locator("table.leaves .hot")).to_have_text(["keeper's", "keepers"])
    folded = page.locator(".fold").first
    hidden = folded.get_by_text("9780141036144").first
    expect(hidden).to_be_hidden()
    folded.locator("summary").click()
    expect(hidden).to_be_visible()
    expect(page.locator("#curl-core")).to_have_text(
        "curl -sS -i -H 'host: shop.example' http://127.0.0.1:9/facade/oscar/api/products/7/"
    )


def test_a_command_is_copied_with_one_click(open_page: Open) -> None:
    page = open_page(f"/mismatches/{FINGERPRINT}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    button = page.get_by_role("button", name="Copy as curl").first
    button.click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -sS -i")


def test_a_group_is_moved_by_keyboard_and_the_list_knows_it(
    open_live: Open, room: SeededRoom
) -> None:
    page = open_live(f"/mismatches/{FINGERPRINT}")
    form = page.locator("form.act")

    form.get_by_label("Your name").fill("eva")
    page.keyboard.press("Tab")
    page.keyboard.type("merchandising")
    form.get_by_label("Reason").fill("typography")
    form.get_by_role("button", name="Triage").focus()
    page.keyboard.press("Enter")

    expect(page.locator(".badge").first).to_have_text("triaged, merchandising")
    expect(page.get_by_role("region", name="What was done")).to_contain_text(
        "new to triaged by eva"
    )
    page.get_by_role("link", name="Mismatches").first.click()
    page.get_by_role("navigation", name="State").get_by_role("link", name="triaged").click()
    expect(page.locator(".grouplist li")).to_have_count(1)
    expect(page.locator(".grouplist")).to_contain_text("triaged, merchandising")


def test_new_evidence_arrives_without_a_reload_and_disturbs_nobody(
    open_live: Open, room: SeededRoom
) -> None:
    page = open_live()
    catalog = page.get_by_role("article", name="catalog")
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate("window.neverReloaded = true")
    page.get_by_role("article", name="price").locator("summary").click()
    catalog.get_by_role("link", name="title differs").focus()
    where = "document.activeElement.getBoundingClientRect().top"
    before = page.evaluate(where)

    room.compare(DETAIL, 500)

    expect(catalog.locator(".parity")).to_contain_text("1,700 samples", timeout=20_000)
    assert page.evaluate("window.neverReloaded") is True
    assert page.evaluate("document.activeElement.textContent") == "title differs"
    assert abs(page.evaluate(where) - before) < 2
    assert (
        page.get_by_role("article", name="price").locator("details").get_attribute("open") is None
    )


def test_a_new_stage_and_a_new_domain_arrive_live(open_live: Open, room: SeededRoom) -> None:
    page = open_live()
    expect(page.locator("#live")).to_have_text("Live")

    room.write_table(
        ROUTING.replace("stage: canary\n    core_share: 10%", "stage: core")
        + "  stock:\n    owner: warehouse\n    stage: legacy\n    gates: {}\n"
        + '    routes: [{path: "/api/stock/", methods: [GET]}]\n'
    )

    stock = page.get_by_role("article", name="stock")
    expect(stock).to_be_visible(timeout=20_000)
    catalog = page.get_by_role("article", name="catalog")
    expect(catalog.locator("[aria-current=step]")).to_have_text("core")


def test_sources_that_are_away_are_named_in_place(open_page: Open) -> None:
    page = open_page()

    health = page.get_by_role("region", name="Health of the platform")
    expect(health).to_contain_text("Proxy does not answer at its side door (connection refused)")
    expect(health).to_contain_text("New core does not answer (connection refused)")
    expect(health).to_contain_text("Evidence answers")


def test_an_evidence_store_that_vanishes_leaves_greyed_figures_with_their_age(
    open_live: Open, room: SeededRoom
) -> None:
    page = open_live()
    expect(page.locator("#live")).to_have_text("Live")

    catalog = page.get_by_role("article", name="catalog")
    catalog.locator("summary").click()

    # What a half-copied file looks like to a reader.
    for suffix in ("-wal", "-shm"):
        (room.var / f"evidence.sqlite3{suffix}").unlink(missing_ok=True)
    database = room.var / "evidence.sqlite3"
    database.rename(room.var / "away")
    database.write_bytes(b"this is no database" * 400)

    expect(catalog.locator(".stale-note")).to_contain_text("figures below are from", timeout=20_000)
    expect(catalog.locator(".parity")).to_contain_text("1,200 samples")
    expect(catalog.locator(".card-head .light")).to_have_text("Unknown")
    # The note has moved all below it; what the reader had folded is still folded.
    assert catalog.locator("details").get_attribute("open") is None


def test_the_page_reads_the_same_without_script(open_page: Open) -> None:
    page = open_page(script=False)

    expect(page.get_by_role("article", name="catalog").locator(".parity")).to_contain_text(
        "1,200 samples"
    )
    expect(page.locator("#live")).to_contain_text("as of 20")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [("desktop", 1280, False), ("desktop-dark", 1280, True), ("phone", 400, False)],
)
def test_every_page_fits_its_screen(
    open_page: Open, path: str, name: str, width: int, dark: bool
) -> None:
    page = open_page(path, width=width, dark=dark)
    if "mismatches" not in path:
        expect(page.locator("#live")).to_have_text("Live")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    subjects = ("overview", "domain", "mismatches", "mismatch")
    subject = dict(zip(PATHS, subjects, strict=True))[path]
    page.screenshot(path=SCREENSHOTS / f"{subject}-{name}.png", full_page=True)


@pytest.mark.parametrize("path", PATHS)
def test_headings_descend_in_order_and_everything_has_a_name(open_page: Open, path: str) -> None:
    page = open_page(path)

    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    nameless = page.evaluate(
        """[...document.querySelectorAll('a, button, summary, progress, [role=region]')]
        .filter(e => !e.textContent.trim() && !e.getAttribute('aria-label')).length"""
    )
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert nameless == 0
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_all_text_has_enough_contrast(open_page: Open, path: str, dark: bool) -> None:
    page = open_page(path, dark=dark)

    weak = page.evaluate(CONTRAST)

    assert weak == []


# WCAG 2: 4.5 to 1, or 3 to 1 for large letters. Half-transparent paper is mixed with what
# lies below it.
CONTRAST = """() => {
  const rgba = (c) => {
    const n = c.match(/[\\d.]+/g).map(Number);
    if (c.startsWith('color(srgb')) return [n[0]*255, n[1]*255, n[2]*255, n[3] ?? 1];
    return [n[0], n[1], n[2], n[3] ?? 1];
  };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const paper = (e) => {
    const stack = [];
    for (; e; e = e.parentElement) stack.push(rgba(getComputedStyle(e).backgroundColor));
    return stack.reverse().reduce((below, c) => over(c, below), [255, 255, 255, 1]);
  };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3)
      .map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const weak = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('.vh, .skip')) continue;
    const style = getComputedStyle(e);
    const ink = rgba(e.closest('svg') ? style.fill : style.color), under = paper(e);
    const [hi, lo] = [light(over(ink, under)), light(under)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    const ratio = (hi + .05) / (lo + .05);
    if (ratio < (large ? 3 : 4.5)) weak.push([walk.currentNode.data.trim(), ratio.toFixed(2)]);
  }
  return weak;
}"""
