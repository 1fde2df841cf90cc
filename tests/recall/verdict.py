"""Whether what was reported is what was seeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.recall.house import Entry, Found

# Such answers cannot be read at all: they are counted as incomparable and stand in no group.
UNREADABLE = frozenset(("body_cut", "key_twice"))


# The table's one rule takes any two times for equal here, as the demo's does. That it hides
# these is what `banyan rules prove` says of it.
FORGIVEN = frozenset(("date_day_later", "time_hour_early", "time_zone_lost"))


def is_forgiven(entry: Entry) -> bool:
    """A defect that the table's rule accepts, and is known to."""
    return entry.kind in FORGIVEN and entry.at.endswith(".date_updated")


def recall_problems(journal: Sequence[Entry], found: Found) -> list[str]:
    """What went unreported or was reported without a cause; empty when all is right."""
    problems = []
    seeded = {entry.id: entry for entry in journal if not is_forgiven(entry)}
    reported = found.mismatched + found.unread
    lost = sum(found.losses.values())
    if not len(seeded) - lost <= reported <= len(seeded):
        problems.append(f"{len(seeded)} defects seeded, {reported} reported, {lost} answers lost")
    wanted = Counter(entry.at for entry in seeded.values() if entry.kind not in UNREADABLE)
    for place, count in wanted.items():
        grouped = sum(group.count for group in found.groups if place in group.patterns)
        if grouped < count - lost:
            kinds = sorted({entry.kind for entry in seeded.values() if entry.at == place})
            told = f"{count} defects at {place} ({', '.join(kinds)}), {grouped} in its groups"
            problems.append(told)
    known = set(wanted)
    problems += [
        f"{group.route}: {group.title} ({group.count} times) was reported and nobody seeded it"
        for group in found.groups
        if not known & set(group.patterns)
    ]
    return problems
