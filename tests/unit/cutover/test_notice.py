"""What others are told of a revision, and in which words and headers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from cutover.core.notice import Event, EventKind, events_of, plain, trial_event
from cutover.core.notice_shapes import Shape, body_of, headers_of, is_secret, make_secret
from cutover.core.revision import GENESIS, Entry, Evidence, Revision, RevisionKind, seal
from tests.fakes.cutover import NOON

SECRET = make_secret(bytes(range(32)))


def revision(
    *changes: str,
    kind: RevisionKind = RevisionKind.APPLY,
    reason: str = "why not",
    actor: str = "ann",
    evidence: tuple[Evidence, ...] = (),
    n: int = 7,
) -> Revision:
    return seal(n, Entry(NOON, actor, kind, reason, changes, evidence, "x"), GENESIS)


def one(*changes: str, **more: object) -> Event:
    (event,) = events_of(revision(*changes, **more))  # type: ignore[arg-type]
    return event


@pytest.mark.parametrize(
    ("line", "more", "kind", "sentence"),
    [
        (
            "catalog: shadow -> canary 10 %",
            {},
            "stage.changed",
            "catalog went from shadow to canary 10 %.",
        ),
        ("catalog: new, in stage legacy", {}, "stage.changed", "catalog is new, in legacy."),
        (
            "catalog: removed from stage shadow; its requests go to legacy, unmatched",
            {},
            "stage.changed",
            "catalog was removed from shadow; its requests go to legacy.",
        ),
        (
            "catalog: canary 10 % -> shadow",
            {"kind": RevisionKind.ROLLBACK},
            "rollback",
            "catalog was rolled back from canary 10 % to shadow.",
        ),
        (
            "catalog: canary 10 % -> shadow",
            {"reason": "undo of revision 6: slow"},
            "undo",
            "catalog went from canary 10 % to shadow by an undo.",
        ),
        (
            "catalog: shadow -> core, by a flip",
            {},
            "flip",
            "catalog went from shadow to core by a flip.",
        ),
        (
            "catalog: stays in stage shadow",
            {},
            "rules.changed",
            "catalog stays in shadow, its rules changed.",
        ),
        (
            "store core: http://a -> http://b",
            {},
            "table.changed",
            "The table changed: store core: http://a -> http://b.",
        ),
    ],
)
def test_each_thing_that_a_revision_tells_is_an_event(
    line: str, more: dict[str, object], kind: str, sentence: str
) -> None:
    event = one(line, **more)

    assert (event.kind, event.sentence) == (kind, sentence)
    assert (event.n, event.actor, event.at) == (7, "ann", NOON)


def test_details_of_a_domain_belong_to_its_event_and_are_none_of_their_own() -> None:
    event = one("catalog: stays in stage shadow", "catalog: gate parity: 99 % -> 98 %")

    assert event.sentence == (
        "catalog stays in shadow, its rules changed: gate parity: 99 % -> 98 %."
    )


def test_a_revision_that_moves_two_domains_tells_two_things_with_ids_of_their_own() -> None:
    found = events_of(revision("a: legacy -> shadow", "a: more", "b: shadow -> legacy", "odd"))

    assert [(event.domain, event.kind) for event in found] == [
        ("a", "stage.changed"),
        ("b", "stage.changed"),
        (None, "table.changed"),
    ]
    assert len({event.id for event in found}) == 3


def test_an_id_is_the_same_each_time_and_another_for_a_number_that_is_given_again() -> None:
    first, again = one("a: legacy -> shadow"), one("a: legacy -> shadow")
    other = one("a: legacy -> shadow", reason="another apply that took the number")

    assert first.id == again.id
    assert first.id != other.id
    assert first.id.startswith("7-")
    assert "." not in first.id  # the signature's own mark


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [("given", EventKind.APPROVAL_GIVEN), ("withdrawn", EventKind.APPROVAL_WITHDRAWN)],
)
def test_a_yes_is_told_with_the_stage_that_it_is_for(verdict: str, kind: EventKind) -> None:
    said = Evidence(
        "cart", verdict, ("ann approves of shadow -> canary", "canary"), gate="approval"
    )

    event = one("cart: ann approves", kind=RevisionKind.APPROVAL, evidence=(said,))

    assert (event.kind, event.domain, event.after) == (kind, "cart", "canary")
    assert event.sentence == "cart: ann approves of shadow -> canary."


def test_a_first_table_is_one_event_however_many_domains_it_has() -> None:
    lines = [f"d{n}: new, in stage legacy" for n in range(300)]

    event = one(*lines, kind=RevisionKind.INIT)

    assert (event.kind, event.domain) == ("init", None)
    assert event.sentence == "A first table came into force, with 300 domains."


def test_a_link_leads_to_the_domains_page_where_somebody_said_where_the_room_is() -> None:
    (event,) = events_of(revision("cart: legacy -> shadow"), "https://room.example/")

    assert event.link == "https://room.example/domains/cart"
    assert one("cart: legacy -> shadow").link == ""


@given(st.text())
def test_a_persons_text_is_one_bounded_line(text: str) -> None:
    line = plain(text)

    assert len(line) <= 500
    assert not any(ord(one) < 32 or 0x202A <= ord(one) <= 0x202E for one in line)


@given(st.text(), st.text(max_size=40))
def test_every_body_verifies_with_the_standards_own_library(reason: str, actor: str) -> None:
    event = replace(one("cart: legacy -> shadow"), reason=reason.encode(errors="ignore").decode())
    event = replace(event, actor=actor.encode(errors="ignore").decode())
    for shape in Shape:
        body = body_of(event, shape)
        # The library checks the time against its own clock.
        headers = headers_of(event, SECRET, datetime.now(UTC), body)  # noqa: TID251 - as it does

        told = Webhook(SECRET).verify(body, dict(headers))

        assert told == json.loads(body)


def test_a_body_says_all_that_a_program_needs() -> None:
    event = one("cart: legacy -> shadow")

    told = json.loads(body_of(event, Shape.JSON))

    assert told["type"] == "stage.changed"
    assert told["timestamp"] == "2027-03-01T12:00:00.000+00:00"
    assert told["data"] == {
        "id": event.id,
        "revision": 7,
        "domain": "cart",
        "before": "legacy",
        "after": "shadow",
        "sentence": "cart went from legacy to shadow.",
        "actor": "ann",
        "reason": "why not",
        "link": "",
    }


@pytest.mark.parametrize(
    "reason",
    [
        "<!channel> look",
        "<@U123>",
        "@here look",
        "@Channel",
        "hi @everyone",
        "<http://x|y>",
        "a & b",
    ],
)
def test_a_reason_calls_nobody_and_links_nowhere_in_slack(reason: str) -> None:
    body = body_of(one("cart: legacy -> shadow", reason=reason, actor=reason), Shape.SLACK)

    text = body.decode().lower()
    assert "<" not in text
    assert not any(call in text for call in ("@here", "@channel", "@everyone"))


@given(st.text(alphabet="<>&@here \n*", min_size=0, max_size=3_000))
def test_a_slack_text_keeps_to_what_slack_takes(reason: str) -> None:
    event = one("cart: legacy -> shadow", reason=reason, actor=reason)

    for block in json.loads(body_of(event, Shape.SLACK))["blocks"]:
        for text in (block.get("text"), *block.get("elements", ())):
            assert text is None or len(text["text"]) <= 3_000


def test_two_tries_of_an_event_have_one_id_and_two_signatures() -> None:
    event = trial_event("h1", NOON)
    body = body_of(event, Shape.JSON)
    tries = [headers_of(event, SECRET, NOON + timedelta(seconds=s), body) for s in (0, 1)]

    for first, second in pairwise(tries):
        assert first["webhook-id"] == second["webhook-id"]
        assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!", "x" * 50, "whsec_YWJj", "whsec_é"])
def test_what_cannot_sign_is_no_secret(text: str) -> None:
    assert is_secret(SECRET)
    assert not is_secret(text)


def test_half_a_pair_of_letters_is_sent_as_a_mark() -> None:
    assert plain("a\ud800b") == "a?b"


@pytest.mark.timeout(30)
def test_a_reason_of_megabytes_and_thousands_of_domains_take_no_time() -> None:
    lines = [f"d{n}: stays in stage shadow" for n in range(2_000)]

    found = events_of(revision(*lines, *(f"d{n}: more" for n in range(2_000)), reason="x" * 10**7))

    assert len(found) == 2_000
    assert len(found[0].reason) == 500
