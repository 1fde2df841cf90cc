"""What is sent and answered about price lists, prices, assignments and contracts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from new_core.api.pricing_fields import (
    AmountIn,
    Body,
    CodeText,
    Currency,
    Moment,
    UnitPriceIn,
)
from new_core.api.schemas import Amount, Answer, Page
from new_core.domain.catalog import Stored
from new_core.domain.money import Money, UnitPrice
from new_core.domain.pricing import (
    AssignedTo,
    Assignment,
    Price,
    PriceContract,
    PriceList,
    PriceListKind,
    PriceListStatus,
)
from new_core.errors import InvalidValue
from new_core.service.pricing_rows import MOST_ROWS, PriceRow, RowResult, RowStatus


class PriceListBody(Body):
    """A price list as it is to be."""

    code: CodeText
    currency: Currency
    kind: PriceListKind
    priority: StrictInt = Field(default=0, ge=-1_000_000, le=1_000_000)
    tax_included: StrictBool = False
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    status: PriceListStatus = PriceListStatus.ACTIVE
    parent_id: UUID | None = Field(default=None, description="takes over this list's prices")
    adjustment_ppm: StrictInt = Field(
        default=0, ge=-1_000_000, le=10_000_000,
        description="put on the parent's prices, in millionths",
    )  # fmt: skip

    def of(self, list_id: UUID) -> PriceList:
        """The list of this id."""
        return PriceList(id=list_id, **self.model_dump())


class PriceListFull(Answer):
    """A price list with its version."""

    id: UUID
    code: str
    currency: str
    kind: PriceListKind
    priority: int
    tax_included: StrictBool
    valid_from: datetime | None
    valid_to: datetime | None
    status: PriceListStatus
    parent_id: UUID | None
    adjustment_ppm: int
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, stored: Stored[PriceList]) -> PriceListFull:
        """A list as it is stored."""
        one = stored.value
        return cls(
            id=one.id, code=one.code, currency=one.currency, kind=one.kind,
            priority=one.priority, tax_included=one.tax_included, valid_from=one.valid_from,
            valid_to=one.valid_to, status=one.status, parent_id=one.parent_id,
            adjustment_ppm=one.adjustment_ppm, version=stored.version,
            updated_at=stored.updated_at,
        )  # fmt: skip


class PriceRowIn(Body):
    """A price to be written."""

    variant_id: UUID
    min_qty: StrictInt = Field(default=1, ge=1, le=1_000_000)
    unit_price: UnitPriceIn | None = Field(description="null is on request")
    stock_level_id: UUID | None = Field(
        default=None, description="set when it holds only for goods from that place"
    )
    valid_from: Moment | None = None
    valid_to: Moment | None = None

    def row(self) -> PriceRow:
        """The row as the use case takes it."""
        unit = self.unit_price
        return PriceRow(
            self.variant_id, self.min_qty, unit.micro if unit else None,
            unit.currency if unit else "", self.stock_level_id, self.valid_from, self.valid_to,
        )  # fmt: skip


class PriceRows(Body):
    """Prices to be written; one of the same variant, place, quantity and start is overwritten."""

    mode: Literal["atomic", "partial"] = "atomic"
    rows: Annotated[list[PriceRowIn], Field(min_length=1, max_length=MOST_ROWS)]


class PriceRowOut(Answer):
    """What became of a row."""

    index: int
    status: RowStatus
    code: str | None
    detail: str | None
    price_id: UUID | None

    @classmethod
    def of(cls, index: int, result: RowResult) -> PriceRowOut:
        """The result of the row at an index."""
        return cls(
            index=index, status=result.status, code=result.code or None,
            detail=result.detail or None, price_id=result.price_id,
        )  # fmt: skip


class PriceRowsOut(Answer):
    """What became of the rows, in their order."""

    written: int
    data: list[PriceRowOut]


class PriceEntry(Answer):
    """A price as it stands in a list."""

    id: UUID
    variant_id: UUID
    min_qty: int
    unit_price: Amount | None
    stock_level_id: UUID | None
    valid_from: datetime | None
    valid_to: datetime | None
    version: int

    @classmethod
    def of(cls, stored: Stored[Price], currency: str) -> PriceEntry:
        """A price of a list in this currency."""
        one = stored.value
        unit = None if one.unit_micro is None else UnitPrice(one.unit_micro, currency)
        return cls(
            id=one.id, variant_id=one.variant_id, min_qty=one.min_qty,
            unit_price=Amount.of(unit), stock_level_id=one.stock_level_id,
            valid_from=one.valid_from, valid_to=one.valid_to, version=stored.version,
        )  # fmt: skip


class PriceEntries(Answer):
    """A page of prices, ascending by id."""

    data: list[PriceEntry]
    page: Page


class AssignmentIn(Body):
    """Whom a list is to hold for."""

    scope: AssignedTo
    key: str = Field(
        min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="id of the account, customer or group, or code of the channel or country",
    )  # fmt: skip

    def of(self, assignment_id: UUID, list_id: UUID) -> Assignment:
        """The assignment of a list.

        Raises:
            InvalidValue: accounts, customers and groups have ids.
        """
        key = self.key
        if self.scope in (AssignedTo.ACCOUNT, AssignedTo.CUSTOMER, AssignedTo.GROUP):
            try:
                key = str(UUID(key))
            except ValueError:
                raise InvalidValue("key", f"must be the id of the {self.scope}") from None
        return Assignment(assignment_id, list_id, self.scope, key)


class AssignmentOut(Answer):
    """Whom a list holds for."""

    id: UUID
    price_list_id: UUID
    scope: AssignedTo
    key: str

    @classmethod
    def of(cls, one: Assignment) -> AssignmentOut:
        """An assignment."""
        return cls(id=one.id, price_list_id=one.price_list_id, scope=one.scope, key=one.key)


class Assignments(Answer):
    """Whom a list holds for, by scope and key."""

    data: list[AssignmentOut]


class ContractBody(Body):
    """A contract as it is to be."""

    number: CodeText
    account_id: UUID
    location_id: UUID | None = Field(default=None, description="null is all of the account's")
    price_list_id: UUID = Field(description="a list of the kind contract")
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    min_commitment: AmountIn | None = None

    def of(self, contract_id: UUID) -> PriceContract:
        """The contract of this id."""
        least = self.min_commitment
        return PriceContract(
            contract_id, self.number, self.account_id, self.location_id, self.price_list_id,
            self.valid_from, self.valid_to, least.minor if least else None,
        )  # fmt: skip


class ContractOut(Answer):
    """A contract."""

    id: UUID
    number: str
    account_id: UUID
    location_id: UUID | None
    price_list_id: UUID
    valid_from: datetime | None
    valid_to: datetime | None
    min_commitment: Amount | None
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, stored: Stored[PriceContract], currency: str) -> ContractOut:
        """A contract with a list in this currency."""
        one = stored.value
        least = one.min_commitment_minor
        return cls(
            id=one.id, number=one.number, account_id=one.account_id,
            location_id=one.location_id, price_list_id=one.price_list_id,
            valid_from=one.valid_from, valid_to=one.valid_to,
            min_commitment=Amount.of(None if least is None else Money(least, currency)),
            version=stored.version, updated_at=stored.updated_at,
        )  # fmt: skip


class Contracts(Answer):
    """A page of contracts, ascending by id."""

    data: list[ContractOut]
    page: Page
