"""What a shopper types, and what it is found in: words, documents, slips of the finger."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

LONGEST_WORD = 64
MOST_WORDS = 12
"""Words of a query that are looked at; who types more gets answers to the first ones."""

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in the form in which they are compared: small, without accents.

    "Café-Crème №5" is cafe, creme, no5. The databases never fold a word themselves, so both
    find the same.
    """
    # Twice, as Unicode's compatibility caseless match wants it (3.13, D146): taking a sign
    # apart may bring forth capitals.
    apart = text
    for _ in range(2):
        apart = unicodedata.normalize("NFKD", apart).casefold()
    apart = unicodedata.normalize("NFKD", apart)
    plain = "".join(one for one in apart if not unicodedata.combining(one))
    return tuple(one[:LONGEST_WORD] for one in _WORD.findall(plain))


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """What one product is found by. All texts are folded words with spaces between.

    Attributes:
        product_id: one that stands alone or gathers variants; these are found through it.
        keys: what identifies it or its variants: SKU, GTIN, codes.
        labels: categories, type and attributes.
        facets: (name, value), e.g. ("type", "book") or ("attr:language", "French").
    """

    product_id: UUID
    title: str
    keys: str
    labels: str
    body: str
    facets: frozenset[tuple[str, str]] = frozenset()

    @property
    def words(self) -> frozenset[str]:
        """Every word that it is found by."""
        return frozenset(f"{self.title} {self.keys} {self.labels} {self.body}".split())


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a query with what may stand for it.

    Attributes:
        is_prefix: words that begin with it are meant too: it was not typed to its end.
    """

    alternatives: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is to be found.

    Attributes:
        terms: each must be found; none finds everything.
        facets: for each name one of its values.
        offset: documents to leave out at the beginning.
    """

    terms: tuple[Term, ...]
    facets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    limit: int = 24
    offset: int = 0


def slips_allowed(word: str) -> int:
    """How many slips a word of this length may hold: none up to 2 letters, two from 8 on."""
    if len(word) < 3 or word.isdigit():
        return 0
    return 1 if len(word) < 8 else 2


def slips_between(one: str, other: str, most: int) -> int:
    """How many letters must be changed, added, left out or exchanged with their neighbour;
    `most + 1` when it is more than `most`.

    The optimal string alignment distance (Wagner and Fischer with Damerau's exchange).
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before = before, row
        row = [i]
        for j, against in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                least = min(least, older[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def most_alike(word: str, candidates: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The candidates with the fewest slips, none with more than the word's length allows."""
    allowed = slips_allowed(word)
    near = [(slips_between(word, one, allowed), one) for one in candidates if one != word]
    least = min((slips for slips, _ in near), default=allowed + 1)
    if least > allowed:
        return ()
    return tuple(sorted(one for slips, one in near if slips == least)[:most])


def terms_of(
    typed: Sequence[str],
    known: Collection[str],
    begun: Collection[str],
    alike: Mapping[str, Sequence[str]],
) -> tuple[tuple[Term, ...], tuple[tuple[str, str], ...]]:
    """The terms of a query, and which words were taken for which others.

    Args:
        typed: its words.
        known: those that some document holds.
        begun: those that some document's word begins with.
        alike: for others, words of documents that they may have been meant for.
    """
    terms: list[Term] = []
    corrected: list[tuple[str, str]] = []
    for place, word in enumerate(typed):
        is_last = place == len(typed) - 1
        if word in known or (is_last and word in begun):
            terms.append(Term((word,), is_last))
            continue
        meant = most_alike(word, alike.get(word, ()))
        terms.append(Term(meant or (word,)))
        corrected.extend((word, one) for one in meant)
    return tuple(terms), tuple(corrected)
