"""What the page of people says: who is known, as what, since when, and which programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.core.access import Role
from cutover.core.people import Book

#: What each role is for, in as many words as fit beside a box to tick.
DOES: Mapping[Role, str] = {
    Role.VIEWER: "reads",
    Role.OPERATOR: "steps, takes back, triages",
    Role.APPROVER: "approves, takes back",
    Role.ADMIN: "everything, people too",
}
#: What a page that follows an act says of it, by the act's name in the address.
DONE: Mapping[str, str] = {
    "added": "{name} may now sign in.",
    "roles": "{name} has other roles from now on.",
    "password": "{name} has a new password; open sessions have ended.",
    "disabled": "{name} may no longer sign in; open sessions have ended.",
    "enabled": "{name} may sign in again.",
    "revoked": "The token is void.",
}


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody who is known.

    Attributes:
        came_s: when they last signed in; None where that is not known.
        is_last_admin: nothing may be taken from them.
    """

    name: str
    roles: tuple[Role, ...]
    since_s: float
    came_s: float | None
    is_disabled: bool
    is_last_admin: bool

    @property
    def words(self) -> str:
        """What they are."""
        return " and ".join(self.roles)


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A program's token, which nobody can see again."""

    name: str
    words: str
    since_s: float
    expires_s: float | None
    is_void: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """A form that was sent in vain.

    Attributes:
        where: which form: an act, and for one of somebody's their name behind a slash.
        filled: what was in it, without passwords.
    """

    where: str = ""
    text: str = ""
    filled: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class PeopleView:
    """The page.

    Attributes:
        token: of its forms; "" where nothing changes from here.
        done: what the act before did; "" for none.
        is_first: nobody is known yet, so the first has to be an admin.
    """

    now_s: float
    people: tuple[PersonLine, ...]
    tokens: tuple[TokenLine, ...]
    token: str
    done: str
    trouble: Trouble
    is_first: bool

    @property
    def does(self) -> Mapping[Role, str]:
        """What each role is for."""
        return DOES

    def filled(self, where: str, name: str) -> str:
        """What somebody wrote into a form that was in vain."""
        return self.trouble.filled.get(name, "") if self.trouble.where == where else ""

    def ticked(self, where: str, had: tuple[Role, ...] = ()) -> frozenset[Role]:
        """The roles whose boxes are ticked in a form."""
        if self.trouble.where != where:
            return frozenset(had)
        return roles_in(self.trouble.filled)


@dataclass(frozen=True, slots=True)
class Secret:
    """What is shown this once.

    Attributes:
        title: what it is, and whose.
        text: it.
        more: what to do with it, and what else it did.
    """

    title: str
    text: str = field(repr=False)
    more: str


def people_view(
    book: Book,
    came: Mapping[str, float],
    now_s: float,
    *,
    token: str,
    done: tuple[str, str] = ("", ""),
    trouble: Trouble | None = None,
) -> PeopleView:
    """The page of a book. `came` tells when somebody last signed in, by name.

    `done` names an act and of whom; it is said only of somebody who is known, so that no
    link makes the page say anything else.
    """
    people = tuple(
        PersonLine(
            one.name, tuple(sorted(one.roles)), one.since.timestamp(), came.get(one.name),
            one.disabled, book.admins == {one.name},
        )
        for one in book.people.values()
    )  # fmt: skip
    tokens = tuple(
        TokenLine(
            one.name, " and ".join(sorted(one.roles)), one.since.timestamp(),
            None if one.expires is None else one.expires.timestamp(),
            one.expires is not None and now_s >= one.expires.timestamp(),
        )
        for one in book.tokens.values()
    )  # fmt: skip
    act, name = done
    is_said = act in DONE and (name in book.people or act == "revoked")
    said = DONE[act].format(name=name) if is_said else ""
    return PeopleView(now_s, people, tokens, token, said, trouble or Trouble(), not book)


def roles_in(fields: Mapping[str, str]) -> frozenset[Role]:
    """The roles that were ticked in a form."""
    return frozenset(role for role in Role if fields.get(f"role-{role}"))
