"""Put a request before the routing table, with all that the table wants to know of it."""

from __future__ import annotations

from proxy.core.head import Request
from proxy.core.store_head import drop_cookies
from proxy.edge.context import Context
from proxy.routing import (
    COOKIE_NAMES,
    Decision,
    GraphQLOperation,
    GraphQLProblem,
    RequestHead,
    RoutingTable,
    Ticket,
    Unread,
    decide,
    read_operation,
    read_ticket,
    ticket_cookie,
)

Operation = GraphQLOperation | GraphQLProblem | None


def choose(
    context: Context, table: RoutingTable, request: Request, request_id: bytes, operation: Operation
) -> Decision:
    """The table's decision about a request."""
    name = request_id.decode("ascii")
    if not (table.uses_tickets or table.names_hosts or operation is not None):
        return decide(
            RequestHead(request.method, request.path, request.lookup, request.query, name),
            table,
        )
    ticket: Ticket | None = None
    visitor, now_s = "", 0
    if table.uses_tickets:
        now_s = context.now_s()
        visitor = context.new_visitor()
        ticket = read_ticket(request.lookup.get("cookie"), context.ticket_key, now_s)
    return decide(
        RequestHead(
            method=request.method,
            path=request.path,
            headers=request.lookup,
            query=request.query,
            request_id=name,
            host=(request.host or b"").decode("latin-1"),
            operation=operation,
            ticket=ticket,
            visitor=visitor,
            now_s=now_s,
        ),
        table,
    )


def hide_ticket(request: Request) -> None:
    """Keep our cookie from the stores: it is between the client and the proxy."""
    if "banyan=" in request.lookup.get("cookie", ""):
        drop_cookies(request, COOKIE_NAMES)


def ticket_line(context: Context, table: RoutingTable, ticket: Ticket, *, is_secure: bool) -> bytes:
    """The header line that gives the client its ticket."""
    value = ticket_cookie(
        ticket, context.ticket_key, is_secure=is_secure, max_age_s=table.ticket_max_age_s
    )
    return b"Set-Cookie: %b\r\n" % value


class LookAhead:
    """The beginning of a body, kept back until the table knows what it asks for.

    Attributes:
        pieces: what has come so far.
    """

    def __init__(self, bound: int) -> None:
        """Keep no more than `bound` bytes and one read."""
        self._room = bound
        self.pieces: list[bytes] = []

    def is_filled_by(self, pieces: list[bytes]) -> bool:
        """Take pieces. True when they are more than may be looked at."""
        self.pieces += pieces
        self._room -= sum(map(len, pieces))
        return self._room < 0

    def operation(self, table: RoutingTable, request: Request, *, is_whole: bool) -> Operation:
        """What the body asks for."""
        if not is_whole:
            return GraphQLProblem(Unread.TOO_LARGE)
        return read_operation(
            request.method,
            request.lookup.get("content-type"),
            request.query,
            b"".join(self.pieces),
            max_tokens=table.graphql.max_tokens,
        )


def look_ahead(table: RoutingTable, request: Request) -> LookAhead | None:
    """What keeps a body back, or None when the head says all that the table wants."""
    if not table.looks_ahead or not request.has_body:
        return None
    head = RequestHead(
        method=request.method,
        path=request.path,
        headers=request.lookup,
        query=request.query,
        host=(request.host or b"").decode("latin-1"),
    )
    bound = table.look_ahead(head)
    return LookAhead(bound) if bound else None
