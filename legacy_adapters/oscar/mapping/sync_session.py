"""Sessions: who a client is, and which basket is open."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate, Mapped
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.sync_session_data import Data, read_data, write_data
from legacy_adapters.ports.documents import Own

SESSION = Table(
    "django_session",
    ("session_key",),
    {"session_key": cells.TEXT, "session_data": cells.TEXT, "expire_date": cells.MOMENT},
    # Oscar writes it whenever it answers.
    is_fenced=False,
)
_BASKET, _USER = "oscar_open_basket", "_auth_user_id"
_BACKEND, _HASH = "_auth_user_backend", "_auth_user_hash"
_OSCARS_BACKEND = "oscar.apps.customer.auth_backends.EmailBackend"
_LIFE = timedelta(days=14)
_LONGEST_KEY, _LONGEST_NUMBER, _LONGEST_HASH = 40, 18, 128


class SessionDocument(msgspec.Struct, frozen=True):
    """A client's session.

    Attributes:
        session_key: what opens it; as good as a password.
        customer_id: who logged in; None for a guest.
        auth_hash: what Django compares with the customer's password.
    """

    id: UUID
    session_key: str
    customer_id: UUID | None
    cart_id: UUID | None
    auth_hash: str
    expires_at: datetime


class SessionTranslation:
    """Between django_session and the facade's sessions."""

    shape = Shape("session", SESSION)
    entity_type = "session"
    columns: Mapping[str, Mapping[str, Fate]] = {
        SESSION.name: {
            "session_key": Mapped("oscar_session.session_key"),
            "session_data": Mapped("oscar_session.cart_id"),
            "expire_date": Mapped("oscar_session.expires_at"),
        }
    }
    losses: Sequence[Loss] = (
        Loss("django_session.session_data", "signed anew when the basket or the owner changed"),
    )

    def __init__(self, secret_key: str) -> None:
        """Begin.

        Args:
            secret_key: SECRET_KEY of the shop, with which it signs.
        """
        self._secret_key = secret_key

    def forward(self, rows: AggregateRows, known: cells.Known) -> SessionDocument:
        """The session of a row."""
        row = Cells(SESSION.name, cells.root_of(self.shape, rows))
        key = row.text("session_key", longest=_LONGEST_KEY)
        data = read_data(row.text("session_data"))
        user, basket = _number(data.get(_USER)), _number(data.get(_BASKET))
        return SessionDocument(
            id=cells.id_of(known, "session", key),
            session_key=key,
            customer_id=None if user is None else cells.id_of(known, "user", user),
            cart_id=None if basket is None else cells.id_of(known, "basket", basket),
            auth_hash=_hash(data) if user is not None else "",
            expires_at=row.moment("expire_date"),
        )

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The session, its owner and its basket."""
        row = cells.root_of(self.shape, rows)
        data = read_data(str(row["session_data"]))
        named = (("user", _number(data.get(_USER))), ("basket", _number(data.get(_BASKET))))
        found = {(what, key) for what, key in named if key is not None}
        return found | {("session", str(row["session_key"]))}

    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The session."""
        key = str(cells.root_of(self.shape, rows)["session_key"])
        return {("session", key): cells.id_of(known, "session", key)}

    def owns(self, doc: SessionDocument) -> Sequence[Own]:
        """The session, which is its own key."""
        return (Own("session", doc.id, key=doc.session_key),)

    def points_at(self, doc: SessionDocument) -> Sequence[Own]:
        """Its owner and its basket, which may be gone."""
        owner = [Own("user", one) for one in (doc.customer_id,) if one is not None]
        # Oscar deletes the baskets that it empties and lets sessions name them.
        may_be_gone = doc.cart_id is None or cells.is_legacy_born(doc.cart_id)
        basket = [
            Own("basket", one, is_needed=not may_be_gone)
            for one in (doc.cart_id,)
            if one is not None
        ]
        return (*owner, *basket)

    def reverse(
        self, doc: SessionDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The row of a session. What else oscar keeps in it stays."""
        before = cells.before_of(self.shape, sidecar)
        text = str(before.get("session_data", ""))
        old = read_data(text)
        new = self._data(doc, old, numbers)
        if not before or new != old:
            text = write_data(new, self._secret_key, doc.expires_at - _LIFE)
        row: Row = {
            "session_key": doc.session_key,
            "session_data": text,
            "expire_date": cells.moment_text(doc.expires_at),
        }
        return {SESSION.name: (row,)}

    def money(self, doc: SessionDocument) -> tuple[int, str] | None:  # noqa: ARG002 - the port's
        """None: a session is no money."""
        return None

    def _data(self, doc: SessionDocument, old: Data, numbers: Mapping[UUID, str]) -> dict[str, Any]:
        new = dict(old)
        basket = None if doc.cart_id is None else numbers.get(doc.cart_id)
        if basket is not None and basket != _number(old.get(_BASKET)):
            new[_BASKET] = int(basket)
        if doc.cart_id is None and _number(old.get(_BASKET)) is not None:
            del new[_BASKET]
        user = None if doc.customer_id is None else numbers[doc.customer_id]
        before = _number(old.get(_USER))
        if user == before and (user is None or doc.auth_hash == _hash(old)):
            return new
        for name in (_USER, _HASH):
            new.pop(name, None)
        if user is None:
            new.pop(_BACKEND, None)
            return new
        new |= {_USER: user, _BACKEND: old.get(_BACKEND, _OSCARS_BACKEND), _HASH: doc.auth_hash}
        return new


def _hash(data: Data) -> str:
    """What a session says of a password; "" for nothing that could be true."""
    said = data.get(_HASH)
    is_digest = isinstance(said, str) and said.isascii() and said.isalnum()
    return said if isinstance(said, str) and is_digest and len(said) <= _LONGEST_HASH else ""


def _number(value: object) -> str | None:
    """A key of another row; None for what is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    is_key = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return str(int(text)) if is_key and int(text) > 0 else None
