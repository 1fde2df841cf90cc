"""Acting from pages: the way back, a yes, a step, and taking a revision back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from typing_extensions import override

from cutover.api.readings import CourseLine
from cutover.core.access import Role
from cutover.core.revision import RevisionKind, from_json
from cutover.storage.ledger import RevisionFiles
from tests.fakes.cutover import NOON
from tests.support.acting_room import ActingRoom, hidden_of, somebody, words
from tests.support.asgi import send_to
from tests.support.ledger_shop import table

BACK = "/cutover/catalog/back"
LEGACY, SHADOW, CANARY, WIDER = (
    table(catalog=at) for at in ("legacy", "shadow", "canary 10%", "canary 25%")
)
ASKS_TWO = CANARY.replace("samples: 300}", "samples: 300}, approvals: {count: 1}")


async def room_at(
    var: Path, *tables: str, who: Role | None = None, reads_only: bool = False
) -> ActingRoom:
    room = ActingRoom(var, None if who is None else somebody(who), reads_only=reads_only)
    for text in tables:
        await room.put(text)
    return room


def entry(room: ActingRoom, n: int) -> object:
    return from_json((room.var / "revisions" / f"{n:06}.json").read_bytes()).entry


async def test_the_button_takes_a_domain_back_and_the_page_after_it_says_all(
    tmp_path: Path,
) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)

    done = await room.send("/cutover/catalog", BACK, by="eva", reason="titles look odd")
    page = words((await room.get(done.headers["location"])).text)

    assert (done.status, done.headers["location"]) == (303, "/ledger/4/done")
    assert room.stage == "shadow"
    assert "Done: catalog: canary 10 % -> shadow" in page
    assert "Rollback by eva" in page
    assert "titles look odd" in page
    assert "catalog: legacy answers every shopper; the new core is only compared." in page
    assert re.search(r"In force after \d+(\.\d)? ms", page)
    assert "No proxy answers" in page


async def test_of_two_who_press_at_once_the_second_goes_no_further_back(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)
    hidden = hidden_of((await room.get("/cutover/catalog")).text, BACK)

    await room.send("/cutover/catalog", BACK, by="eva", reason="odd")
    second = await room.send("/cutover/catalog", BACK, by="ben", reason="odd", **hidden)

    assert (second.status, room.stage) == (200, "shadow")
    assert "stands at shadow already; nothing had to be done" in words(second.text)


async def test_the_button_is_there_also_where_a_domain_is_as_far_back_as_it_goes(
    tmp_path: Path,
) -> None:
    room = await room_at(tmp_path, LEGACY)

    html = (await room.get("/cutover/catalog")).text

    assert '<button class="large">' in html
    assert "as far back as it goes" in words(html)


@pytest.mark.parametrize("missing", ["by", "reason"])
async def test_a_rollback_names_who_and_why_and_keeps_what_was_written(
    tmp_path: Path, missing: str
) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)
    fields = {"by": "eva <", "reason": "odd"} | {missing: " "}

    answer = await room.send("/cutover/catalog", BACK, **fields)

    assert (answer.status, room.stage) == (422, "canary")
    assert "Nothing was changed: Say" in words(answer.text)
    assert 'value="eva &lt;"' in answer.text or 'value="odd"' in answer.text


async def test_a_rollback_from_another_page_changes_nothing(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)

    strange = await room.send(
        "/cutover/catalog", BACK, {"origin": "http://evil"}, by="eva", reason="x"
    )
    forged = await room.send("/cutover/catalog", BACK, by="eva", reason="x", token="1.x")

    assert (strange.status, forged.status, room.stage) == (403, 403, "canary")


async def test_a_form_leads_to_no_stage_of_its_own_choice(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)

    answer = await room.send("/cutover/catalog", BACK, by="eva", reason="x", to="core")

    assert (answer.status, room.stage) == (422, "canary")


async def test_a_form_of_any_length_is_refused_and_not_read(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)

    answer = await room.send("/cutover/catalog", BACK, by="eva", reason="x" * 100_000)
    garbage = await send_to(room.app, "POST", BACK, b"\xff" * 40, {"origin": "http://room"})

    assert (answer.status, garbage.status, room.stage) == (422, 422, "canary")


async def test_somebody_known_acts_under_their_own_name_alone(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY, who=Role.OPERATOR)

    html = (await room.get("/cutover/catalog")).text
    await room.send("/cutover/catalog", BACK, by="somebody else", reason="odd")

    assert 'name="by"' not in html
    assert entry(room, 4).actor == "eva"  # type: ignore[attr-defined]


async def test_a_viewer_sees_the_way_back_and_cannot_take_it(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY, who=Role.VIEWER)

    page = await room.get("/cutover/catalog")
    sent = await send_to(room.app, "POST", BACK, b"", {"origin": "http://room"})

    assert sent.status == 403
    assert "<form" not in page.text
    assert "this takes the permission: rollback" in words(page.text)
    assert room.stage == "canary"


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/cutover/catalog/step?to=core", Role.APPROVER),
        ("POST", "/cutover/catalog/step", Role.APPROVER),
        ("POST", "/cutover/catalog/approve", Role.OPERATOR),
        ("GET", "/ledger/2/undo", Role.APPROVER),
        ("POST", "/ledger/2/undo", Role.VIEWER),
    ],
)
async def test_the_server_refuses_what_a_page_does_not_show(
    tmp_path: Path, method: str, path: str, role: Role
) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY, who=role)

    answer = await send_to(room.app, method, path, b"", {"origin": "http://room"})

    assert (answer.status, "may not do this" in answer.text) == (403, True)
    pages = [(await room.get(one)).text for one in ("/domains/catalog", "/ledger/2")]
    assert f'action="{path.partition("?")[0]}"' not in "".join(pages)
    assert f'href="{path}"' not in "".join(pages)


async def test_a_room_that_only_reads_shows_the_command(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY, reads_only=True)

    page = await room.get("/cutover/catalog")
    answer = await send_to(room.app, "POST", BACK, b"reason=x", {"origin": "http://room"})

    assert "banyan rollback catalog" in page.text
    assert "<form" not in page.text + (await room.get("/domains/catalog")).text
    assert (answer.status, room.stage) == (403, "canary")


async def test_the_way_is_told_with_how_long_each_place_was_stood_at(tmp_path: Path) -> None:
    ramp = CANARY.replace(
        "10%",
        "10%\n    rollback: {errors: 1%}\n    ramp: {steps: [10%, 50%], soak: 30m, requests: 9}",
    )
    room = await room_at(tmp_path, LEGACY, SHADOW, ramp)
    room.courses["catalog"] = CourseLine(
        NOON.timestamp(), "stay", "it has 30m to soak", (), 5_000, 600.0
    )

    page = words((await room.get("/cutover/catalog")).text)

    told = page[page.rindex("The way ") :]
    assert re.search(r"legacy Passed .* shadow Passed .* canary 10 % Stands here", told)
    assert "canary 50 % Next It has 30m to soak. Its ramp goes on to 50 %, in 10 min" in told
    assert re.search(r"core To come", told)


async def test_what_shoppers_meet_is_told_as_differences(tmp_path: Path) -> None:
    guarded = CANARY.replace(
        "10%", "10%\n    rollback: {errors: 1%, slow: 2%, requests: 9, window: 2m}"
    )
    room = await room_at(tmp_path, LEGACY, SHADOW, guarded)
    inputs = {
        "core_answers": 1_000, "core_errors": 12, "legacy_answers": 10_000, "legacy_errors": 20,
        "slow_us": 250_000, "core_slow": 5, "legacy_slow": 100,
    }  # fmt: skip
    room.courses["catalog"] = CourseLine(
        NOON.timestamp(), "stay", "no worse", ("seen",), verdict="pass", inputs=inputs
    )

    page = words((await room.get("/cutover/catalog")).text)

    assert "Errors 0.2 % 1.2 % 1 points more" in page
    assert "Slower than 250 ms 1 % 0.5 % 0.5 points fewer" in page


async def test_a_step_is_looked_at_and_then_taken(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW)
    step = "/cutover/catalog/step?to=canary-500"

    looked = words((await room.get(step)).text)
    done = await room.send(step, "/cutover/catalog/step", by="eva", reason="parity shown")

    assert "catalog: shadow -> canary 5 %" in looked
    assert "pass parity of catalog" in looked
    assert (done.status, room.stage) == (303, "canary")
    assert entry(room, 3).reason == "parity shown"  # type: ignore[attr-defined]
    assert "core_share: 5%" in (room.var / "applied.yaml").read_text()


@pytest.mark.parametrize(
    ("tables", "to", "stage"),
    [
        ((LEGACY,), "shadow", "shadow"),
        ((LEGACY, SHADOW, CANARY), "canary-2500", "canary"),
        ((LEGACY, SHADOW, CANARY), "core", "core"),
    ],
)
async def test_every_step_forward_can_be_taken(
    tmp_path: Path, tables: tuple[str, ...], to: str, stage: str
) -> None:
    room = await room_at(tmp_path, *tables)

    done = await room.send(
        f"/cutover/catalog/step?to={to}", "/cutover/catalog/step", by="eva", reason="go"
    )

    assert (done.status, room.stage) == (303, stage)


async def test_a_step_that_a_gate_refuses_shows_why_and_no_button(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW)
    room.evidence.domains.clear()

    page = await room.get("/cutover/catalog/step?to=canary-500")

    assert "<button" not in page.text
    assert "parity gate is inconclusive" in words(page.text)


async def test_a_plan_that_is_not_what_was_looked_at_is_refused(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)
    step, action = "/cutover/catalog/step?to=core", "/cutover/catalog/step"
    hidden = hidden_of((await room.get(step)).text, action)
    await room.put(WIDER)

    answer = await room.send(step, action, by="eva", reason="go", **hidden)

    assert (answer.status, room.stage) == (409, "canary")
    assert "is not what you looked at. Nothing was changed." in words(answer.text)
    assert hidden_of(answer.text, action)["mark"] != hidden["mark"]


@pytest.mark.parametrize("to", ["", "core", "canary-77", "canary-x", "retired", "../x"])
async def test_only_steps_that_lead_from_here_can_be_looked_at(tmp_path: Path, to: str) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW)

    assert (await room.get(f"/cutover/catalog/step?to={to}")).status == 404


async def test_a_yes_is_given_and_taken_back_on_the_page(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY, ASKS_TWO, who=Role.APPROVER)
    act = "/cutover/catalog/approve"
    before = words((await room.get("/domains/catalog")).text)

    given = await room.send("/domains/catalog", act, reason="looks good", act="give")
    between = words((await room.get("/domains/catalog")).text)
    await room.send("/domains/catalog", act, reason="no", act="withdraw")
    after = words((await room.get("/domains/catalog")).text)

    assert "1 more person must say yes" in before
    assert given.status == 303
    assert re.search(r"Nobody is missing. eva", between)
    assert "1 more person must say yes" in after
    assert entry(room, 6).kind is RevisionKind.APPROVAL  # type: ignore[attr-defined]


async def test_whoever_said_yes_cannot_take_the_step_alone(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY, ASKS_TWO, who=Role.ADMIN)
    await room.send("/domains/catalog", "/cutover/catalog/approve", reason="ok", act="give")

    own = words((await room.get("/cutover/catalog/step?to=core")).text)
    room.who = somebody(Role.OPERATOR, "ben")
    others = await room.send("/cutover/catalog/step?to=core", "/cutover/catalog/step", reason="go")

    assert "eva takes the step and does not count" in own
    assert (others.status, room.stage) == (303, "core")


async def test_the_ledger_lists_newest_first_page_by_page(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY)
    for turn in range(60):
        await room.put(SHADOW if turn % 2 == 0 else LEGACY, f"turn {turn}")

    first = (await room.get("/ledger?domain=catalog")).text
    older = re.search(r'href="(/ledger\?[^"]*before=\d+)"', first)
    assert older is not None
    second = (await room.get(older[1].replace("&amp;", "&"))).text

    assert "12 to 61; 61 entries in all" in words(first)
    assert "1 to 11; 61 entries in all" in words(second)
    assert "Whole" in words(first)
    assert "Newer" in second
    assert "No entry." in words((await room.get("/ledger?domain=nosuch")).text)


async def test_an_entry_shows_the_lines_that_changed_and_what_the_gates_said(
    tmp_path: Path,
) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW)
    await room.send(
        "/cutover/catalog/step?to=canary-500", "/cutover/catalog/step", by="eva", reason="go"
    )

    page = (await room.get("/ledger/3")).text

    assert '<span class="cut">-    stage: shadow' in page
    assert '<span class="add">+    core_share: 5%' in page
    assert "pass parity of catalog" in words(page)
    assert "compared 5,000" in words(page)


@pytest.mark.parametrize("path", ["/ledger/9", "/ledger/0", "/ledger/x", "/ledger/9/done"])
async def test_an_entry_that_is_not_there_is_a_page_of_its_own(tmp_path: Path, path: str) -> None:
    room = await room_at(tmp_path, LEGACY)

    assert (await room.get(path)).status == 404


async def test_a_damaged_entry_is_named_by_the_chain_and_by_its_own_page(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)
    file = tmp_path / "revisions" / "000002.json"
    file.write_text(file.read_text().replace("because", "forged"))

    chain, own = await room.get("/ledger"), await room.get("/ledger/2")
    after = words((await room.get("/ledger/3")).text)

    assert "Broken" in words(chain.text)
    assert "revision 000002 is damaged" in words(chain.text)
    assert own.status == 503
    assert "Revision 2 cannot be read, so no difference can be shown." in after


async def test_a_revision_is_taken_back_after_a_look(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW)

    looked = words((await room.get("/ledger/2/undo")).text)
    done = await room.send("/ledger/2/undo", "/ledger/2/undo", by="eva", reason="too early")

    assert "catalog: shadow -> legacy" in looked
    assert (done.status, room.stage) == (303, "legacy")
    assert entry(room, 3).reason == "undo of revision 2: too early"  # type: ignore[attr-defined]


async def test_what_cannot_be_taken_back_alone_offers_all_since(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)

    page = await room.get("/ledger/2/undo")
    done = await room.send(
        "/ledger/2/undo?later=true", "/ledger/2/undo", by="eva", reason="all of it"
    )

    assert page.status == 422
    assert 'href="/ledger/2/undo?later=true"' in page.text
    assert (done.status, room.stage) == (303, "legacy")


async def test_an_undo_that_is_not_what_was_looked_at_is_refused(tmp_path: Path) -> None:
    two = table(catalog="legacy", price="legacy")
    room = await room_at(tmp_path, two, table(catalog="shadow", price="legacy"))
    hidden = hidden_of((await room.get("/ledger/2/undo")).text, "/ledger/2/undo")
    await room.put(table(catalog="shadow", price="shadow"))

    answer = await room.send("/ledger/2/undo", "/ledger/2/undo", by="e", reason="r", **hidden)

    assert (answer.status, room.stage) == (409, "shadow")
    assert "is not what you looked at" in words(answer.text)


async def test_names_and_reasons_are_shown_as_text(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)
    evil = "<script>alert(1)</script>"

    done = await room.send("/cutover/catalog", BACK, by=evil, reason=evil)
    pages = [
        (await room.get(path)).text
        for path in (done.headers["location"], "/ledger", "/ledger/4", "/cutover/catalog")
    ]

    assert all(evil not in page for page in pages)
    assert all("&lt;script&gt;" in page for page in pages[:3])


async def test_an_act_that_no_disk_keeps_is_told_with_its_way_out(tmp_path: Path) -> None:
    room = await room_at(tmp_path, LEGACY, SHADOW, CANARY)
    html = (await room.get("/cutover/catalog")).text
    (tmp_path / "revisions").rename(tmp_path / "gone")
    (tmp_path / "revisions").write_text("no folder")

    answer = await room.send(
        "/cutover/catalog", BACK, by="eva", reason="odd", **hidden_of(html, BACK)
    )

    assert (answer.status, room.stage) == (200, "shadow")
    assert "in force, but not in the ledger" in words(answer.text)


@dataclass(frozen=True, slots=True)
class CountedFiles(RevisionFiles):
    """A ledger that counts which entries were read."""

    taken: list[int] = field(default_factory=list)

    @override
    def backwards(self) -> Iterator[tuple[int, bytes]]:
        for n, content in RevisionFiles.backwards(self):
            self.taken.append(n)
            yield n, content

    @override
    def links(self) -> list[tuple[int, bytes]]:
        found = RevisionFiles.links(self)
        self.taken.extend(n for n, _ in found)
        return found


@pytest.mark.parametrize("others", [3, 30])
async def test_a_step_reads_the_ledger_back_to_the_last_one_and_no_further(
    tmp_path: Path, others: int
) -> None:
    room = await room_at(tmp_path, *[LEGACY, SHADOW] * others, CANARY)
    counted = CountedFiles(tmp_path / "revisions")
    hands = replace(room.hands, books=replace(room.hands.books, ledger=counted))

    await hands.plan(WIDER.encode(), "routing.yaml", "eva")

    assert set(counted.taken) == {2 * others + 1}
