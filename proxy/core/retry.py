"""When a request may be sent again, and when legacy may answer in the core's place."""

from __future__ import annotations

# RFC 9110, 9.2.1 and 9.2.2.
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
FALLBACK_METHODS = frozenset(("GET", "HEAD"))
IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
MAX_ATTEMPTS = 2


def may_retry(
    method: str, *, sent_bytes: int, answered: bool, has_body: bool, attempts: int
) -> bool:
    """Whether a request that failed may be sent to the same store once more.

    A request of which no byte was sent may always go again: the store knows nothing of
    it. One that was sent goes again only when twice is once (an idempotent method), when
    nothing of an answer came, and when its body is not gone with the first attempt.

    Args:
        method: upper case; unknown ones are taken for not idempotent.
        sent_bytes: handed to a store's connection so far, head included.
        answered: whether any byte of an answer was received, 1xx included.
        has_body: whether the request has a body.
        attempts: made so far, 1 or more.
    """
    if answered or attempts >= MAX_ATTEMPTS:
        return False
    return sent_bytes == 0 or (method in IDEMPOTENT_METHODS and not has_body)


def may_fall_back(method: str, *, is_allowed: bool, answered: bool, has_body: bool) -> bool:
    """Whether legacy may answer a request that the core failed or was kept from.

    Only what changes nothing, GET and HEAD: the core may have done what it was asked before
    it failed, and legacy would do it a second time.

    Args:
        method: upper case.
        is_allowed: the routing table lets this domain fall back.
        answered: whether any byte of the core's answer went to the client.
        has_body: whether the request has a body, which may be gone.
    """
    return is_allowed and not answered and not has_body and method in FALLBACK_METHODS
