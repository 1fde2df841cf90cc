"""Lists and objects gone wrong: elements lost, doubled or out of order, members added."""

from __future__ import annotations

from collections.abc import Iterator

from shadow_compare.core.documents import Json, canonical
from shadow_compare.core.seeding.model import DocumentDefect, SeededJson

_ADDED = "x_debug"
Ways = Iterator[tuple[SeededJson, str]]


def _item_missing(_name: str, value: Json) -> Ways:
    if isinstance(value, list):
        for at in range(len(value)):
            yield value[:at] + value[at + 1 :], "[*]"


def _item_doubled(_name: str, value: Json) -> Ways:
    if isinstance(value, list):
        for at in range(len(value)):
            yield value[: at + 1] + value[at:], "[*]"


def _items_swapped(_name: str, value: Json) -> Ways:
    if isinstance(value, list):
        for at in range(len(value) - 1):
            if canonical(value[at]) != canonical(value[at + 1]):
                yield [*value[:at], value[at + 1], value[at], *value[at + 2 :]], ""


def _list_cut(_name: str, value: Json) -> Ways:
    if isinstance(value, list) and len(value) > 1:
        yield value[: len(value) // 2], "[*]"


def _list_empty(_name: str, value: Json) -> Ways:
    if isinstance(value, list) and value:
        yield [], "[*]"


def _ids_swapped(_name: str, value: Json) -> Ways:
    if not isinstance(value, list):
        return
    for at in range(len(value) - 1):
        one, other = value[at], value[at + 1]
        if not isinstance(one, dict) or not isinstance(other, dict):
            continue
        if len(one) > 1 and "id" in one and "id" in other and one["id"] != other["id"]:
            swapped: list[Json] = [{**one, "id": other["id"]}, {**other, "id": one["id"]}]
            yield value[:at] + swapped + value[at + 2 :], "[*].id"


def _field_added(_name: str, value: Json) -> Ways:
    if isinstance(value, dict) and _ADDED not in value:
        yield {**value, _ADDED: "0"}, f".{_ADDED}"


SHAPE_DEFECTS: tuple[DocumentDefect, ...] = (
    DocumentDefect("item_missing", "an element is not there", _item_missing, True),
    DocumentDefect("item_doubled", "an element stands twice", _item_doubled, True),
    DocumentDefect("items_swapped", "two elements changed places", _items_swapped, True),
    DocumentDefect("list_cut", "a list lost its second half", _list_cut, True),
    DocumentDefect("list_empty", "a list is empty", _list_empty, True),
    DocumentDefect("ids_swapped", "two elements have each other's id", _ids_swapped, True),
    DocumentDefect("field_added", "a member is new", _field_added),
)
