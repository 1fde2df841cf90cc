"""The pages by which people act, and proofs that hold for every page, in a real browser.

Screenshots are kept under var/screenshots for people to look at.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cutover.core.revision import RevisionKind
from loadtests.ports import free_port
from tests.e2e.test_control_room import FLAGS, SCREENSHOTS, Open, opening
from tests.support.processes import spawn_process, wait_for_http
from tests.support.seeded_data import SeededData, in_thread, seed_shop
from tests.support.seeded_room import DETAIL, FINGERPRINT, LIST, ROUTING, SeededRoom

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
TABLE = ROUTING.replace(
    "    core_share: 10%\n",
    "    core_share: 10%\n"
    "    rollback: {errors: 0.5%, slow: 2%, requests: 100, window: 2m}\n"
    "    ramp: {steps: [1%, 10%, 25%, 100%], soak: 30m, requests: 100}\n",
).replace("samples: 1000}", "samples: 1000}, approvals: {count: 2}")
SHADOW = TABLE.replace("stage: canary\n    core_share: 10%", "stage: shadow")
FIRST = TABLE.replace("core_share: 10%", "core_share: 1%")
#: How long ago, hours; how; why; what changed; the table.
PAST = (
    (200, RevisionKind.INIT, "", "catalog: new, in stage legacy",
     SHADOW.replace("stage: shadow", "stage: legacy", 1)),
    (150, RevisionKind.APPLY, "begin", "catalog: legacy -> shadow", SHADOW),
    (30, RevisionKind.APPLY, "first", "catalog: shadow -> canary 1 %", FIRST),
    (29, RevisionKind.ROLLBACK, "titles look odd", "catalog: canary 1 % -> shadow", SHADOW),
    (20, RevisionKind.APPLY, "mended", "catalog: shadow -> canary 1 %", FIRST),
    (3, RevisionKind.APPLY, "its ramp", "catalog: canary 1 % -> canary 10 %", TABLE),
)  # fmt: skip
PAGES = {
    "portfolio": "/",
    "domain": "/domains/catalog",
    "cutover": "/cutover/catalog",
    "step": "/cutover/catalog/step?to=canary-2500",
    "step-refused": "/cutover/catalog/step?to=core",
    "mismatches": "/mismatches",
    "mismatch": f"/mismatches/{FINGERPRINT}",
    "ledger": "/ledger",
    "entry": "/ledger/6",
    "done": "/ledger/6/done",
    "undo": "/ledger/6/undo",
    "data": "/data",
    "data-domain": "/data/orders",
    "flip": "/data/customers/flips/2",
    "report": "/report",
    "people": "/people",
}
SEEN_LATELY = {
    "at": "catalog", "move": "stay", "because": "it has 30m to soak", "next_share": 0.25,
    "waits_s": 1_240, "verdict": "pass",
    "findings": ["3 of the core's 5,210 answers in the last 2m were errors"],
    "inputs": {"core_answers": 5_210, "core_errors": 3, "legacy_answers": 48_000,
               "legacy_errors": 24, "slow_us": 250_000, "core_slow": 31, "legacy_slow": 480},
    "done": "", "problem": "",
}  # fmt: skip


def seed(var: Path) -> SeededRoom:
    """A catalog in its ramp, that was taken back once; enough evidence for its next share."""
    seeded = SeededRoom(var)
    seeded.write_table(TABLE)
    for hours, kind, why, change, text in PAST:
        seeded.write_revision(kind, why, change, hours_ago=hours, text=text)
    seeded.compare(LIST, 900)
    seeded.compare(DETAIL, 1_196, mismatched=4)
    seeded.lose(DETAIL, "shadow_timeout", 3)
    looked = {"at": "2099-01-01T00:00:00+00:00", "domains": {"catalog": SEEN_LATELY}, "known": {}}
    (var / "course.json").write_text(json.dumps(looked))
    return seeded


@contextlib.contextmanager
def serve(room: SeededRoom, *more: str) -> Iterator[str]:
    """The room as people start it. No proxy and no stores are up."""
    port = free_port()
    command = [
        sys.executable, "-m", "cutover", "room", "--listen", f"127.0.0.1:{port}", "--no-steer",
        "--config", str(room.applied), "--database", room.database,
        "--side-door", "127.0.0.1:9", *more,
    ]  # fmt: skip
    log = room.var / "room.log"
    with spawn_process(command, log=log, env={"BANYAN_VAR": str(room.var)}):
        wait_for_http(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a room that nobody changes, with both halves."""
    var = tmp_path_factory.mktemp("calm")
    in_thread(lambda: seed_shop(SeededData(var)))
    with serve(seed(var), "--core", SeededData(var).core) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, calm: str) -> Iterator[Open]:
    with opening(browser, calm) as opened:
        yield opened


@pytest.fixture
def room(tmp_path: Path) -> SeededRoom:
    return seed(tmp_path)


@pytest.fixture
def open_live(browser: Browser, room: SeededRoom) -> Iterator[Open]:
    """Open pages of the room that this test changes."""
    with serve(room) as address, opening(browser, address) as opened:
        yield opened


def harms(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("name", "path"), PAGES.items(), ids=PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (400, True)])
def test_every_page_fits_its_screen_and_keeps_nobody_out(
    open_page: Open, name: str, path: str, width: int, dark: bool
) -> None:
    page = open_page(path, width=width, dark=dark)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert harms(page) == []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"acting-{name}-{width}.png", full_page=True)


def test_the_proof_sees_a_field_without_a_name(open_page: Open) -> None:
    page = open_page("/cutover/catalog")
    page.evaluate("document.querySelector('input[name=reason]').closest('label').replaceWith("
                  "document.querySelector('input[name=reason]'))")  # fmt: skip

    assert any(one.startswith("label") for one in harms(page))


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_every_page_says_what_it_has_to_without_script(open_page: Open, path: str) -> None:
    page = open_page(path, script=False)

    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("h1")).not_to_be_empty()
    # What only a script can do is not there to be pressed.
    for button in page.get_by_role("button").all():
        assert button.evaluate("b => !!b.form || !!b.closest('summary')")


@pytest.mark.parametrize("width", [1440, 400])
def test_a_domain_is_taken_back_with_the_keyboard_alone_and_without_script(
    open_live: Open, room: SeededRoom, width: int
) -> None:
    page = open_live("/cutover/catalog", width=width, script=False)

    page.get_by_label("Your name").focus()
    page.keyboard.type("eva")
    page.keyboard.press("Tab")
    page.keyboard.type("titles look odd")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Take catalog back")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Done: catalog: canary 10 % -> shadow"
    )
    expect(page.locator("main")).to_contain_text("legacy answers every shopper")
    expect(page.locator("main")).to_contain_text(re.compile(r"In force after\s*\d"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "stage: shadow" in room.applied.read_text()
    page.get_by_role("link", name="revision 7").click()
    expect(page.locator(".diff .cut").first).to_contain_text("stage: canary")


@pytest.mark.parametrize("path", ["/", "/domains/catalog", "/cutover/catalog"])
def test_a_domain_of_which_reads_alone_have_moved_fits_a_phone(
    open_live: Open, room: SeededRoom, path: str
) -> None:
    room.write_table(TABLE.replace("core_share: 10%", "core_share: 12.5%\n    writes_to: legacy"))

    page = open_live(path, width=400)

    expect(page.locator(".track").first).to_contain_text("canary 12.5 % (reads)")
    expect(page.locator("main")).to_contain_text("Writes go to legacy.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_button_asks_for_a_reason_and_is_never_disabled(
    open_live: Open, room: SeededRoom
) -> None:
    page = open_live("/cutover/catalog")
    button = page.get_by_role("button", name="Take catalog back")

    page.get_by_label("Your name").fill("eva")
    expect(button).to_be_enabled()
    button.click()

    expect(page.get_by_label("Why")).to_be_focused()
    assert room.applied.read_text() == TABLE


def test_the_cutover_page_follows_and_keeps_what_somebody_writes(
    open_live: Open, room: SeededRoom
) -> None:
    page = open_live("/cutover/catalog")
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_label("Why").fill("half a rea")

    change = "catalog: canary 10 % -> shadow"
    room.write_revision(RevisionKind.ROLLBACK, "by itself", change, text=SHADOW)
    room.write_table(SHADOW)

    expect(page.locator("#way [aria-current=step]")).to_contain_text("shadow", timeout=30_000)
    expect(page.locator("#back")).to_contain_text("It goes back to legacy")
    expect(page.get_by_label("Why")).to_have_value("half a rea")


def test_a_step_is_looked_at_and_taken_by_button(open_live: Open, room: SeededRoom) -> None:
    page = open_live("/domains/catalog")
    page.get_by_label("Next step").select_option("canary 25 %")
    page.get_by_role("button", name="Look at the step").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Take catalog to canary 25 %")
    expect(page.locator(".gates .light")).to_have_text(["pass", "pass"])
    expect(page.locator(".gates")).to_contain_text("coverage of catalog")

    page.get_by_label("Your name").fill("eva")
    page.get_by_label("Why").fill("parity shown")
    page.get_by_role("button", name="Take catalog to canary 25 %").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("canary 10 % -> canary 25 %")
    assert "core_share: 25%" in room.applied.read_text()


def test_a_yes_is_given_taken_back_and_counted_without_script(open_live: Open) -> None:
    page = open_live("/domains/catalog", script=False)
    said = page.get_by_role("region", name="Who said yes")
    form = page.get_by_role("form", name="Approve")
    expect(said).to_contain_text("2 more people must say yes")

    form.get_by_label("Your name").fill("eva")
    form.get_by_label("Why").fill("looks good")
    form.get_by_role("button", name="Say yes").click()
    expect(said).to_contain_text("1 more person must say yes")
    form.get_by_label("Your name").fill("eva")
    form.get_by_label("Why").fill("not yet")
    form.get_by_role("button", name="Take my yes back").click()

    expect(said).to_contain_text("2 more people must say yes")


def test_an_entry_of_the_ledger_is_taken_back_by_button(open_live: Open, room: SeededRoom) -> None:
    page = open_live("/ledger")
    page.get_by_role("link", name="6", exact=True).click()
    page.get_by_role("link", name="Look at taking it back").click()

    page.get_by_label("Your name").fill("eva")
    page.get_by_label("Why").fill("too early")
    page.get_by_role("button", name="Take back revision 6").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("canary 10 % -> canary 1 %")
    assert "core_share: 1%" in room.applied.read_text()


def test_the_ledger_is_narrowed_to_a_domain_by_button(open_page: Open) -> None:
    page = open_page("/ledger", script=False)

    page.get_by_label("Domain").select_option("price")
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger of price")
    expect(page.locator("main")).to_contain_text("No entry.")
