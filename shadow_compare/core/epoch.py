"""The epoch: what evidence is true of.

Evidence is gathered under one set of rules, by one way of judging, between one release of
either store. When any of these changes, what was seen before no longer counts, and a new
epoch begins.
The key is made of the content, so a change that is taken back finds its old evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from proxy.routing.model import CompareRule, Domain, Side, Store

#: Raised by one whenever the same answers under the same rules may be judged otherwise.
#: What an earlier comparer called equal then counts no more.
JUDGING_VERSION = 2


@dataclass(frozen=True, slots=True)
class Epoch:
    """One domain's epoch.

    Attributes:
        key: 12 hex digits over the domain's name, `rules` and `stores`.
        rules: 12 hex digits over the rules in force, the compared headers and the judging.
        stores: 12 hex digits over both stores' addresses and releases.
        since_s: when the comparer first judged by it, seconds since 1970, UTC.
    """

    domain: str
    key: str
    rules: str
    stores: str
    since_s: float


def rules_in_force(domain: Domain, today: date) -> tuple[CompareRule, ...]:
    """The domain's rules that have not expired; a rule still holds on its last day."""
    return tuple(rule for rule in domain.compare.rules if today <= rule.expires)


def rules_hash(domain: Domain, today: date) -> str:
    """Name what decides a verdict: compared headers and cookies, rules, the judging itself.

    Owner, reason and order do not change a verdict, so they do not change the hash. An
    expired rule is a removed rule: the day after, evidence starts anew.
    """
    rules = sorted(
        [r.path, r.accept.value, sorted(r.routes), r.expires.isoformat(), *r.terms.stated()]
        for r in rules_in_force(domain, today)
    )
    compared = domain.compare
    cookies = [sorted(names) for names in (compared.cookies, compared.cookie_values)]
    return _digest([JUDGING_VERSION, sorted(compared.headers), rules, *cookies])


def stores_hash(stores: Mapping[Side, Store]) -> str:
    """Name what runs on both sides: address and release."""
    return _digest([[side.value, stores[side].url, stores[side].release] for side in Side])


def epoch_key(domain: Domain, stores: Mapping[Side, Store], today: date) -> str:
    """The key that evidence of this domain must carry to be true of it today."""
    return join(domain.name, rules_hash(domain, today), stores_hash(stores))


def epoch_of(domain: Domain, stores: Mapping[Side, Store], today: date, now_s: float) -> Epoch:
    """The epoch that comparisons made now belong to."""
    rules, both = rules_hash(domain, today), stores_hash(stores)
    return Epoch(domain.name, join(domain.name, rules, both), rules, both, now_s)


def join(domain: str, rules: str, stores: str) -> str:
    """The key made of its parts, for a reader that knows the stores only by their hash."""
    return _digest([domain, rules, stores])


def _digest(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
