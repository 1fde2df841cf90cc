"""Customers with their addresses, from oscar's rows to a document and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate
from legacy_adapters.mapping.rows import Cell
from legacy_adapters.mapping.rows import Row as Cells
from legacy_adapters.oscar.mapping.cells import Row
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.mapping.sync_customer_addresses import (
    Address,
    address,
    address_cells,
    address_hash,
)
from legacy_adapters.oscar.mapping.sync_customer_tables import ADDRESS, COLUMNS, SHAPE, USER
from legacy_adapters.ports.documents import Own
from new_core.domain.customer import normal_email
from new_core.domain.identity import core_id
from new_core.errors import InvalidValue

USER_TYPE, ADDRESS_TYPE = "user", "user_address"
Known = Mapping[tuple[str, str], UUID]


class Standing(StrEnum):
    """Whether a customer may log in, or is somebody of whom nothing is left."""

    ACTIVE = "active"
    DISABLED = "disabled"
    ERASED = "erased"


class BookEntry(msgspec.Struct, frozen=True):
    """An address of a customer's book."""

    id: UUID
    address: Address
    default_shipping: bool
    default_billing: bool


class CustomerDoc(msgspec.Struct, frozen=True):
    """A customer.

    Attributes:
        email: as the core spells it.
        username: what oscar calls them; empty where that is the e-mail address, and for the
            erased.
        password_hash: as the core has it; empty where no password opens.
        book: addresses by id.
    """

    id: UUID
    standing: Standing
    email: str
    username: str
    first_name: str
    last_name: str
    password_hash: str
    created_at: datetime
    book: tuple[BookEntry, ...] = ()


_LOSSES = (
    Loss("auth_user.email", "one spelling in the core, in lower case; oscar's own comes back only "
         "while the address is the same"),
    Loss("auth_user.password", "hashes other than PBKDF2 and argon2 open nothing in the core; "
         "their people ask for a new password"),
    Loss("auth_user.last_login, is_staff, is_superuser", "not set for customers of the core"),
    Loss("address_useraddress.num_orders_as_*", "0 for addresses that the core made"),
    Loss("address_useraddress.date_created", "when the customer came, for addresses of the core"),
    Loss("address_useraddress.search_text, hash", "made with the country's usual name, which a "
         "shop may have changed"),
    Loss("Customer.phone, locale, group_ids", "oscar has no place for them"),
    Loss("PostalAddress.company", "oscar has no such line"),
)  # fmt: skip

_ARGON, _UNUSABLE, _ERASED = "argon2$argon2", "!", "erased-"
_NOWHERE = "@no-address.invalid"
_LONGEST_NAME, _LONGEST_HASH = 150, 128


class CustomerTranslation:
    """People who buy again."""

    entity_type = USER_TYPE

    @property
    def shape(self) -> Shape:
        """Its rows in oscar."""
        return SHAPE

    @property
    def columns(self) -> Mapping[str, Mapping[str, Fate]]:
        """What becomes of each column."""
        return COLUMNS

    @property
    def losses(self) -> Sequence[Loss]:
        """What a round trip does not keep."""
        return _LOSSES

    def forward(self, rows: AggregateRows, known: Known) -> CustomerDoc:
        """The document of oscar's rows.

        Raises:
            RowCorrupt: it cannot be read.
        """
        row = Row(USER.name, rows[USER.name][0])
        standing, email = _standing(row), _email(row)
        username = row.text("username")
        is_named = standing is not Standing.ERASED and username.lower() != email
        book = [_entry(cells, known) for cells in rows.get(ADDRESS.name, ())]
        return CustomerDoc(
            id=_core(known, USER_TYPE, row.key("id")),
            standing=standing,
            email=email,
            username=username if is_named else "",
            first_name=row.text("first_name"),
            last_name=row.text("last_name"),
            password_hash=core_hash(row.text("password")),
            created_at=row.moment("date_joined"),
            book=tuple(sorted(book, key=lambda one: one.id)),
        )

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The customer and the addresses."""
        found = [(USER_TYPE, str(rows[USER.name][0]["id"]))]
        return [*found, *((ADDRESS_TYPE, str(one["id"])) for one in rows.get(ADDRESS.name, ()))]

    def names(self, rows: AggregateRows, known: Known) -> Mapping[tuple[str, str], UUID]:
        """What its own rows are in the core."""
        return {one: _core(known, *one) for one in self.refers(rows)}

    def owns(self, doc: CustomerDoc) -> Sequence[Own]:
        """The customer and the addresses."""
        return (Own(USER_TYPE, doc.id), *(Own(ADDRESS_TYPE, one.id) for one in doc.book))

    def points_at(self, doc: CustomerDoc) -> Sequence[Own]:  # noqa: ARG002 - a port's
        """Nothing."""
        return ()

    def reverse(
        self, doc: CustomerDoc, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """Oscar's rows of the document.

        Raises:
            RowCorrupt: oscar cannot hold it.
        """
        before = self._before(doc, sidecar, numbers)
        kept = {table.name: tuple(sidecar.get(table.name, ())) for table in SHAPE.tables}
        if doc != before:
            kept[USER.name] = (_user(doc, before, sidecar, numbers),)
            kept[ADDRESS.name] = _book(doc, before, sidecar, numbers)
        return {name: rows for name, rows in kept.items() if rows}

    def money(self, doc: CustomerDoc) -> tuple[int, str] | None:  # noqa: ARG002 - a port's
        """A customer is no money."""
        return None

    def _before(
        self, doc: CustomerDoc, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> CustomerDoc | None:
        if not sidecar.get(USER.name):
            return None
        known = {(one.entity_type, numbers[one.id]): one.id for one in self.owns(doc)}
        try:
            return self.forward(sidecar, known)
        except RowCorrupt:
            # Whoever broke the rows aside: all that the core knows is written anew.
            return None


def core_hash(password: str) -> str:
    """A password's hash as the core has it. Django puts the name of its hasher before argon2's
    own form, and begins what opens nothing with "!".
    """
    if password.startswith(_UNUSABLE):
        return ""
    return password.removeprefix("argon2") if password.startswith(_ARGON) else password


def oscar_hash(password_hash: str, ident: UUID) -> str:
    """A password's hash as Django has it.

    Raises:
        RowCorrupt: it is too long.
    """
    if not password_hash:
        return f"{_UNUSABLE}{ident.hex}"
    found = f"argon2{password_hash}" if password_hash.startswith("$argon2") else password_hash
    if len(found) > _LONGEST_HASH:
        raise RowCorrupt("auth_user.password", f"takes no hash of {len(found)} characters")
    return found


def _core(known: Known, entity_type: str, key: str) -> UUID:
    return known.get((entity_type, key)) or core_id(SYSTEM, entity_type, key)


def _standing(row: Row) -> Standing:
    if row.truth("is_active"):
        return Standing.ACTIVE
    is_nobody = row.text("username").startswith(_ERASED) and not row.text("email")
    return Standing.ERASED if is_nobody else Standing.DISABLED


def _email(row: Row) -> str:
    """The core's spelling. Staff of oscar may have none, and the core's customers must not
    share one: theirs is an address that no mail reaches.
    """
    email = row.text("email")
    if not email:
        is_erased = _standing(row) is Standing.ERASED
        return "" if is_erased else f"user-{row.key('id')}{_NOWHERE}"
    try:
        return normal_email(email)
    except InvalidValue as exc:
        raise row.corrupt("email", exc.problem) from exc


def _entry(cells: Cells, known: Known) -> BookEntry:
    row = Row(ADDRESS.name, cells)
    return BookEntry(
        _core(known, ADDRESS_TYPE, row.key("id")),
        address(row),
        row.truth("is_default_for_shipping"),
        row.truth("is_default_for_billing"),
    )


def _user(
    doc: CustomerDoc,
    before: CustomerDoc | None,
    sidecar: AggregateRows,
    numbers: Mapping[UUID, str],
) -> Cells:
    old = sidecar.get(USER.name, ())
    cells: dict[str, Cell] = dict(old[0]) if old else dict(_NEW_USER)
    told: Mapping[str, tuple[tuple[str, ...], Cell]] = {
        "email": (("email",), "" if doc.email.endswith(_NOWHERE) else doc.email),
        "username": (("username", "email", "standing"), _username(doc)),
        "first_name": (("first_name",), doc.first_name),
        "last_name": (("last_name",), doc.last_name),
        "password": (("password_hash",), oscar_hash(doc.password_hash, doc.id)),
        "is_active": (("standing",), doc.standing is Standing.ACTIVE),
        "date_joined": (("created_at",), _moment_text(doc.created_at)),
    }
    for column, (fields, value) in told.items():
        if before is None or any(getattr(doc, one) != getattr(before, one) for one in fields):
            cells[column] = value
    cells["id"] = int(numbers[doc.id])
    return {name: cells[name] for name in USER.columns}


_NEW_USER: Mapping[str, Cell] = {"last_login": None, "is_superuser": False, "is_staff": False}


def _username(doc: CustomerDoc) -> str:
    if doc.standing is Standing.ERASED:
        return f"{_ERASED}{doc.id.hex}"
    name = doc.username or doc.email
    return name if len(name) <= _LONGEST_NAME else doc.id.hex


def _book(
    doc: CustomerDoc,
    before: CustomerDoc | None,
    sidecar: AggregateRows,
    numbers: Mapping[UUID, str],
) -> tuple[Cells, ...]:
    old = {str(cells["id"]): cells for cells in sidecar.get(ADDRESS.name, ())}
    known = {one.id: one for one in before.book} if before is not None else {}
    rows: list[Cells] = []
    for one in doc.book:
        kept = old.get(numbers[one.id])
        if kept is not None and known.get(one.id) == one:
            rows.append(kept)
            continue
        cells: dict[str, Cell] = dict(kept) if kept is not None else {
            **_NEW_ADDRESS, "date_created": _moment_text(doc.created_at),
        }  # fmt: skip
        cells |= {"id": int(numbers[one.id]), "user_id": int(numbers[doc.id])}
        cells["is_default_for_shipping"] = one.default_shipping
        cells["is_default_for_billing"] = one.default_billing
        if kept is None or one.id not in known or known[one.id].address != one.address:
            cells |= address_cells(one.address)
            cells["hash"] = address_hash(cells)
        rows.append({name: cells[name] for name in ADDRESS.columns})
    return _apart(sorted(rows, key=lambda cells: int(str(cells["id"]))))


_NEW_ADDRESS: Mapping[str, Cell] = {
    "num_orders_as_shipping_address": 0, "num_orders_as_billing_address": 0, "code": None,
}  # fmt: skip


def _apart(rows: Sequence[Cells]) -> tuple[Cells, ...]:
    """Oscar keeps one of a customer's equal addresses, by their hashes; the core keeps all."""
    seen: set[Cell] = set()
    found = []
    for cells in rows:
        made = cells if cells["hash"] not in seen else {
            **cells, "hash": f"{cells['hash']}-{cells['id']}",
        }  # fmt: skip
        seen.add(made["hash"])
        found.append(made)
    return tuple(found)


def _moment_text(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
