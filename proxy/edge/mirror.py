"""The copy of an exchange that is mirrored, while it happens."""

from __future__ import annotations

import time

from proxy.core.answer import Answer
from proxy.core.head import Request
from proxy.core.redaction import Redactor
from proxy.edge.capture import Capture, CaptureQueue
from proxy.edge.sealing import Sealer
from proxy.routing import Decision


class Mirror:
    """Keeps references to both bodies, up to the bound, until the exchange ends. Then it
    is counted, once: as a capture, or as lost for a reason.
    """

    def __init__(
        self, captures: CaptureQueue, redactor: Redactor, sealer: Sealer | None = None
    ) -> None:
        self._captures = captures
        self._redactor = redactor
        self._sealer = sealer
        self._room = captures.body_bytes
        self._request_body: list[bytes] = []
        self._body: list[bytes] = []

    def keep(self, pieces: list[bytes], *, is_answer: bool) -> bool:
        """Keep pieces of a body. False when there is no room for both bodies together."""
        for piece in pieces:
            self._room -= len(piece)
        if self._room < 0:
            return False
        if is_answer:
            self._body += pieces
        else:
            self._request_body += pieces
        return True

    def lose(self, decision: Decision, reason: str) -> None:
        """Count the exchange as mirrored and given up."""
        self._captures.lose(decision, reason)

    def end(
        self,
        decision: Decision,
        request: Request,
        request_id: bytes,
        head: bytes,
        answer: Answer,
        elapsed_us: int,
    ) -> None:
        """Hand the complete exchange over."""
        capture = Capture(decision, self._redactor, request_id.decode("ascii"), self._room)
        capture.is_own_id = request.request_id is None
        capture.method = request.method
        capture.target = request.target
        capture.request_head = head
        capture.status = answer.status
        capture.answer_lines = answer.lines
        capture.at_us = time.time_ns() // 1_000
        capture.elapsed_us = elapsed_us
        capture.request_body = self._request_body
        capture.body = self._body
        capture.sealer = self._sealer
        self._captures.take(capture)
