"""Which names one shop hides: the known ones, without those it shows, with those it adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from proxy.core.sensitive import is_sensitive_name, words_of

NameTest = Callable[[str], bool]

_REMEMBERED = 8_192
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_NAME = ("name",)
# Whose `name` is that of a person. A product, a category or a shipping method has one too.
_PERSONS = frozenset(
    (
        *("buyer", "buyers", "cardholder", "contact", "contacts", "customer", "customers"),
        *("guest", "guests", "payer", "person", "persons", "recipient", "shopper", "shoppers"),
        *("user", "users"),
    )
)


class Names:
    """Names of keys, fields, parameters and headers, compared word by word.

    Threads may share it: at worst one learns a thing twice.
    """

    def __init__(self, show: Iterable[str] = (), hide: Iterable[str] = ()) -> None:
        """Args: show: whole names whose values may be seen. hide: words, or words in a row,
        that make any name with them a sensitive one; they go before `show`.
        """
        self._show = frozenset([words_of(name) for name in show])
        self._hide = [words_of(name) for name in hide]
        self._is_usual = not self._show and not self._hide
        self._known: dict[bytes, bool] = {}

    def is_sensitive(self, name: str) -> bool:
        """Whether what stands under a name is hidden."""
        if self._is_usual:
            return is_sensitive_name(name)
        words = words_of(name)
        if any(_holds(words, phrase) for phrase in self._hide):
            return True
        return words not in self._show and is_sensitive_name(name)

    def is_field(self, name: str) -> bool:
        """The same for a field of a form, where a bare `name` is that of a person."""
        words = words_of(name)
        return self.is_sensitive(name) or (words == _NAME and words not in self._show)

    def is_person(self, name: str) -> bool:
        """Whether a `name` below a key of this name is that of a person."""
        words = words_of(name)
        return bool(words) and words[-1] in _PERSONS and _NAME not in self._show

    def is_sensitive_key(self, key: bytes) -> bool:
        """`is_sensitive` of a JSON key as it is spelled in bytes."""
        return self._of_key(b"s" + key, key, self.is_sensitive)

    def is_person_key(self, key: bytes) -> bool:
        """`is_person` of a JSON key as it is spelled in bytes."""
        return self._of_key(b"p" + key, key, self.is_person)

    def is_suspect_key(self, key: bytes) -> bool:
        """Whether a JSON key of this spelling asks for a thorough search."""
        return self.is_sensitive_key(key) or self.is_person_key(key)

    def _of_key(self, place: bytes, key: bytes, test: NameTest) -> bool:
        known = self._known.get(place)
        if known is None:
            text = key.decode("utf-8", "replace")
            if "\\" in text:
                text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
            known = test(text)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[place] = known
        return known


def is_name_key(key: bytes) -> bool:
    """Whether a JSON key says `name` and nothing else."""
    return key.lower() == b"name"


def _holds(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    size = len(phrase)
    return any(words[at : at + size] == phrase for at in range(len(words) - size + 1))
