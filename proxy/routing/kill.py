"""The kill switch: send domains back to legacy at once, whatever their stage.

killed(table, parse_kill("domain:cart, shadow"))
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import override

from proxy.routing.model import Domain, Stage
from proxy.routing.values import shown

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
_MAX_CHARS = 65_536
_FIX = "Write all, canary, shadow, domain:NAME or shadow:NAME, several with commas."


class KillError(ValueError):
    """The text names no scope of a kill; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What is switched off. Scopes add up; none of them switches anything on.

    Attributes:
        everything: every domain goes to legacy.
        canary: every domain in stage canary does, pilots and pins as well.
        shadow: nothing is mirrored.
        domains: these go to legacy.
        shadows: these are not mirrored.
    """

    everything: bool = False
    canary: bool = False
    shadow: bool = False
    domains: frozenset[str] = frozenset()
    shadows: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.scopes)

    def __or__(self, other: Kill) -> Kill:
        return Kill(
            self.everything or other.everything,
            self.canary or other.canary,
            self.shadow or other.shadow,
            self.domains | other.domains,
            self.shadows | other.shadows,
        )

    @property
    def scopes(self) -> tuple[str, ...]:
        """Its scopes as `parse_kill` reads them, in one order."""
        words = (("all", self.everything), ("canary", self.canary), ("shadow", self.shadow))
        return (
            *(word for word, is_on in words if is_on),
            *(f"domain:{name}" for name in sorted(self.domains)),
            *(f"shadow:{name}" for name in sorted(self.shadows)),
        )

    @override
    def __str__(self) -> str:
        return ",".join(self.scopes)

    def stops(self, domain: Domain) -> str | None:
        """The scope that sends the domain to legacy, or None.

        A retired domain stays with the core: legacy has nothing there any more.
        """
        if domain.stage is Stage.RETIRED:
            return None
        if self.everything:
            return "all"
        if domain.name in self.domains:
            return f"domain:{domain.name}"
        return "canary" if self.canary and domain.stage is Stage.CANARY else None

    def stops_shadow(self, domain: Domain) -> bool:
        """Whether the domain is not mirrored any more."""
        if self.shadow or domain.name in self.shadows:
            return True
        return self.stops(domain) is not None

    def strangers(self, domains: Iterable[Domain]) -> tuple[str, ...]:
        """Names in its scopes that are none of these domains': worth a warning."""
        known = {domain.name for domain in domains}
        return tuple(sorted((self.domains | self.shadows) - known))


def parse_kill(text: str) -> Kill:
    """Read scopes apart by commas, spaces or lines; text after # is a remark.

    An empty text is no kill.

    Raises:
        KillError: a word is no scope.
    """
    if len(text) > _MAX_CHARS:
        raise KillError(f"The text is longer than {_MAX_CHARS} characters. {_FIX}")
    found = Kill()
    for line in text.splitlines():
        for word in line.partition("#")[0].replace(",", " ").split():
            found |= _scope(word)
    return found


def _scope(word: str) -> Kill:
    kind, colon, name = word.partition(":")
    if not colon:
        plain = {
            "all": Kill(everything=True),
            "canary": Kill(canary=True),
            "shadow": Kill(shadow=True),
        }
        if kind in plain:
            return plain[kind]
    elif kind in ("domain", "shadow"):
        if not _NAME.fullmatch(name):
            raise KillError(f"{shown(name)} is no name of a domain. {_FIX}")
        names = frozenset((name,))
        return Kill(domains=names) if kind == "domain" else Kill(shadows=names)
    raise KillError(f"{shown(word)} is no scope. {_FIX}")
