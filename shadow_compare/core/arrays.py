"""Which elements of two arrays belong together."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from shadow_compare.core.documents import Json, canonical
from shadow_compare.core.elements import Element

_ALIGN_WORK = 100_000
_LIKEN_AT_MOST = 60


@dataclass(frozen=True, slots=True)
class Pairing:
    """Indexes into both arrays.

    Attributes:
        pairs: (legacy's index, the core's index) of elements that belong together, in
            legacy's order.
        legacy_only: legacy's indexes without a partner.
        core_only: the core's indexes without a partner.
        moved: the pairs are not in the same order on both sides.
    """

    pairs: tuple[tuple[int, int], ...]
    legacy_only: tuple[int, ...]
    core_only: tuple[int, ...]
    moved: bool = False


def by_position(
    legacy: Sequence[str], core: Sequence[str], names: tuple[Sequence[str], Sequence[str]] | None
) -> Pairing:
    """Pair elements in order, letting an inserted or removed one shift the rest.

    Two arrays that hold the same in another order come back paired and `moved`. With
    `names`, what changed is held against what has the same name.
    """
    if len(legacy) == len(core) and legacy != core and sorted(legacy) == sorted(core):
        return by_content(legacy, core)
    if _work(legacy, core) > _ALIGN_WORK:
        return _one_to_one(range(len(legacy)), range(len(core)))
    found = Pairing((), (), ())
    matcher = SequenceMatcher(None, legacy, core, autojunk=False)
    for _, low, high, core_low, core_high in matcher.get_opcodes():
        part = _replaced(range(low, high), range(core_low, core_high), names)
        found = Pairing(
            found.pairs + part.pairs,
            found.legacy_only + part.legacy_only,
            found.core_only + part.core_only,
        )
    return found


def _replaced(
    legacy: range, core: range, names: tuple[Sequence[str], Sequence[str]] | None
) -> Pairing:
    if names is None or not legacy or not core:
        return _one_to_one(legacy, core)
    own, other = [names[0][at] for at in legacy], [names[1][at] for at in core]
    if own == other:
        return _one_to_one(legacy, core)
    blocks = SequenceMatcher(None, own, other, autojunk=False).get_matching_blocks()
    pairs = [
        (legacy[block.a + at], core[block.b + at]) for block in blocks for at in range(block.size)
    ]
    ours, theirs = {at for at, _ in pairs}, {at for _, at in pairs}
    return Pairing(
        tuple(pairs),
        tuple(at for at in legacy if at not in ours),
        tuple(at for at in core if at not in theirs),
    )


def by_key(legacy: Sequence[str | None], core: Sequence[str | None]) -> Pairing | None:
    """Pair elements with the same key; None when keys are missing or stand twice."""
    for keys in (legacy, core):
        if None in keys or len(set(keys)) < len(keys):
            return None
    return by_content([key or "" for key in legacy], [key or "" for key in core])


def _work(legacy: Sequence[str], core: Sequence[str]) -> int:
    """About how many steps aligning takes: texts that stand often cost most."""
    often = Counter(core)
    return len(legacy) + len(core) + sum(often[text] for text in legacy)


def by_content(legacy: Sequence[str], core: Sequence[str]) -> Pairing:
    """Pair equal texts wherever they stand; what is left over stays alone."""
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for at, text in enumerate(core):
        waiting[text].append(at)
    pairs: list[tuple[int, int]] = []
    alone: list[int] = []
    for at, text in enumerate(legacy):
        if waiting[text]:
            pairs.append((at, waiting[text].popleft()))
        else:
            alone.append(at)
    left = sorted(at for places in waiting.values() for at in places)
    order = [at for _, at in pairs]
    return Pairing(tuple(pairs), tuple(alone), tuple(left), moved=order != sorted(order))


def in_any_order(
    legacy: Sequence[str], core: Sequence[str], exact: Callable[[], tuple[list[str], list[str]]]
) -> Pairing:
    """Pair equal texts wherever they stand, the exactly equal ones among them first.

    What rules forgive is masked in the texts, so several elements may share one. Those
    are paired by their exact texts, and in the order of these what is left.
    """
    if len(set(legacy)) == len(legacy):
        return by_content(legacy, core)
    ours, theirs = exact()
    first = by_content(ours, theirs)
    ranked_ours = sorted(first.legacy_only, key=lambda at: ours[at])
    ranked_theirs = sorted(first.core_only, key=lambda at: theirs[at])
    second = by_content([legacy[at] for at in ranked_ours], [core[at] for at in ranked_theirs])
    pairs = sorted(
        (*first.pairs, *((ranked_ours[own], ranked_theirs[other]) for own, other in second.pairs))
    )
    order = [at for _, at in pairs]
    return Pairing(
        tuple(pairs),
        tuple(sorted(ranked_ours[at] for at in second.legacy_only)),
        tuple(sorted(ranked_theirs[at] for at in second.core_only)),
        moved=order != sorted(order),
    )


def match_up(found: Pairing, legacy: Sequence[Json], core: Sequence[Json]) -> Pairing:
    """Pair what was left over too: each with the one that shares most of its members.

    A changed price then reads as a changed price, not as one product gone and one come.
    """
    ours, theirs = list(found.legacy_only), list(found.core_only)
    if not ours or not theirs:
        return found
    if max(len(ours), len(theirs)) > _LIKEN_AT_MOST:
        more = _one_to_one(ours, theirs)
        return Pairing(found.pairs + more.pairs, more.legacy_only, more.core_only, found.moved)
    pairs = list(found.pairs)
    parts = {at: _parts(core[at]) for at in theirs}
    alone: list[int] = []
    for at in ours:
        own = _parts(legacy[at])
        best = max(theirs, key=lambda it: len(own & parts[it]), default=None)
        if best is None or (own and parts[best] and not own & parts[best]):
            alone.append(at)
            continue
        theirs.remove(best)
        pairs.append((at, best))
    return Pairing(tuple(sorted(pairs)), tuple(alone), tuple(theirs), found.moved)


def _parts(value: Json) -> frozenset[str]:
    if isinstance(value, dict):
        return frozenset(f"{key}:{canonical(item)}" for key, item in value.items())
    if isinstance(value, Element):
        inside = (f"{value.name}:{canonical(child)}" for child in value.children)
        return frozenset((value.name, *inside, *(f"@{a}:{b}" for a, b in value.attributes.items())))
    return frozenset()


def _one_to_one(legacy: Sequence[int], core: Sequence[int]) -> Pairing:
    common = min(len(legacy), len(core))
    pairs = tuple(zip(legacy[:common], core[:common], strict=True))
    return Pairing(pairs, tuple(legacy[common:]), tuple(core[common:]))
