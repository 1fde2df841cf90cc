"""One captured exchange, and how it becomes what is written."""

from __future__ import annotations

import logging

import msgspec

from proxy.core.redaction import MAX_DECODED_BYTES, OpaqueBodyError, Redactor
from proxy.routing import Decision
from proxy.storage import Stored, pack

log = logging.getLogger(__name__)


class Capture(msgspec.Struct, gc=False):
    """One exchange. Belongs to the event loop until it is offered.

    Attributes:
        room: bytes of both bodies that may still be kept.
        request_head: as it went to the store.
        answer_lines: header lines of the answer, each with its CRLF.
    """

    decision: Decision
    redactor: Redactor
    request_id: str
    room: int
    method: str = ""
    target: bytes = b""
    request_head: bytes = b""
    status: int = 0
    answer_lines: bytes = b""
    at_us: int = 0
    elapsed_us: int = 0
    request_body: list[bytes] = []
    body: list[bytes] = []


def pack_capture(
    capture: Capture, place: msgspec.Raw, max_decoded_bytes: int = MAX_DECODED_BYTES
) -> bytes:
    """Redact an exchange and pack it.

    Raises:
        OpaqueBodyError: a body hides its text from the redactor.
        LargeBodyError: a body's text has more than `max_decoded_bytes`.
    """
    decision, redactor = capture.decision, capture.redactor
    request_id = redactor.text(capture.request_id)
    request = redactor.request_lines(capture.request_head.partition(b"\r\n")[2], request_id)
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
        )
    )


def drop_reason(problem: Exception, route: str) -> str:
    """Why an exchange that could not be packed is dropped; a defect is logged."""
    if isinstance(problem, OpaqueBodyError):
        return problem.reason
    log.error("a frame of %s could not be made", route, exc_info=problem)
    return "redaction_error"
