"""How long somebody has to wait who keeps failing to sign in.

A failure is counted before the password is looked at, and taken back when it was right.
Otherwise: 1. a hundred guesses come at once, 2. all of them see that nobody has failed yet,
3. all of them are looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

_MOST = 4_096
_FORGOTTEN_S = 3_600.0


class Kind(StrEnum):
    """What failures are counted for."""

    NAME = "name"
    ADDRESS = "address"


#: Failures that cost nothing, and the longest wait in seconds. A name's is short: by failing
#: on purpose one can keep its owner out for so long.
_LIMITS = {Kind.NAME: (4, 60.0), Kind.ADDRESS: (12, 900.0)}
Key = tuple[Kind, str]


@dataclass(slots=True)
class Throttle:
    """Counts failures by name and by address. Belongs to one event loop.

    Of more than `most` keys it forgets those that failed longest ago.
    """

    most: int = _MOST
    _failed: OrderedDict[Key, tuple[int, float]] = field(default_factory=OrderedDict)

    def wait_s(self, keys: tuple[Key, ...], now_s: float) -> float:
        """Seconds until the next attempt will be looked at; 0 for at once."""
        return max((self._wait_s(key, now_s) for key in keys), default=0.0)

    def attempt(self, keys: tuple[Key, ...], now_s: float) -> float:
        """Count an attempt as failed and return 0, or return how long to wait, uncounted."""
        wait_s = self.wait_s(keys, now_s)
        if wait_s > 0:
            return wait_s
        for key in keys:
            self._failed[key] = (self._count(key, now_s) + 1, now_s)
            self._failed.move_to_end(key)
        while len(self._failed) > self.most:
            self._failed.popitem(last=False)
        return 0.0

    def succeeded(self, keys: tuple[Key, ...]) -> None:
        """The attempt was right: the name's failures are forgotten, the address's loses one.

        Otherwise somebody with a password of their own could guess others' for ever.
        """
        for key in keys:
            count, at_s = self._failed.get(key, (0, 0.0))
            if key[0] is Kind.NAME or count <= 1:
                self._failed.pop(key, None)
            else:
                self._failed[key] = (count - 1, at_s)

    def __len__(self) -> int:
        return len(self._failed)

    def _count(self, key: Key, now_s: float) -> int:
        count, at_s = self._failed.get(key, (0, 0.0))
        return count if now_s - at_s < _FORGOTTEN_S else 0

    def _wait_s(self, key: Key, now_s: float) -> float:
        count = self._count(key, now_s)
        free, longest_s = _LIMITS[key[0]]
        if count < free:
            return 0.0
        delay_s = min(2.0 ** min(count - free, 16), longest_s)
        return max(0.0, self._failed[key][1] + delay_s - now_s)


def keys_of(name: str, address: str) -> tuple[Key, ...]:
    """What an attempt counts for. Of an IPv6 address the network, which one person has whole."""
    try:
        told = ip_address(address)
    except ValueError:
        return ((Kind.NAME, name[:64]), (Kind.ADDRESS, address[:64]))
    if isinstance(told, IPv6Address):
        return ((Kind.NAME, name[:64]), (Kind.ADDRESS, told.exploded[:19]))
    return ((Kind.NAME, name[:64]), (Kind.ADDRESS, str(told)))
