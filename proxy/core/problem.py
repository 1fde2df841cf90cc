"""Answers of the proxy's own: RFC 9457 problem details."""

from __future__ import annotations

from http import HTTPStatus

import msgspec


def problem(status: int, detail: str, request_id: str) -> dict[str, object]:
    """The problem as a JSON object."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }


def problem_answer(
    status: int,
    detail: str,
    request_id: str,
    *,
    keep_alive: bool,
    is_head: bool = False,
    retry_after_s: int = 1,
) -> bytes:
    """A whole HTTP/1.1 answer. 503 asks the client to come back after `retry_after_s`."""
    body = msgspec.json.encode(problem(status, detail, request_id))
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        "Via: 1.1 banyan",
        f"X-Request-ID: {request_id}",
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(f"Retry-After: {retry_after_s}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if is_head else head + body
