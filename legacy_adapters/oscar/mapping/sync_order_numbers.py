"""What an order's rows in oscar are made of, and the ids of those that have none in the core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.rows import Cell
from legacy_adapters.mapping.rows import Row as Cells
from legacy_adapters.oscar.mapping.sync_order_documents import Line, OrderDoc, Reduction, Share
from legacy_adapters.oscar.mapping.sync_order_tables import ORDER
from new_core.domain.currency import decimals

Numbers = Mapping[UUID, str]

_OSCAR_DIGITS = 2
CENTS = 100


@dataclass(frozen=True, slots=True)
class Writing:
    """What an order's rows are made of.

    Attributes:
        before: the document of `sidecar`; None where there is none that can be read.
    """

    doc: OrderDoc
    before: OrderDoc | None
    sidecar: AggregateRows
    numbers: Numbers

    def key(self, ident: UUID | None) -> int | None:
        """The number of something in oscar.

        Raises:
            RowCorrupt: it has none.
        """
        if ident is None:
            return None
        number = self.numbers.get(ident)
        if number is None:
            raise RowCorrupt(ORDER.name, f"needs the number of {ident}, which has none")
        return int(number)

    def is_new(self, *fields: str) -> bool:
        """Whether the document says of one of its fields what the rows did not."""
        if self.before is None:
            return True
        return any(getattr(self.doc, one) != getattr(self.before, one) for one in fields)

    def amount(self, minor: int) -> str:
        """Minor units of the order's currency as oscar's two decimals.

        Raises:
            RowCorrupt: they are finer than that.
        """
        digits = decimals(self.doc.currency)
        cents, rest = minor * int(10 ** max(_OSCAR_DIGITS - digits, 0)), 0
        if digits > _OSCAR_DIGITS:
            cents, rest = divmod(minor, int(10 ** (digits - _OSCAR_DIGITS)))
        if rest:
            raise RowCorrupt(ORDER.name, f"cannot hold {minor} minor units of {self.doc.currency}")
        whole, part = divmod(abs(cents), CENTS)
        return f"{'-' if cents < 0 else ''}{whole}.{part:02d}"


def share_ids(line: Line) -> Iterable[UUID]:
    """Ids of what offers took off a line: rows of their own in oscar."""
    return (uuid5(line.id, f"discount:{name}") for name in share_names(line.shares))


def reduction_ids(doc: OrderDoc) -> Iterable[UUID]:
    """Ids of what offers took off an order: rows of their own in oscar."""
    return (uuid5(doc.id, f"discount:{name}") for name in reduction_names(doc.reductions))


def option_ids(line: Line) -> Iterable[UUID]:
    """Ids of a line's options: rows of their own in oscar."""
    return (uuid5(line.id, f"option:{name}") for name in option_names(line.options))


def moment_text(at: datetime) -> str:
    """A time as rows have it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def reduction_names(reductions: Sequence[Reduction]) -> list[str]:
    """A name for each of an order's reductions, the same wherever it stands among them."""
    return _numbered(
        [
            f"{one.promotion_id}:{one.coupon}:{'shipping' if one.of_shipping else ''}"
            for one in reductions
        ]
    )


def share_names(shares: Sequence[Share]) -> list[str]:
    """A name for each of a line's shares."""
    return _numbered([f"{one.promotion_id}:{one.coupon}" for one in shares])


def option_names(options: Sequence[tuple[str, str]]) -> list[str]:
    """A name for each of a line's options."""
    return _numbered([code for code, _ in options])


def by_key(rows: Iterable[Cells]) -> tuple[Cells, ...]:
    """Rows in the order of their keys."""
    return tuple(sorted(rows, key=lambda cells: int(str(cells["id"]))))


def whole(columns: Iterable[str], cells: Mapping[str, Cell]) -> Cells:
    """A row with these columns alone."""
    return {name: cells[name] for name in columns}


def _numbered(names: Sequence[str]) -> list[str]:
    """Names with how many equal ones stand before each, so that no two are the same."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = nth = seen.get(name, -1) + 1
        found.append(f"{name}:{nth}")
    return found
