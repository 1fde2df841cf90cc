"""Who may do what in the control room: roles, what each lets do, and who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What can be done.

    read: every page and every answer that changes nothing. triage: say what becomes of a
    mismatch group. step: plan, apply, undo. rollback: take a domain back. approve: say yes
    to a step. manage: people, tokens, webhooks.
    """

    READ = "read"
    TRIAGE = "triage"
    STEP = "step"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    MANAGE = "manage"


class Role(StrEnum):
    """What somebody is; they may be several things."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


#: A rollback is the way out, so everybody on duty may take it.
ALLOWS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset((Permission.READ,)),
    Role.OPERATOR: frozenset(
        (Permission.READ, Permission.TRIAGE, Permission.STEP, Permission.ROLLBACK)
    ),
    Role.APPROVER: frozenset((Permission.READ, Permission.APPROVE, Permission.ROLLBACK)),
    Role.ADMIN: frozenset(Permission),
}


class Via(StrEnum):
    """How somebody showed who they are.

    open: nobody was asked, since the room knows no people and serves this machine alone.
    """

    OPEN = "open"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a way in
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who asks the room.

    Attributes:
        name: as the ledger names them.
    """

    name: str
    roles: frozenset[Role]
    via: Via

    def may(self, permission: Permission) -> bool:
        """Whether one of their roles lets them."""
        return any(permission in ALLOWS[role] for role in self.roles)
