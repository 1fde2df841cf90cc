"""Orders as /v1 takes them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from new_core.api.cart_bodies import AddressIn
from new_core.api.order_schemas import Body, ReasonIn
from new_core.domain.order_edits import Edit, SetAddress, SetNote, SetQuantity

_TEXT = r"^[^\x00]*$"


class SetQuantityIn(Body):
    """Fewer units of a line; 0 takes it out."""

    action: Literal["set_quantity"]
    line_id: UUID
    quantity: Annotated[int, Field(ge=0, le=1_000_000)]

    def edit(self) -> Edit:
        """The same as the core has it."""
        return SetQuantity(self.line_id, self.quantity)


class SetAddressIn(Body):
    """Another place in the same country and region."""

    action: Literal["set_address"]
    address: AddressIn

    def edit(self) -> Edit:
        """The same as the core has it."""
        return SetAddress(self.address.address())


class SetNoteIn(Body):
    """A note for whoever packs it."""

    action: Literal["set_note"]
    note: Annotated[str, Field(max_length=1000, pattern=_TEXT)]

    def edit(self) -> Edit:
        """The same as the core has it."""
        return SetNote(self.note)


EditIn = Annotated[SetQuantityIn | SetAddressIn | SetNoteIn, Field(discriminator="action")]


class ChangeIn(ReasonIn):
    """An edit of an order: all of its actions, or none."""

    actions: Annotated[list[EditIn], Field(min_length=1, max_length=1000)]

    def edits(self) -> tuple[Edit, ...]:
        """The same as the core has it."""
        return tuple(one.edit() for one in self.actions)
