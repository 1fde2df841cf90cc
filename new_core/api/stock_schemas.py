"""Stock that moves, as /v1 takes and shows it."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

from new_core.api.schemas import Answer, Page, StockOut
from new_core.domain.catalog import Stored
from new_core.domain.reservation import Reservation, ReservationState
from new_core.domain.stock import MOST_UNITS, Site, StockPolicy, Warehouse
from new_core.domain.stock_accuracy import Accuracy, Drift
from new_core.domain.stock_movement import Booked, MovementKind
from new_core.ports import Place
from new_core.service.inventory import CanBeHad
from new_core.service.stocking import MOST_MOVES, Move, transfers

_TEXT = r"^[^\x00]*$"
Text = Annotated[str, Field(max_length=200, pattern=_TEXT)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
Units = Annotated[StrictInt, Field(ge=0, le=MOST_UNITS)]
Some = Annotated[StrictInt, Field(ge=1, le=MOST_UNITS)]
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1
Rank = Annotated[StrictInt, Field(ge=_LOWEST, le=_HIGHEST)]
MOST_ASKED = 1000


class Body(BaseModel):
    """Base of all bodies: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicyIn(Body):
    """How far a level may be promised."""

    safety: Units = Field(default=0, description="units that are never promised")
    incoming: Units = Field(default=0, description="units on their way; told, not promised")
    backorder_limit: Units = Field(
        default=0, description="units that may be promised beyond those on the shelf; 0 for none"
    )

    def policy(self) -> StockPolicy:
        """The same as the core has it."""
        return StockPolicy(self.safety, self.incoming, self.backorder_limit)


class LevelNew(PolicyIn):
    """A variant that a place begins to stock."""

    variant_id: UUID
    warehouse_id: UUID
    sku: Annotated[str, Field(min_length=1, max_length=255, pattern=_TEXT)]
    rank: Rank = Field(default=0, description="lower ones give first")
    on_hand: Units | None = Field(default=0, description="null when nobody counts")
    low_at: Units | None = None


class WarehouseIn(Body):
    """A warehouse as it is to be."""

    code: Code
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]
    street: Text = ""
    city: Text = ""
    region: Annotated[str, Field(max_length=3, pattern=r"^[A-Z0-9]*$")] = ""
    postcode: Annotated[str, Field(max_length=20, pattern=_TEXT)] = ""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    active: StrictBool = Field(default=True, description="whether anything is promised from it")
    priority: Rank = Field(default=0, description="lower ones give first")
    cutoff: time | None = Field(default=None, description="local; later orders leave next day")
    timezone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as exc:
            raise ValueError("is no IANA time zone") from exc
        return value

    @field_validator("cutoff")
    @classmethod
    def _local(cls, value: time | None) -> time | None:
        if value is not None and value.tzinfo is not None:
            raise ValueError("is local to the warehouse: leave its zone out")
        return value

    def place(self, ident: UUID) -> Place:
        """The same as the core has it."""
        site = Site(**self.model_dump(exclude={"code", "name"}))
        return Place(Warehouse(ident, self.code, self.name), site)


class WarehouseOut(Answer):
    """A place that goods are sent from."""

    id: UUID
    code: str
    name: str
    street: str
    city: str
    region: str
    postcode: str
    country: str
    active: StrictBool
    priority: int
    cutoff: time | None
    timezone: str
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[Place]) -> WarehouseOut:
        """A warehouse with its site."""
        house, site = stored.value.warehouse, stored.value.site
        return cls(
            id=house.id, code=house.code, name=house.name, street=site.street, city=site.city,
            region=site.region, postcode=site.postcode, country=site.country, active=site.active,
            priority=site.priority, cutoff=site.cutoff, timezone=site.timezone,
            updated_at=stored.updated_at, version=stored.version,
        )  # fmt: skip


class WarehouseList(Answer):
    """All warehouses, by code."""

    data: list[WarehouseOut]


class ReceiptLine(Body):
    """Units that came in."""

    stock_id: UUID
    units: Some


class AdjustmentLine(Body):
    """Units that are there, or are not, for another reason than buying and selling."""

    stock_id: UUID
    units: Annotated[StrictInt, Field(ge=-MOST_UNITS, le=MOST_UNITS)] = Field(
        description="negative for fewer, not zero; damage takes, a return brings"
    )
    kind: Literal["adjust", "damage", "return"] = "adjust"

    @field_validator("units")
    @classmethod
    def _not_none(cls, value: int) -> int:
        if value == 0:
            raise ValueError("must not be zero")
        return value

    def move(self) -> Move:
        """The same as the core has it."""
        kind = MovementKind(self.kind)
        if kind is not MovementKind.ADJUST:
            sign = -1 if kind is MovementKind.DAMAGE else 1
            return Move(self.stock_id, sign * abs(self.units), kind)
        return Move(self.stock_id, self.units, kind)


class TransferLine(Body):
    """Units that go from one place to another."""

    from_stock_id: UUID
    to_stock_id: UUID
    units: Some


class _Moves(Body):
    reason: Text = ""
    reference: Text = Field(default="", description="e.g. a delivery note's number")


class ReceiptNew(_Moves):
    """A delivery."""

    lines: list[ReceiptLine] = Field(min_length=1, max_length=MOST_MOVES)

    def moves(self) -> list[Move]:
        """The same as the core has it."""
        return [Move(one.stock_id, one.units, MovementKind.RECEIPT) for one in self.lines]


class AdjustmentNew(_Moves):
    """What somebody found, broke or got back."""

    lines: list[AdjustmentLine] = Field(min_length=1, max_length=MOST_MOVES)
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]

    def moves(self) -> list[Move]:
        """The same as the core has it."""
        return [one.move() for one in self.lines]


class TransferNew(_Moves):
    """Units that change places."""

    lines: list[TransferLine] = Field(min_length=1, max_length=MOST_MOVES // 2)

    def moves(self) -> list[Move]:
        """The same as the core has it."""
        return transfers((one.from_stock_id, one.to_stock_id, one.units) for one in self.lines)


class MovedOut(Answer):
    """The levels as they are after a move, each once."""

    data: list[StockOut]


class MovementOut(Answer):
    """One line of the book."""

    seq: int = Field(description="ascending, with gaps")
    stock_id: UUID
    variant_id: UUID
    warehouse_id: UUID
    kind: MovementKind
    on_hand: int = Field(description="units more on the shelf")
    reserved: int = Field(description="units more promised")
    reason: str
    reference: str
    actor_kind: str
    actor_id: str
    at: datetime

    @classmethod
    def of(cls, one: Booked) -> Self:
        """A movement with who made it."""
        moved = one.movement
        return cls(
            seq=one.seq, stock_id=moved.stock_level_id, variant_id=moved.variant_id,
            warehouse_id=moved.warehouse_id, kind=moved.kind, on_hand=moved.on_hand,
            reserved=moved.reserved, reason=moved.reason, reference=moved.reference,
            actor_kind=one.actor_kind, actor_id=one.actor_id, at=one.at,
        )  # fmt: skip


class MovementList(Answer):
    """A page of movements, ascending by seq."""

    data: list[MovementOut]
    page: Page


class ReservationOut(Answer):
    """Units that one owner was promised in one place."""

    id: UUID
    owner_type: str
    owner_id: UUID
    variant_id: UUID
    stock_id: UUID
    quantity: int
    state: ReservationState
    expires_at: datetime | None
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[Reservation]) -> Self:
        """A reservation."""
        one = stored.value
        return cls(
            id=one.id, owner_type=one.owner.type, owner_id=one.owner.id,
            variant_id=one.variant_id, stock_id=one.stock_level_id, quantity=one.quantity,
            state=one.state, expires_at=one.expires_at,
            updated_at=stored.updated_at, version=stored.version,
        )  # fmt: skip


class ReservationList(Answer):
    """A page of reservations, ascending by id."""

    data: list[ReservationOut]
    page: Page


class AvailabilityAsked(Body):
    """Variants that somebody asks about."""

    variant_ids: list[UUID] = Field(min_length=1, max_length=MOST_ASKED)


class VariantAvailability(Answer):
    """Whether a variant can be bought now, from all places together."""

    variant_id: UUID
    purchasable: StrictBool
    units: int | None = Field(description="null for what never runs out; back orders included")


class AvailabilityList(Answer):
    """In the order in which they were asked for, each once; unknown variants are absent."""

    data: list[VariantAvailability]

    @classmethod
    def of(cls, asked: list[UUID], found: dict[UUID, CanBeHad]) -> Self:
        """What can be had of what was asked for."""
        return cls(
            data=[
                VariantAvailability(
                    variant_id=one, purchasable=found[one].purchasable, units=found[one].units
                )
                for one in dict.fromkeys(asked)
                if one in found
            ]
        )


class DriftOut(Answer):
    """A level that is not what its book says."""

    stock_id: UUID
    on_hand: int
    reserved: int
    moved_on_hand: int = Field(description="the sum of its movements")
    moved_reserved: int = Field(description="the sum of its movements")
    promised: int = Field(description="its active reservations, and what other systems promised")

    @classmethod
    def of(cls, one: Drift) -> Self:
        """A drifted level."""
        return cls(
            stock_id=one.stock_level_id, on_hand=one.on_hand, reserved=one.reserved,
            moved_on_hand=one.moved_on_hand, moved_reserved=one.moved_reserved,
            promised=one.promised,
        )  # fmt: skip


class AccuracyOut(Answer):
    """How far the books of stock can be believed."""

    accuracy_ppm: int | None = Field(
        description="1 - (units off / units counted), in millionths; null when nothing was counted"
    )
    counts: int = Field(description="shelves that were counted since then")
    counted: int
    off_by: int
    since: datetime
    at: datetime
    levels: int
    drifted: int = Field(description="levels that are not what their book says; should be 0")
    drifts: list[DriftOut] = Field(description="some of them")

    @classmethod
    def of(cls, one: Accuracy) -> Self:
        """A measurement."""
        return cls(
            accuracy_ppm=one.counts.accuracy_ppm, counts=one.counts.counts,
            counted=one.counts.counted, off_by=one.counts.off_by, since=one.since, at=one.at,
            levels=one.levels, drifted=one.drifted, drifts=[DriftOut.of(d) for d in one.drifts],
        )  # fmt: skip


class RepairNew(Body):
    """Levels to be made what their books say."""

    stock_ids: list[UUID] = Field(min_length=1, max_length=MOST_MOVES)
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]


class RepairOut(Answer):
    """What was not right, as it was."""

    data: list[DriftOut]
