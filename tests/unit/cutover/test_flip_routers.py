"""The table of a flip: drafted, swapped whatever others do, and written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cutover.core.flip import routed_stage
from cutover.core.revision import Entry, RevisionKind, sha256
from cutover.edge.flip_door import FlipDoor
from cutover.edge.flip_routers import TableRouters
from cutover.errors import CannotWrite, NothingInForce
from cutover.service.books import Books
from legacy_adapters.mapping.versions import Side
from proxy.routing import Stage
from proxy.storage.tables import parse_routing
from tests.fakes.cutover import NOON, books_in

_TABLE = """apiVersion: banyan/v1
stores: {legacy: {url: "http://127.0.0.1:1"}, core: {url: "http://127.0.0.1:2"}}
domains:
  cart:
    owner: till
    stage: legacy # a remark
    routes: [{path: "/cart/", methods: [GET, POST]}]
  checkout:
    owner: till
    stage: shadow
    routes: [{path: "/checkout/", methods: [POST]}]
    shadow: {sample: 100%, writes: never}
  catalog:
    owner: shop
    stage: legacy
    routes: [{path: "/products/", methods: [GET]}]
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    made = books_in(tmp_path)
    _apply(made, _TABLE)
    return made


def _apply(books: Books, table: str) -> None:
    entry = Entry(NOON, "bob", RevisionKind.APPLY, "", ("x",), (), table)
    books.ledger.append(entry)
    with books.applied.draft(table.encode()) as draft:
        draft.put_in_force(instead_of=books.applied.read())


def _stages(books: Books) -> dict[str, str]:
    table = parse_routing(books.applied.read() or b"", "applied")
    return {domain.name: domain.stage.value for domain in table.domains}


async def _flip(books: Books, to: Side, meddle: str = "") -> Sequence[str]:
    routers = TableRouters(FlipDoor("http://127.0.0.1:9"), books)
    async with routers.draft(("cart", "checkout"), to, actor="ann", reason="the day") as draft:
        if meddle:
            _apply(books, meddle)
        revision = await draft.put_in_force()
        again = await draft.put_in_force()
        notes = draft.write_down()
    assert revision == again == sha256(books.applied.read() or b"")[:12]
    return notes


async def test_the_domains_of_a_flip_go_to_the_core_and_no_others(books: Books) -> None:
    await _flip(books, Side.CORE)

    assert _stages(books) == {"cart": "core", "checkout": "core", "catalog": "legacy"}
    assert b"# a remark" in (books.applied.read() or b"")


async def test_the_ledger_tells_of_the_flip(books: Books) -> None:
    notes = await _flip(books, Side.CORE)

    number, content = books.ledger.latest()[0]
    told = json.loads(content)
    assert (notes, number, told["actor"], told["reason"]) == ((), 2, "ann", "the day")
    assert told["changes"] == [
        "cart: legacy -> core, by a flip",
        "checkout: shadow -> core, by a flip",
    ]


async def test_writes_that_had_stayed_with_legacy_go_along(books: Books) -> None:
    reads_alone = "stage: core\n    writes_to: legacy"
    _apply(books, _TABLE.replace("stage: legacy # a remark", reads_alone))

    await _flip(books, Side.CORE)

    changes = json.loads(books.ledger.latest()[0][1])["changes"]
    assert "cart: core, writes at legacy -> core, by a flip" in changes
    assert not parse_routing(books.applied.read() or b"", "applied").domain("cart").writes_stay


async def test_the_way_back_leads_to_legacy(books: Books) -> None:
    await _flip(books, Side.CORE)

    await _flip(books, Side.LEGACY)

    assert _stages(books) == {"cart": "legacy", "checkout": "legacy", "catalog": "legacy"}


async def test_a_table_that_is_right_already_is_not_written_again(books: Books) -> None:
    await _flip(books, Side.CORE)

    notes = await _flip(books, Side.CORE)

    assert (notes, len(books.ledger.latest())) == ((), 2)


async def test_what_somebody_put_in_force_since_the_draft_is_taken_along(books: Books) -> None:
    await _flip(books, Side.CORE, meddle=_TABLE.replace("/products/", "/goods/"))

    assert _stages(books)["cart"] == "core"
    assert b"/goods/" in (books.applied.read() or b"")


def _sweep(folder: Path) -> None:
    for file in folder.iterdir():
        if file.is_file() and file.name not in ("applied.yaml", "cutover.lock"):
            file.unlink()


async def test_a_draft_that_was_swept_away_is_made_anew_at_the_next_try(
    books: Books, tmp_path: Path
) -> None:
    routers = TableRouters(FlipDoor("http://127.0.0.1:9"), books)
    async with routers.draft(("cart",), Side.CORE, actor="ann", reason="") as draft:
        _sweep(tmp_path)
        with pytest.raises(CannotWrite):
            await draft.put_in_force()
        await draft.put_in_force()

    assert _stages(books)["cart"] == "core"


async def test_without_a_table_in_force_there_is_nothing_to_route_anew(tmp_path: Path) -> None:
    with pytest.raises(NothingInForce):
        await _flip(books_in(tmp_path), Side.CORE)


async def test_only_domains_that_are_in_force_are_known(books: Books) -> None:
    routers = TableRouters(FlipDoor("http://127.0.0.1:9"), books)

    assert await routers.known(("cart", "stock")) == ["cart"]


@pytest.mark.parametrize(
    ("stage", "core", "legacy"),
    [
        (Stage.LEGACY, Stage.CORE, Stage.LEGACY),
        (Stage.SHADOW, Stage.CORE, Stage.SHADOW),
        (Stage.CANARY, Stage.CORE, Stage.LEGACY),
        (Stage.CORE, Stage.CORE, Stage.LEGACY),
        (Stage.RETIRED, Stage.RETIRED, Stage.LEGACY),
    ],
)
def test_a_stage_follows_the_owner(stage: Stage, core: Stage, legacy: Stage) -> None:
    assert [routed_stage(stage, side) for side in (Side.CORE, Side.LEGACY)] == [core, legacy]
