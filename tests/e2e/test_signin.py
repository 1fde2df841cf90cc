"""Signing in and out in a real browser: wide, narrow, light, dark, with and without script."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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
    """A room that knows an operator and a viewer."""
    room = seed(tmp_path_factory.mktemp("closed"))
    for name, role in (("eva", "operator"), (VIEWER, "viewer")):
        words = ("people", "add", name, "--role", role, "--password-stdin")
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
