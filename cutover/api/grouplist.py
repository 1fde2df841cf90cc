"""The list of mismatch groups: what it may be narrowed to, and what each line says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from cutover.api.figures import count, small_share
from shadow_compare.core.evidence import MismatchGroup
from shadow_compare.core.groups import GroupQuery, GroupSort
from shadow_compare.core.life import Life, State
from shadow_compare.core.stake import Stake, money

LISTED = 200
SPANS = {"1h": (3_600, "last hour"), "24h": (86_400, "last day"), "7d": (604_800, "last week")}
SORT_WORDS = {
    GroupSort.COUNT: "most often",
    GroupSort.VALUE: "most money",
    GroupSort.RATE: "most in the last hour",
    GroupSort.LAST: "last seen",
    GroupSort.FIRST: "began last",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for; what makes no sense there is left out."""

    domain: str = ""
    state: str = ""
    since: str = ""
    sort: GroupSort = GroupSort.COUNT

    def query(self, now_s: float) -> GroupQuery:
        """The same for the evidence."""
        return GroupQuery(
            domain=self.domain or None,
            states=(State(self.state),) if self.state else (),
            since_s=now_s - SPANS[self.since][0] if self.since else None,
            sort=self.sort,
            limit=LISTED + 1,
        )

    def address(self, **changed: str) -> str:
        """The list's address with something changed."""
        asked = {
            "domain": self.domain,
            "state": self.state,
            "since": self.since,
            "sort": "" if self.sort is GroupSort.COUNT else self.sort.value,
        } | changed
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/mismatches?{query}" if query else "/mismatches"


def wanted_of(asked: Mapping[str, str]) -> Wanted:
    """What an address asks for."""
    state, since, sort = (asked.get(name, "") for name in ("state", "since", "sort"))
    return Wanted(
        asked.get("domain", "")[:100],
        state if state in tuple(State) else "",
        since if since in SPANS else "",
        GroupSort(sort) if sort in tuple(GroupSort) else GroupSort.COUNT,
    )


@dataclass(frozen=True, slots=True)
class Badge:
    """A group's state in a word, with what belongs to it."""

    state: str
    words: str


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """One line of the list. `hourly` are the hits of each of the last 24 hours."""

    fingerprint: str
    title: str
    domain: str
    route: str
    badge: Badge
    times: str
    rate: str
    share: str
    risk: tuple[str, ...]
    hourly: tuple[int, ...]
    last_seen_s: float


@dataclass(frozen=True, slots=True)
class GroupList:
    """The page. `choices` are links per filter: words, address, whether it is chosen."""

    wanted: Wanted
    lines: tuple[ListedGroup, ...]
    more: bool
    domains: tuple[str, ...]
    choices: tuple[tuple[str, tuple[tuple[str, str, bool], ...]], ...]
    now_s: float


def group_list(
    wanted: Wanted, groups: Sequence[MismatchGroup], domains: Sequence[str], now_s: float
) -> GroupList:
    """Decide what the list says."""
    names = [("", "all"), *((name, name) for name in domains)]
    states = [("", "all"), *((state.value, state.value) for state in State)]
    spans = [("", "any time"), *((key, words) for key, (_, words) in SPANS.items())]
    sorts = [(sort.value, words) for sort, words in SORT_WORDS.items()]
    chosen = {
        "domain": wanted.domain,
        "state": wanted.state,
        "since": wanted.since,
        "sort": wanted.sort.value,
    }
    options = {"domain": names, "state": states, "since": spans, "sort": sorts}
    titles = {"domain": "Domain", "state": "State", "since": "Seen", "sort": "First"}
    return GroupList(
        wanted=wanted,
        lines=tuple(listed(group) for group in groups[:LISTED]),
        more=len(groups) > LISTED,
        domains=tuple(domains),
        choices=tuple(
            (
                titles[name],
                tuple(
                    (words, wanted.address(**{name: value}), chosen[name] == value)
                    for value, words in options[name]
                ),
            )
            for name in options
        ),
        now_s=now_s,
    )


def listed(group: MismatchGroup) -> ListedGroup:
    """One line of the list."""
    return ListedGroup(
        fingerprint=group.fingerprint,
        title=group.title,
        domain=group.domain,
        route=group.route,
        badge=badge_of(group.life),
        times="once" if group.count == 1 else f"{count(group.count)} times",
        rate=f"{count(group.per_hour)} in the last hour",
        share=f"{small_share(group.share_ppm)}, at most {small_share(group.upper_ppm)} (95 % sure)",
        risk=tuple(risk_words(stake) for stake in group.stakes),
        hourly=group.hourly,
        last_seen_s=group.last_seen_s,
    )


def badge_of(life: Life) -> Badge:
    """A state as a badge says it."""
    words = life.state.value
    if life.expires is not None:
        words += f" until {life.expires}"
    if life.owner:
        words += f", {life.owner}"
    return Badge(life.state.value, words)


def risk_words(stake: Stake) -> str:
    """Value at risk in a few words."""
    affected = f"{money(stake.affected_minor, stake.currency)} affected"
    if not stake.gap_minor:
        return affected
    over, under = (money(part, stake.currency) for part in (stake.over_minor, stake.under_minor))
    if not stake.under_minor:
        told = f"the core names {over} more"
    elif not stake.over_minor:
        told = f"the core names {under} less"
    else:
        told = f"the core names {over} more here and {under} less there"
    return f"{told}; {affected}"
