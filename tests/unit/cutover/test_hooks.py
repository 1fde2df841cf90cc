"""Hooks: who is told, and what a try makes of it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.hook import Hook, Outcome, Progress, after_try, pause_s, url_problem
from cutover.core.notice import trial_event
from cutover.core.notice_shapes import Shape
from cutover.storage.notices_file import NoticesFile
from tests.fakes.cutover import NOON
from tests.support.ledger_shop import Shop, opened_shop

EVENT = trial_event("h1", NOON)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield from opened_shop(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/x",
        "http://localhost:9/x",
        "http://127.0.0.1/x",
        "http://127.9.9.9/x",
        "http://[::1]:8/x",
    ],
)
def test_https_and_the_own_machine_are_told(url: str) -> None:
    assert url_problem(url) == ""


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://hooks.example/x", "--insecure"),
        ("http://127.0.0.1.example/x", "--insecure"),
        ("http://2130706433/x", "--insecure"),
        ("ftp://h/x", "https://HOST"),
        ("file:///etc/passwd", "https://HOST"),
        ("hooks.example", "https://HOST"),
        ("", "https://HOST"),
        ("https://", "https://HOST"),
        ("https://[oops/x", "no URL"),
        ("https://h:99999/x", "no URL"),
        ("https://a:b@h/x", "password"),
        ("https://h/x y", "spaces"),
        ("https://h/x\r\nHost: y", "spaces"),
        ("https://h/" + "x" * 3_000, "too long"),
    ],
)
def test_what_cannot_or_should_not_be_sent_to_is_refused_with_the_way_out(
    url: str, word: str
) -> None:
    assert word in url_problem(url)


def test_with_insecure_another_machine_is_told_in_the_open() -> None:
    assert url_problem("http://hooks.example/x", insecure=True) == ""
    assert url_problem("ftp://hooks.example/x", insecure=True) != ""


@given(st.integers(0, 10_000), st.floats(0, 0.999), st.none() | st.floats(0, 1e9))
def test_pauses_grow_to_five_minutes_and_never_beyond_what_is_asked(
    tries: int, lot: float, asked_s: float | None
) -> None:
    found = pause_s(tries, lot, asked_s)

    assert 0.5 < found <= max(300.0, min(asked_s or 0.0, 3_600.0))
    assert pause_s(tries + 1, lot) >= pause_s(tries, lot)


def test_an_event_is_tried_for_a_day_and_then_given_up() -> None:
    progress, told = Progress(7), []
    for hours in range(26):
        progress, outcome = after_try(progress, EVENT, NOON + hours * HOUR, 503, "it answered 503")
        told.append(outcome)
        if outcome is Outcome.GIVEN_UP:
            break

    assert told == [Outcome.FAILED] * 24 + [Outcome.GIVEN_UP]
    assert progress.done == (EVENT.id,)
    assert progress.waiting_since is None
    assert progress.counts == {Outcome.FAILED: 24, Outcome.GIVEN_UP: 1}


def test_what_happened_while_nobody_could_send_is_not_given_up_at_its_first_try() -> None:
    _, outcome = after_try(Progress(7), EVENT, NOON + 72 * HOUR, None, "no answer")

    assert outcome is Outcome.FAILED


def test_a_receiver_that_failed_a_day_keeps_a_young_event_waiting() -> None:
    progress = Progress(7, failing_since=NOON)
    event = replace(EVENT, at=NOON + 23 * HOUR)

    after, outcome = after_try(progress, event, NOON + 25 * HOUR, None, "no answer")

    assert outcome is Outcome.FAILED
    assert after.waiting_since == event.at


def test_a_success_ends_the_failing() -> None:
    progress, _ = after_try(Progress(7), EVENT, NOON, 500, "it answered 500")

    progress, outcome = after_try(progress, EVENT, NOON + HOUR, 204, "")

    assert outcome is Outcome.DELIVERED
    assert (progress.failing_since, progress.waiting_since, progress.tries) == (None, None, 0)


def test_the_latest_tries_are_kept_and_no_more(tmp_path: Path) -> None:
    progress = Progress(7)
    for n in range(50):
        progress, _ = after_try(progress, EVENT, NOON + timedelta(minutes=n), 500, "no")
    file = NoticesFile(tmp_path / "var" / "notices.json")

    file.write({"h1": progress})

    assert len(progress.recent) == 20
    assert file.read() == {"h1": progress}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hooks": {"h1": {}}}', "[" * 100_000, "\0"])
def test_progress_that_cannot_be_read_begins_anew(tmp_path: Path, text: str) -> None:
    file = NoticesFile(tmp_path / "notices.json")
    file.path.write_text(text)

    assert file.read() == {}


def test_a_hook_hears_only_what_it_asked_for() -> None:
    hook = Hook("h1", "https://h/x", Shape.JSON, "", 0, NOON)
    event = replace(EVENT, kind="rollback", domain="cart")

    assert hook.wants(event)
    assert replace(hook, events=("rollback",), domains=("cart", "x")).wants(event)
    assert not replace(hook, events=("undo",)).wants(event)
    assert not replace(hook, domains=("catalog",)).wants(event)
    assert not replace(hook, domains=("catalog",)).wants(replace(event, domain=None))


def test_a_hook_is_added_with_a_secret_that_is_shown_once(shop: Shop) -> None:
    shop.apply(catalog="legacy")
    url = "https://hooks.slack.com/services/T0/B0/very-secret"

    told = shop.run("hooks", "add", url, "--shape", "slack", "--event", "rollback").out
    listed = shop.run("hooks").out
    file = shop.var / "hooks.json"
    (kept,) = json.loads(file.read_text())["hooks"]

    assert f"Secret: {kept['secret']}\n" in told
    assert "is told from revision 2 on" in told
    assert "nothing was sent yet" in listed
    assert "rollback" in listed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for shown in (
        listed,
        json.dumps(shop.json("hooks", "list")),
        shop.run("hooks", "deliveries").out,
    ):
        assert kept["secret"] not in shown
        assert "very-secret" not in shown


def test_a_hook_is_removed_and_a_name_that_is_none_gets_the_names_that_are(shop: Shop) -> None:
    hook = shop.json("hooks", "add", "https://h.example/x", "--domain", "catalog")

    missed = shop.run("hooks", "remove", "h0", ends_with=1).err
    again = shop.run("hooks", "add", "https://h.example/x", ends_with=1).err
    shop.run("hooks", "remove", hook["id"])

    assert missed == f"banyan: there is no hook h0; there are: {hook['id']}\n"
    assert hook["id"] in again
    assert shop.run("hooks").out == "Nobody is told: banyan hooks add URL.\n"


def test_a_place_in_the_open_is_refused_with_the_way_out(shop: Shop) -> None:
    told = shop.run("hooks", "add", "http://h.example/x", ends_with=1).err

    assert "write https, or say --insecure" in told
    assert not (shop.var / "hooks.json").exists()


def test_hooks_that_cannot_be_read_get_one_line(shop: Shop) -> None:
    shop.var.mkdir()
    (shop.var / "hooks.json").write_text('{"hooks": [{}]}')

    told = shop.run("hooks", ends_with=1).err

    assert told.startswith("banyan: var/hooks.json is damaged; restore it from a backup")
    assert told.count("\n") == 1
