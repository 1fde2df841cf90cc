"""Whether two states of one aggregate that were read at different moments must be equal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateRows
from shadow_compare.core.reconcile_digest import digest_or_none


class Standing(StrEnum):
    """What one look at both sides tells.

    same: the documents are equal. hot: it changed meanwhile, look again. different: nothing
    can explain it but a difference.
    """

    SAME = "same"
    HOT = "hot"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class OwnerState:
    """An aggregate as its owner had it in a snapshot.

    Attributes:
        key: of its root in the owner's store; `unnamed` of an id that has no key there.
        core_id: None where it cannot be told, as of rows that cannot be read.
        document: None when the owner has no such aggregate, or it cannot be read.
        corrupt: why it cannot be read; "" when it can.
        rows: how many rows it is made of.
        raw: these rows, where the owner is the legacy.
    """

    key: str
    core_id: UUID | None
    document: Any | None
    corrupt: str = ""
    rows: int = 0
    raw: AggregateRows | None = None


@dataclass(frozen=True, slots=True)
class OtherState:
    """The same aggregate on the other side.

    Attributes:
        order: of the newest version applied there, in the owner's log; 0 when none was. It is
            read together with the document or after it, never before.
    """

    document: Any | None = None
    order: int = 0


ABSENT = OtherState()

_UNNAMED = "?"


def unnamed(core_id: UUID) -> str:
    """The key of something on the other side that the owner has no key for."""
    return f"{_UNNAMED}{core_id}"


def id_of_unnamed(key: str) -> UUID | None:
    """The id in a key that `unnamed` made; None of any other key."""
    return UUID(key[1:]) if key.startswith(_UNNAMED) else None


def judge(
    owner: OwnerState,
    other: OtherState,
    low: int,
    *,
    is_waiting: bool,
    is_staged: bool = True,
    is_same: bool | None = None,
) -> Standing:
    """Compare an owner's state of a snapshot with what the other side held later.

    1. The owner is read in a snapshot that has every commit up to position `low` and none
    behind `high`. 2. The stream's checkpoint is seen at `high` or behind it. 3. It is asked
    whether the aggregate still waits to be applied (`is_waiting`). 4. The other side is read.

    Unequal, not waiting at 3 and with a version up to `low` at 4: every change up to `high` had
    been applied, and the newest of them is in the snapshot, so no commit lies between the two
    states. Whatever has a newer version, or waits, has moved on and is looked at again.

    Args:
        owner: as in the snapshot.
        other: as it was read last.
        low: in the owner's log.
        is_waiting: as it was asked before `other` was read.
        is_staged: whether the stage holds the owner's rows. Documents may be equal without
            it, as where a column is not mapped: the way back would carry what is stale.
        is_same: whether the documents are equal; None when nobody has looked yet.
    """
    if is_same is None:
        is_same = digest_or_none(owner.document) == digest_or_none(other.document)
    if is_staged and not owner.corrupt and is_same:
        return Standing.SAME
    if is_waiting or other.order > low:
        return Standing.HOT
    return Standing.DIFFERENT
