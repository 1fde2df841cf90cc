"""Where an attempt and a move may go: tables, and nothing beside them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from new_core.domain.payment import AttemptState as S


class Told(StrEnum):
    """What is learned of an attempt."""

    SEND = "send"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    NO_ANSWER = "no_answer"
    NOT_FOUND = "not_found"
    VOIDED = "voided"
    EXPIRED = "expired"
    REFUND_BEGUN = "refund_begun"
    REFUND_ENDED = "refund_ended"
    ALL_REFUNDED = "all_refunded"
    DISPUTED = "disputed"


_LEARNED = {
    Told.AUTHORISED: S.AUTHORISED,
    Told.CAPTURED: S.CAPTURED,
    Told.DECLINED: S.DECLINED,
}
LOST = frozenset({S.DECLINED, S.FAILED_BEFORE_SEND, S.NOT_FOUND, S.EXPIRED})
"""Given up: what such an attempt turns out to have charged goes back."""

# 1. An attempt is found nowhere and given up, 2. its request arrives after all and charges,
# 3. that charge is undone. The attempt never becomes one that counts again: another one may
# have won by then.
_UNDONE = {Told.VOIDED: S.VOIDED, Told.ALL_REFUNDED: S.REFUNDED}

TRANSITIONS: Mapping[S, Mapping[Told, S]] = {
    S.CREATED: {Told.SEND: S.SENDING},
    S.SENDING: {
        **_LEARNED,
        Told.NOT_SENT: S.FAILED_BEFORE_SEND,
        Told.NO_ANSWER: S.UNKNOWN,
    },
    S.UNKNOWN: {**_LEARNED, Told.NOT_FOUND: S.NOT_FOUND},
    S.AUTHORISED: {
        Told.CAPTURED: S.CAPTURED,
        Told.VOIDED: S.VOIDED,
        Told.EXPIRED: S.EXPIRED,
    },
    S.CAPTURED: {
        Told.CAPTURED: S.CAPTURED,
        Told.REFUND_BEGUN: S.REFUNDING,
        Told.DISPUTED: S.DISPUTED,
    },
    S.REFUNDING: {
        Told.REFUND_ENDED: S.CAPTURED,
        Told.ALL_REFUNDED: S.REFUNDED,
        Told.DISPUTED: S.DISPUTED,
    },
    **dict.fromkeys(LOST, _UNDONE),
    S.VOIDED: {},
    S.REFUNDED: {},
    S.DISPUTED: {},
}

UNDER_WAY = frozenset({S.SENDING, S.UNKNOWN})
"""Nobody may try again while an attempt is here: it may have charged."""

HOLDING = frozenset({S.AUTHORISED, S.CAPTURED, S.REFUNDING})
"""The gateway has money, or the promise of some, for us."""

CLAIMING = UNDER_WAY | {S.AUTHORISED, S.CAPTURED}
"""At most one attempt of a payment is in one of these; an index holds it."""


def after(state: S, told: Told) -> S | None:
    """The state that follows; None when what is told does not fit, and changes nothing."""
    return TRANSITIONS[state].get(told)
