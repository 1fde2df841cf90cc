"""Signing in and out in a real browser: wide, narrow, light, dark, with and without script."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.test_acting_pages import harms
from tests.e2e.test_control_room import FLAGS, SCREENSHOTS, seed, serve
from tests.support.processes import plain_environment
from tests.support.seeded_room import FINGERPRINT

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
VIEWER = "vic." + "w" * 60
PASSWORD = "eleven quiet herons"
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A room that knows an admin, an operator, a viewer and a program."""
    room = seed(tmp_path_factory.mktemp("closed"))
    known = (("ada", "admin"), ("eva", "operator"), (VIEWER, "viewer"))
    for words in (
        *(("people", "add", name, "--role", role, "--password-stdin") for name, role in known),
        ("tokens", "add", "grafana", "--role", "viewer", "--expires", "90d"),
    ):
        subprocess.run(
            [sys.executable, "-m", "cutover", *words], input=f"{PASSWORD}\n", text=True,
            env=plain_environment(BANYAN_VAR=str(room.var)),
            check=True, capture_output=True, timeout=100,
        )  # fmt: skip
    with serve(room) as url:
        yield url


def sideways(page: Page) -> int:
    """Pixels that the page can be scrolled sideways."""
    moved: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return moved


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("width", [1440, 400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_one_is_led_to_sign_in_and_back_and_signs_out(
    browser: Browser, address: str, width: int, dark: bool
) -> None:
    look = "dark" if dark else "light"
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=not dark,
    )
    page = context.new_page()
    page.goto(f"{address}/mismatches?state=new")
    expect(page).to_have_url(f"{address}/signin?next=%2Fmismatches%3Fstate%3Dnew")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert sideways(page) == 0
    page.screenshot(path=SCREENSHOTS / f"signin-{width}-{look}.png", full_page=True)

    sign_in(page, "eva", "mistaken words")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("eva")
    assert sideways(page) == 0
    sign_in(page, "eva")

    expect(page).to_have_url(f"{address}/mismatches?state=new")
    expect(page.locator("form.signout")).to_contain_text("eva")
    page.goto(address)
    assert sideways(page) == 0
    page.screenshot(path=SCREENSHOTS / f"signed-in-{width}-{look}.png")
    kept = context.cookies()[0]
    assert (kept["name"], kept["httpOnly"], kept["sameSite"]) == ("banyan-room", True, "Lax")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{address}/signin")
    page.goto(address)
    expect(page).to_have_url(f"{address}/signin?next=%2F")
    context.close()


def test_an_operator_moves_a_group_under_their_own_name_and_a_viewer_sees_no_form(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/mismatches/{FINGERPRINT}")
    sign_in(page, VIEWER)
    expect(page.locator("form.signout")).to_contain_text(VIEWER)
    assert sideways(page) == 0
    expect(page.locator("form.act")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{address}/signin")

    page.goto(f"{address}/mismatches/{FINGERPRINT}")
    sign_in(page, "eva")
    expect(page.get_by_label("Your name")).to_have_count(0)
    page.get_by_label("Owner").fill("pricing")
    page.locator("form.act button[value=triage]").click()

    expect(page.locator("#journal-title + ol")).to_contain_text("eva")
    context.close()


@pytest.mark.parametrize(
    ("width", "dark"), [(1440, False), (1440, True), (400, False), (400, True)]
)
def test_an_admin_lets_somebody_in_switches_them_off_and_hands_out_a_token(
    browser: Browser, address: str, width: int, dark: bool
) -> None:
    look = "dark" if dark else "light"
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=not dark,
    )
    page = context.new_page()
    page.goto(address)
    sign_in(page, "ada")
    page.get_by_role("link", name="People").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("People")
    name = f"new-{width}-{look}"

    form = page.get_by_role("form", name="Add somebody")
    form.get_by_label("Name").fill(name)
    form.get_by_label("approver").check()
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"A password for {name}")
    made = page.locator("#secret").inner_text()
    assert len(made) == 24
    assert sideways(page) == 0
    page.screenshot(path=SCREENSHOTS / f"people-once-{width}-{look}.png")
    page.get_by_role("link", name="Back to people").click()

    page.locator("summary", has_text=f"Change {name}").click()
    roles = page.get_by_role("form", name=f"Roles of {name}")
    expect(roles.get_by_label("approver")).to_be_checked()
    assert sideways(page) == 0
    page.screenshot(path=SCREENSHOTS / f"people-{width}-{look}.png", full_page=True)
    page.get_by_role("form", name=f"Switch {name} off").get_by_role("button").click()
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text(
        f"{name} may no longer sign in"
    )

    issue = page.get_by_role("form", name="Make a token")
    issue.get_by_label("Program").fill("grafana")
    issue.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("alert")).to_contain_text("A token is called grafana already")
    expect(issue.get_by_label("Program")).to_have_value("grafana")
    issue.get_by_label("Program").fill(f"robot-{width}-{look}")
    issue.get_by_role("button", name="Make a token").click()
    expect(page.locator("#secret")).to_contain_text("banyan_")
    assert sideways(page) == 0
    page.get_by_role("link", name="Back to people").click()
    page.get_by_role("form", name=f"Revoke robot-{width}-{look}").get_by_role("button").click()
    expect(page.locator("main")).not_to_contain_text(f"robot-{width}-{look}")
    context.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_of_people_keeps_nobody_out(browser: Browser, address: str, dark: bool) -> None:
    context = browser.new_context(
        viewport={"width": 400, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(f"{address}/people")
    sign_in(page, "ada")
    for summary in page.locator("summary").all():
        summary.click()

    assert harms(page) == []
    assert sideways(page) == 0
    page.screenshot(
        path=SCREENSHOTS / f"people-opened-{'dark' if dark else 'light'}.png", full_page=True
    )
    context.close()
