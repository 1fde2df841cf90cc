"""Check what domains say of each other: shared cohorts, and the routes that end a pin."""

from __future__ import annotations

from proxy.routing.parse_domain import ParsedDomain
from proxy.routing.values import Reader, nearest, shown


def report_cohorts(reader: Reader, parsed: tuple[ParsedDomain, ...]) -> None:
    """Note chains, circles and strangers among cohorts, and pins that no route ends."""
    known = {found.domain.name: found for found in parsed}
    ending = {
        f"{method} {placed.route.path}"
        for found in parsed
        for placed in found.routes
        for method in placed.route.methods
    }
    for found in parsed:
        _report_cohort(reader, found, known)
        _report_pin(reader, found, ending)


def _report_cohort(reader: Reader, found: ParsedDomain, known: dict[str, ParsedDomain]) -> None:
    name, other = found.domain.name, found.domain.cohort_with
    if other is None:
        return
    line, key = found.lines["cohort_with"], f"domains.{name}.cohort_with"
    if other == name:
        what = "A domain shares its cohort with another one."
        reader.note(line, key, what, "Remove the key: a domain has its own cohort.")
    elif other not in known:
        meant = nearest(other, known)
        fix = f'Did you mean "{meant}"?' if meant else "Name a domain of this file."
        reader.note(line, key, f"There is no domain {shown(other)}.", fix)
    elif (further := known[other].domain.cohort_with) is not None:
        place = f"{reader.file}:{known[other].lines['cohort_with']}"
        what = f"{other} itself shares the cohort of {further} ({place})."
        fix = f'Write "{further}".' if further != name else "Let one of the two have its own."
        reader.note(line, key, what, fix)


def _report_pin(reader: Reader, found: ParsedDomain, ending: set[str]) -> None:
    domain = found.domain
    if domain.pin is None:
        return
    key = f"domains.{domain.name}.pin"
    if domain.cohort_with is not None:
        what = f"Domains of one cohort share one pin, and this cohort is {domain.cohort_with}'s."
        reader.note(found.lines["pin"], key, what, f"Move it to {domain.cohort_with}.")
    until = domain.pin.until
    if until is not None and until not in ending:
        meant = _meant(until, ending)
        fix = f'Did you mean "{meant}"?' if meant else "Write a method and a path of this file."
        reader.note(found.lines["pin"], f"{key}.until.route", f"No route is {shown(until)}.", fix)


def _meant(until: str, ending: set[str]) -> str | None:
    path = until.rpartition(" ")[2]
    same_path = sorted(one for one in ending if one.rpartition(" ")[2] == path)
    lowered = {one.lower(): one for one in same_path or ending}
    found = nearest(until, lowered)
    return lowered[found] if found else next(iter(same_path), None)
