"""Who said yes to a change of stage, as the ledger knows it.

A yes is about a domain as it stood in force when it was given: whatever changes about the
domain afterwards makes it void. It is used up by the step that it was given for, since that
step changes the domain too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cutover.core.differences import is_same
from proxy.routing import Approvals, Domain, Stage


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes, or its withdrawal.

    Attributes:
        by: as the ledger names them.
        about: the domain in force when it was given.
        to: the stage that may come.
        withdrawn: they take back what they said before.
    """

    by: str
    at: datetime
    about: Domain
    to: Stage
    withdrawn: bool = False


def approvers(
    given: Iterable[Approval], domain: Domain, to: Stage, rule: Approvals, at: datetime
) -> Mapping[str, datetime]:
    """Who approves of a step of a domain, as it is in force, and since when.

    `given` are those since the domain's last step, oldest first. An earlier yes is used up:
    a domain that was rolled back and looks as it did then needs new ones.
    """
    found: dict[str, datetime] = {}
    for one in given:
        if one.about.name != domain.name or one.to is not to:
            continue
        if one.withdrawn:
            found.pop(one.by, None)
        elif is_same(one.about, domain):
            found[one.by] = one.at
    oldest = at - timedelta(seconds=rule.within_s)
    return {by: since for by, since in found.items() if oldest <= since <= at}


def missing(by: Mapping[str, datetime], rule: Approvals, domain: str, to: Stage, actor: str) -> str:
    """What is missing of the approvals, for whom wants to take the step; "" for nothing.

    Whoever takes the step does not count: four eyes are two people.
    """
    others = sorted(one for one in by if one != actor)
    more = rule.count - len(others)
    if more <= 0:
        return ""
    so_far = f" ({', '.join(others)} did)" if others else ""
    own = f"; {actor} takes the step and does not count" if actor in by else ""
    people = "person" if more == 1 else "people"
    return f"{more} more {people} must approve{so_far}{own}: banyan approve {domain} --to {to}"
