"""Lists of choices, out of which attributes are chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import msgspec
from typing_extensions import override

from legacy_adapters.mapping.aggregates import AggregateRows, Child, Shape
from legacy_adapters.mapping.columns import Fate, Mapped
from legacy_adapters.mapping.rows import Row
from legacy_adapters.oscar.mapping import sync_catalog_tables as tables
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.sync_catalog_named import Named
from legacy_adapters.ports.documents import Own

_NAME = 128


class Choice(msgspec.Struct, frozen=True):
    """One of the values that may be chosen."""

    id: UUID
    label: str
    code: str | None


class ChoiceList(msgspec.Struct, frozen=True):
    """Values of which one or some may be chosen, in the order in which they were added."""

    id: UUID
    name: str
    code: str | None
    choices: tuple[Choice, ...]


class ChoiceListTranslation(Named[ChoiceList]):
    """Between catalogue_attributeoptiongroup and the lists that are kept beside the core."""

    shape = Shape("choice_list", tables.CHOICE_LIST, (Child(tables.CHOICE, by="group_id"),))
    entity_type = "choice_list"

    @property
    @override
    def columns(self) -> Mapping[str, Mapping[str, Fate]]:
        """The lists have tables of their own, which go with oscar."""
        return {
            tables.CHOICE_LIST.name: {
                "id": Mapped("external_ref.external_id"),
                "name": Mapped("oscar_choice_list.name"),
                "code": Mapped("oscar_choice_list.code"),
            },
            tables.CHOICE.name: {
                "id": Mapped("external_ref.external_id"),
                "option": Mapped("oscar_choice.label"),
                "group_id": Mapped("oscar_choice.list_id"),
                "code": Mapped("oscar_choice.code"),
            },
        }

    def forward(self, rows: AggregateRows, known: cells.Known) -> ChoiceList:
        """The list of a group."""
        row = self.row(rows)
        found = (Cells(tables.CHOICE.name, one) for one in rows.get(tables.CHOICE.name, ()))
        choices = sorted(found, key=lambda one: int(one.key("id")))
        return ChoiceList(
            id=cells.id_of(known, "choice_list", row.key("id")),
            name=row.text("name"),
            code=row.text_or_none("code"),
            choices=tuple(
                Choice(
                    cells.id_of(known, "choice", one.key("id")),
                    one.text("option"),
                    one.text_or_none("code"),
                )
                for one in choices
            ),
        )

    @override
    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The list and its choices."""
        choices = (("choice", str(one["id"])) for one in rows.get(tables.CHOICE.name, ()))
        return (*super().refers(rows), *choices)

    @override
    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The list and its choices."""
        return {one: cells.id_of(known, *one) for one in self.refers(rows)}

    @override
    def owns(self, doc: ChoiceList) -> Sequence[Own]:
        """The list and its choices."""
        return (*super().owns(doc), *(Own("choice", one.id) for one in doc.choices))

    def reverse(
        self,
        doc: ChoiceList,
        sidecar: AggregateRows,  # noqa: ARG002 - all of it is kept
        numbers: Mapping[UUID, str],
    ) -> AggregateRows:
        """The rows of a list."""
        number = int(numbers[doc.id])
        row: Row = {"id": number, "name": self.fits("name", doc.name, _NAME), "code": doc.code}
        choices = (
            {"id": int(numbers[one.id]), "option": one.label, "group_id": number, "code": one.code}
            for one in doc.choices
        )
        return {
            tables.CHOICE_LIST.name: (row,),
            tables.CHOICE.name: tuple(sorted(choices, key=lambda one: int(str(one["id"])))),
        }
