"""One captured exchange, and how it becomes what is written."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from proxy.core.redaction import MAX_DECODED_BYTES, OpaqueBodyError, Redactor
from proxy.edge.sealing import Sealer
from proxy.routing import Decision
from proxy.storage import Stored, pack

log = logging.getLogger(__name__)

_NO_BODY: Final[list[bytes]] = []


class Capture:
    """One exchange. Belongs to the event loop until it is offered. A plain class, because
    it is made for each exchange.

    Attributes:
        room: bytes of both bodies that may still be kept.
        is_own_id: the proxy made the request id up, so nothing personal is in it.
        request_head: as it went to the store.
        answer_lines: header lines of the answer, each with its CRLF.
        sealer: None where no domain lets credentials through.
    """

    def __init__(self, decision: Decision, redactor: Redactor, request_id: str, room: int) -> None:
        self.decision = decision
        self.redactor = redactor
        self.request_id = request_id
        self.room = room
        self.is_own_id = False
        self.method = ""
        self.target = b""
        self.request_head = b""
        self.status = 0
        self.answer_lines = b""
        self.at_us = 0
        self.elapsed_us = 0
        self.request_body: list[bytes] = _NO_BODY
        self.body: list[bytes] = _NO_BODY
        self.sealer: Sealer | None = None


def pack_capture(
    capture: Capture, place: msgspec.Raw, max_decoded_bytes: int = MAX_DECODED_BYTES
) -> bytes:
    """Redact an exchange and pack it.

    Raises:
        OpaqueBodyError: a body hides its text from the redactor.
        LargeBodyError: a body's text has more than `max_decoded_bytes`.
    """
    decision, redactor = capture.decision, capture.redactor
    request_id = capture.request_id
    if not capture.is_own_id:
        request_id = redactor.text(request_id)
    request_lines = capture.request_head.partition(b"\r\n")[2]
    request = redactor.request_lines(request_lines, request_id)
    sealed = b""
    if capture.sealer is not None:
        sealed = capture.sealer.seal(decision.domain, request_lines, request_id)
    answer = redactor.header_lines(capture.answer_lines)
    body = b"".join(capture.body) if capture.body else b""
    if body:
        body = redactor.body(body, answer.content_type, answer.content_encoding, max_decoded_bytes)
    request_body = b"".join(capture.request_body) if capture.request_body else b""
    if request_body:
        request_body = redactor.body(
            request_body, request.content_type, request.content_encoding, max_decoded_bytes
        )
    return pack(
        Stored(
            place,
            capture.at_us,
            request_id,
            decision.bucket,
            None if decision.shopper is None else redactor.shopper(decision.shopper),
            capture.method,
            redactor.target_bytes(capture.target),
            request.text,
            request_body,
            capture.status,
            answer.text,
            body,
            capture.elapsed_us,
            sealed,
        )
    )


def drop_reason(problem: Exception, route: str) -> str:
    """Why an exchange that could not be packed is dropped; a defect is logged."""
    if isinstance(problem, OpaqueBodyError):
        return problem.reason
    log.error("a frame of %s could not be made", route, exc_info=problem)
    return "redaction_error"
