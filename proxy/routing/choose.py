"""Pick one plan where the path alone does not say which: conditions and odd spellings."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from proxy.routing.decision import Refusal, RequestHead, Why
from proxy.routing.graphql import GraphQLOperation, GraphQLProblem, read_operation
from proxy.routing.matcher import Candidate
from proxy.routing.model import AmbiguousPaths
from proxy.routing.paths import canonical_to_send, is_suspect
from proxy.routing.plans import Choice, Found, Nobody, Odd, Plan
from proxy.routing.table import RoutingTable

Owner = Plan | Nobody
_SUSPECT = "The path has a dot segment, a backslash or a NUL"
_DIVIDED = "The path can be read as one of {0} and as one of {1}"


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """Who takes the request, and what is to be noted in the decision.

    Attributes:
        plan: the owner of all of it, or the first of several.
        several: every owner of a part of the request, the one that has moved least first.
        why: instead of the plan's own reason, None to leave that.
        path: see Decision.
    """

    plan: Owner
    several: tuple[Owner, ...] = ()
    why: Why | None = None
    operation: GraphQLOperation | GraphQLProblem | None = None
    path: str | Refusal | None = None


def choose(head: RequestHead, table: RoutingTable, found: Found) -> Chosen:
    """Find the one plan that takes the request."""
    if isinstance(found, Odd):
        return _read_twice(head, table, found)
    if isinstance(found, Choice):
        return _by_conditions(head, table, found)
    return Chosen(found)


def _read_twice(head: RequestHead, table: RoutingTable, odd: Odd) -> Chosen:
    """A path that stores may read differently.

    Where one reading alone belongs to a domain, or both to the same, there is nothing to
    doubt: "/products/a%2Fb" is a product. Where they belong to two domains, any choice
    lets somebody reach one domain's pages by another's rules.
    """
    strict, lenient = (choose(head, table, found) for found in (odd.plain, odd.lenient))
    policy = table.ambiguous_paths
    is_doubtful = is_suspect(odd.raw) or _is_divided(strict.plan, lenient.plan)
    if is_doubtful and policy is AmbiguousPaths.REFUSE:
        reason = (
            _SUSPECT if is_suspect(odd.raw) else _DIVIDED.format(*map(_name, (strict, lenient)))
        )
        return Chosen(table.nobody, (), Why.REFUSED, None, Refusal(f"{reason}."))
    if policy is AmbiguousPaths.CANONICAL and (is_doubtful or isinstance(strict.plan, Nobody)):
        return msgspec.structs.replace(lenient, path=canonical_to_send(odd.raw))
    # No spelling brings a request back to legacy.
    return max(lenient, strict, key=lambda one: _progress(one.plan))


def _is_divided(strict: Owner, lenient: Owner) -> bool:
    if isinstance(strict, Nobody) or isinstance(lenient, Nobody):
        return False
    if strict.domain == lenient.domain:
        return False
    return strict.only_side is None or strict.only_side is not lenient.only_side


def _name(chosen: Chosen) -> str:
    return "none" if isinstance(chosen.plan, Nobody) else chosen.plan.domain


def _by_conditions(head: RequestHead, table: RoutingTable, choice: Choice) -> Chosen:
    if not choice.reads_graphql:
        return Chosen(first(head, table, choice.choices, None)[0])
    read = head.operation
    if read is None and head.method in ("GET", "HEAD"):
        limit = table.graphql.max_tokens
        read = read_operation("GET", None, head.query, b"", max_tokens=limit)
    if isinstance(read, GraphQLProblem):
        # It may be any of them, or what none of them asks for.
        able: list[Owner] = [
            c.value for c in choice.choices if c.conditions.hold_without_graphql(head)
        ]
        is_closed = not choice.choices[-1].conditions
        owners: list[Owner] = able if is_closed else [*able, table.nobody]
        return _shared(owners, Why.UNREAD, read)
    plan, taken = first(head, table, choice.choices, read)
    if read is None or len(read.fields) < 2 or (taken is not None and _names_all(taken)):
        return Chosen(plan, operation=read)
    owners = [first(head, table, choice.choices, one)[0] for one in _apart(read)]
    if len({_domain(owner) for owner in owners}) == 1:
        return Chosen(owners[0], operation=read)
    return _shared(owners, Why.MIXED, read)


def first(
    head: RequestHead,
    table: RoutingTable,
    choices: Iterable[Candidate[Plan]],
    operation: GraphQLOperation | None,
) -> tuple[Owner, Candidate[Plan] | None]:
    """The first whose conditions hold, and its owner; nobody and None when none does."""
    for choice in choices:
        if choice.conditions.hold(head, operation):
            return choice.value, choice
    return table.nobody, None


def _names_all(taken: Candidate[Plan]) -> bool:
    """Whether the route names the operation or its fields itself."""
    asked = taken.conditions.graphql
    return asked is not None and not (asked.operations is None and asked.fields is None)


def _apart(operation: GraphQLOperation) -> Iterable[GraphQLOperation]:
    for name in operation.fields:
        yield GraphQLOperation(operation.type, operation.name, (name,))


def _shared(
    owners: Iterable[Owner], why: Why, operation: GraphQLOperation | GraphQLProblem
) -> Chosen:
    several = tuple(sorted(owners, key=_progress))
    return Chosen(several[0], several, why, operation)


def _progress(owner: Owner) -> tuple[int, int]:
    return (-1, 0) if isinstance(owner, Nobody) else owner.progress


def _domain(owner: Owner) -> str | None:
    return None if isinstance(owner, Nobody) else owner.domain
