"""Words in which cases are written."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import (
    OK,
    Answering,
    Case,
    Expectation,
    Forwarded,
    HalfClose,
    ReadRequest,
    Refused,
    Send,
    Step,
)

HOST = "Host: shop.example"
NEXT = b"GET /next HTTP/1.1\r\nHost: shop.example\r\n\r\n"


def ask(line: str = "GET /x HTTP/1.1", *fields: str, body: bytes = b"", host: str = HOST) -> bytes:
    """A request with a Host, unless `host` is empty."""
    lines = [line, *([host] if host else []), *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def post(*fields: str, body: bytes = b"") -> bytes:
    """A POST whose framing is up to `fields`."""
    return ask("POST /x HTTP/1.1", *fields, body=body)


def chunked(body: bytes, *fields: str) -> bytes:
    """A POST with a chunked body, written out in `body`."""
    return post("Transfer-Encoding: chunked", *fields, body=body)


def say(status: str = "200 OK", *fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """A store's answer."""
    return ("\r\n".join([f"HTTP/{version} {status}", *fields]) + "\r\n\r\n").encode(
        "latin-1"
    ) + body


class Shelf:
    """Cases of one category."""

    def __init__(self, category: str) -> None:
        self.category = category
        self.cases: list[Case] = []

    def add(
        self, name: str, client: bytes | tuple[Step, ...], wants: Expectation, **more: Any
    ) -> None:
        """Any case. `store` may be the bytes of its answers."""
        steps = (Send(client),) if isinstance(client, bytes) else client
        store = more.pop("store", OK)
        if isinstance(store, bytes):
            store = ((Answering((store,)),),)
        elif store and not isinstance(store[0], tuple):
            store = (store,)
        self.cases.append(Case(name, self.category, steps, wants, store, **more))

    def refused(self, name: str, data: bytes, *statuses: int, **more: Any) -> None:
        """Nothing of `data` may reach a store, and neither may what stands behind it."""
        keys = ("is_begun", "before", "hazard", "harm", "mended")
        wants = Refused(statuses or (400,), **{k: more.pop(k) for k in keys if k in more})
        self.add(name, data + more.pop("then", NEXT), wants, **more)

    def forwarded(self, name: str, data: bytes | tuple[Step, ...], **more: Any) -> None:
        """`data` reaches the store as one request, or as `more` says."""
        keys: tuple[str, ...] = ("lines", "count", "has", "lacks", "block", "body", "tunnel", "got")
        keys += ("is_optional", "harm", "stall_harm", "got_harm")
        wants = Forwarded(**{k: more.pop(k) for k in keys if k in more})
        self.add(name, data, wants, **more)

    def answered(self, name: str, answer: bytes, wants: Expectation, **more: Any) -> None:
        """The store answers one request with these bytes; `fin`: and ends the connection."""
        steps: tuple[Step, ...] = (ReadRequest(), Send(answer))
        if more.pop("fin", False):
            steps += (HalfClose(),)
        self.add(name, more.pop("request", ask()), wants, store=steps, **more)
