"""Verdicts as text: for the terminal, and for the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.conformance.argued import ARGUED
from tests.conformance.case import Case, Grade, Verdict

Results = Mapping[str, Mapping[str, Verdict]]
OURS = "banyan"
_WORDS = {
    Grade.RIGHT: "right",
    Grade.SAFE: "safe",
    Grade.LAX: "lax",
    Grade.WRONG: "wrong",
    Grade.DANGEROUS: "dangerous",
}


def counts(cases: Sequence[Case], verdicts: Mapping[str, Verdict]) -> str:
    """`12 right, 1 lax`; nothing for grades that did not occur."""
    grades = [verdicts[case.name].grade for case in cases if case.name in verdicts]
    words = [f"{grades.count(g)} {word}" for g, word in _WORDS.items() if g in grades]
    return ", ".join(words) or "not asked"


def weaker(cases: Sequence[Case], results: Results) -> list[tuple[Case, Verdict, str]]:
    """Cases where a peer ranks better than ours, with those peers' names."""
    found = []
    for case in cases:
        ours = results.get(OURS, {}).get(case.name)
        if ours is None:
            continue
        better = [
            name
            for name, verdicts in results.items()
            if case.name in verdicts and verdicts[case.name].grade.rank < ours.grade.rank
        ]
        if better:
            found.append((case, ours, ", ".join(better)))
    return found


def _categories(cases: Sequence[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.category, []).append(case)
    return found


def report(cases: Sequence[Case], results: Results, *, is_full: bool = False) -> Iterator[str]:
    """Lines for the terminal."""
    names = list(results)
    yield f"{'':27}{'cases':>6}  " + "".join(f"{name:38}" for name in names)
    for category, members in {**_categories(cases), "all": list(cases)}.items():
        cells = "".join(f"{counts(members, results[name]):38}" for name in names)
        yield f"{category:27}{len(members):6}  {cells}".rstrip()
    for case in cases:
        for name in names:
            verdict = results[name].get(case.name)
            is_told = is_full or (name == OURS and verdict and verdict.grade.is_failure)
            if verdict is not None and is_told:
                yield f"{name} {_WORDS[verdict.grade]}: {case.name}: {verdict.reason}"
    for case, ours, better in weaker(cases, results):
        yield (
            f"better than ours ({_WORDS[ours.grade]}, {ours.reason}): {better}: "
            f"{case.category}: {case.name}"
        )


_INTRO = """\
# Conformance

`make conformance` plays {count} cases, byte for byte, through Banyan and through other \
proxies: a raw client on one side, a raw store on the other, both recorded. It prints this \
page's tables and fails when a case of ours is wrong or dangerous; `python -m \
tests.conformance.matrix --write` writes the page.

A case says what the client sends, what the store does, and what must come of it. It is \
judged by three recordings: what the store read, what the client read, how connections ended. \
Stores and clients of the judge read as strictly as anyone could: what passes is read alike by \
everybody.

| grade | meaning |
|---|---|
| right | as asked for |
| safe | otherwise, on the safe side: another status, a mute close, \
stricter than need be, an optional feature that is missing |
| lax | laxer than asked for; nobody is hurt: mended and forwarded as one clean request |
| wrong | a request or an answer suffers, or something hangs |
| dangerous | two parties read different things: a stream that is not clean, \
half an answer that looks whole, a spoofed field |

Peers are set up as their manuals set up a streaming reverse proxy, with the same deadlines of \
one second. Cases about rules of Banyan's own (control fields, who asked) are not asked of \
them. A peer's "dangerous" is our judge's word about bytes that it passes on; whether a given \
store is hurt by them depends on that store.

## By category

"""


def page(cases: Sequence[Case], results: Results) -> str:
    """The reference page."""
    names = list(results)
    lines = [_INTRO.format(count=len(cases))]
    lines.append(f"| category | cases | {' | '.join(names)} |\n")
    lines.append(f"|---|---:|{'---|' * len(names)}\n")
    for category, members in {**_categories(cases), "**all**": list(cases)}.items():
        cells = " | ".join(counts(members, results[name]) for name in names)
        lines.append(f"| {category} | {len(members)} | {cells} |\n")
    lines.append("\n## Where a peer does better\n\n")
    found = weaker(cases, results)
    if not found:
        lines.append("Nowhere.\n")
    else:
        lines.append("| case | Banyan | better | why it is so |\n|---|---|---|---|\n")
    for case, ours, better in found:
        told = f"{_WORDS[ours.grade]}: {_escaped(ours.reason)}"
        _, why = ARGUED.get(case.name, (ours.grade, "to be mended"))
        lines.append(f"| {_escaped(case.name)} | {told} | {better} | {why} |\n")
    for category, members in _categories(cases).items():
        lines.append(f"\n## {category}\n\n| case | {' | '.join(names)} |\n")
        lines.append(f"|---|{'---|' * len(names)}\n")
        for case in members:
            cells = " | ".join(_cell(results[name].get(case.name)) for name in names)
            lines.append(f"| {_escaped(case.name)} | {cells} |\n")
    return "".join(lines)


def _cell(verdict: Verdict | None) -> str:
    return "" if verdict is None else _WORDS[verdict.grade]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
