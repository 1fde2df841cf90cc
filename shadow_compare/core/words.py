"""Figures and differences in words for people."""

from __future__ import annotations

from shadow_compare.core.evidence import Accounting, DomainEvidence, Parity
from shadow_compare.core.sampling import Served, Stratum

#: Waited for the comparer when a store's release or address changed.
OTHER_RELEASE = "other_release"
LOSS_WORDS = {
    "body_too_large": "body too large to keep",
    "client_gone": "the shopper left",
    "crash": "lost with a killed proxy worker",
    "domain_gone": "its domain left the table",
    "opaque_charset": "its charset cannot be redacted",
    "opaque_encoding": "its coding cannot be redacted",
    OTHER_RELEASE: "captured under another release",
    "queue_full": "the proxy's queue was full",
    "redacted_request": "the request holds personal data",
    "request_invalid": "the request cannot be sent again",
    "route_gone": "its route left the table",
    "shadow_opaque": "the other side's answer cannot be redacted",
    "shadow_timeout": "the other side was too slow",
    "shadow_truncated": "the other side's answer was cut off or too long",
    "shadow_unreachable": "the other side did not answer",
    "spool_error": "the disk refused",
    "spool_full": "the spool was full",
    "spool_removed": "the spool was removed",
    "stale": "too old when the comparer came",
}


def percent(ppm: int) -> str:
    """A share in per cent, never rounded up: 999,999 ppm is 99.999 %, not 100 %."""
    digits = 3 if ppm > 990_000 else 2
    scale = 10 ** (4 - digits)
    text = f"{ppm // scale * scale / 10_000:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def surety(parity: Parity) -> str:
    """The bound in words, or that there is nothing to say yet."""
    if not parity.samples:
        return "not enough data yet"
    sure = percent(parity.confidence_bp * 100)
    return f"at least {percent(parity.lower_ppm)} ({sure} sure)"


SERVED_WORDS = {
    Served.LEGACY: "served by legacy",
    Served.CORE: "served by the core",
    Served.PILOT: "pilots and pinned shoppers",
    Served.NOBODY: "without a shopper key",
}


def stratum_words(stratum: Stratum) -> str:
    """A stratum's name: route, whom the answers were for, legacy's status."""
    return f"{stratum.route}, {SERVED_WORDS[stratum.served]}, {stratum.status_class}"


def losses(books: Accounting) -> str:
    """Every loss with its cause, the greatest first; "" when nothing was lost."""
    ranked = sorted(books.losses.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {LOSS_WORDS.get(why, why)}" for why, count in ranked)


def statement(books: Accounting) -> str:
    """Where every mirrored exchange went, in one sentence that adds up."""
    text = (
        f"{books.mirrored:,} mirrored = {books.compared:,} compared + {books.lost:,} lost"
        f" + {books.pending:,} pending"
    )
    return f"{text} (lost: {losses(books)})" if books.lost else text


def headline(found: DomainEvidence) -> str:
    """A domain in one sentence."""
    overall = found.overall
    if not found.heartbeat_s:
        return f"{found.domain}: the comparer has not seen it yet"
    if not overall.compared:
        return f"{found.domain}: nothing compared yet under these rules and releases"
    return f"{found.domain}: {surety(overall)} equal, {overall.samples:,} samples"


def asides(found: DomainEvidence) -> tuple[str, ...]:
    """What stands beside parity: evidence found again, and what noise could hide."""
    told = []
    if found.carried:
        fresh = max(0, found.overall.samples - found.carried)
        told.append(f"{found.carried:,} samples carried from before, {fresh:,} fresh")
    if found.overall.hidden_at_most is not None:
        told.append(
            f"noise could hide at most {found.overall.hidden_at_most:,} mismatches"
            f" of {found.overall.compared:,} comparisons"
        )
    return tuple(told)
