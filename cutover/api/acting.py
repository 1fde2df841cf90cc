"""The forms by which people act from pages, and who may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request

from cutover.api.writing import FORM_LIMIT, BadForm, Doorkeeper, read_form
from cutover.core.access import Permission, Who

_LONGEST = 500
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class ActForm:
    """A form to act by.

    Attributes:
        name: who acts; "" where nobody is known.
        filled: what was in it when it was sent in vain.
        problem: why that was in vain.
    """

    token: str
    name: str
    filled: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def asks_name(self) -> bool:
        """Whether whoever acts has to say who they are."""
        return not self.name


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a form that was sent in vain; without any, of a first look.

    Attributes:
        filled: what was in it.
        trouble: why it was in vain; "" where it was not.
        stale: why what it confirmed is not what is shown now.
        status: of the answer.
    """

    filled: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    stale: str = ""
    status: int = 200


def why_not(who: Who, permission: Permission, *, is_read_only: bool) -> str:
    """Why a page has no form for somebody; "" when it has."""
    if not who.may(permission):
        return f"You are {who.name or 'nobody known'}; this takes the permission: {permission}."
    if is_read_only:
        return "This room only reads; the command does it."
    return ""


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent.

    Raises:
        BadForm: it is none, or far too long.
    """
    return read_form(await bounded(request))


async def bounded(request: Request) -> bytes:
    """The body, read no further than a form may reach.

    Raises:
        BadForm: it is longer.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_LIMIT:
            raise BadForm("The form is too long.")
    return bytes(body)


def actor_and_reason(who: Who, fields: Mapping[str, str]) -> tuple[str, str]:
    """Who acts, as the ledger is to name them, and why.

    Somebody who is known cannot act under another name.

    Raises:
        BadForm: one of both is missing, or too long.
    """
    actor = who.name or fields.get("by", "")
    reason = fields.get("reason", "")
    if not actor:
        raise BadForm("Say who you are; the ledger keeps it.")
    if not reason:
        raise BadForm("Say why; the ledger keeps it.")
    if len(actor) > _LONGEST_NAME:
        raise BadForm(f"A name has {_LONGEST_NAME} characters at most.")
    if len(reason) > _LONGEST:
        raise BadForm(f"A reason has {_LONGEST} characters at most.")
    return actor, reason


@dataclass(frozen=True, slots=True)
class Gatehouse:
    """Makes forms of pages, and lets those through that were sent from them."""

    doorkeeper: Doorkeeper
    is_read_only: bool

    def form(
        self,
        who: Who,
        permission: Permission,
        subject: str,
        now_s: float,
        tried: Tried | None = None,
    ) -> ActForm | None:
        """A form for somebody; None where they may not, or nothing changes from here."""
        if self.is_read_only or not who.may(permission):
            return None
        tried = tried or Tried()
        token = self.doorkeeper.token(subject, now_s)
        return ActForm(token, who.name, tried.filled, tried.trouble)

    def refusal(
        self, request: Request, subject: str, fields: Mapping[str, str], now_s: float
    ) -> str | None:
        """Why a form that was sent may change nothing; None when it may."""
        if self.is_read_only:
            return "The room only reads."
        token = fields.get("token", "")
        return self.doorkeeper.problem_with(request.headers, subject, token, now_s)
