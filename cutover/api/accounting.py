"""Shadow accounting in words: one sum in which no exchange is missing."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.api.figures import count
from shadow_compare.core.evidence import Accounting

LOSS_WORDS = {
    "queue_full": "dropped (queue full)",
    "spool_full": "dropped (spool full)",
    "body_too_large": "dropped (body too large)",
    "client_gone": "dropped (shopper left)",
    "crash": "lost in a crash",
    "torn": "torn by a crash",
    "shadow_timeout": "unanswered in time",
    "shadow_unreachable": "other side unreachable",
    "shadow_truncated": "answer cut short",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One summand. `kind` is compared, loss, waiting or unaccounted."""

    kind: str
    words: str
    number: int


@dataclass(frozen=True, slots=True)
class AccountingLine:
    """The sum, ready to be shown.

    `mirrored` + `twice` equals the numbers of `terms`, always: what the source's own
    figures do not explain is a term of its own, and `balanced` is False then.
    """

    mirrored: int
    twice: int
    terms: tuple[Term, ...]
    balanced: bool
    sentence: str


def accounting_line(accounting: Accounting) -> AccountingLine:
    """Turn the account of a domain into a sum that adds up."""
    losses = sorted(accounting.losses.items(), key=lambda item: (-item[1], item[0]))
    terms = [Term("compared", "compared", accounting.compared)]
    terms += [Term("loss", loss_words(reason), number) for reason, number in losses if number]
    if accounting.pending:
        terms.append(Term("waiting", "waiting", accounting.pending))
    gap = accounting.mirrored - sum(term.number for term in terms)
    if gap > 0:
        terms.append(Term("unaccounted", "unaccounted for", gap))
    left = f"{count(accounting.mirrored)} mirrored"
    if gap < 0:
        left += f" + {count(-gap)} counted twice"
    right = " + ".join(f"{count(term.number)} {term.words}" for term in terms)
    return AccountingLine(
        accounting.mirrored, max(0, -gap), tuple(terms), gap == 0, f"{left} = {right}"
    )


def loss_words(reason: str) -> str:
    """A loss's reason in plain words; an unknown one keeps its own name."""
    return LOSS_WORDS.get(reason, reason.replace("_", " "))
