"""The conformance matrix: every case against ours and its peers.

    python -m tests.conformance.matrix [--only banyan] [--match WORDS] [--write] [--need-peers]

Prints a table by category, every case where a peer does better than ours, and exits with 1
when one of ours is wrong or dangerous. `--write` puts the table into the reference.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.conformance import peers, table
from tests.conformance.case import Case, Verdict
from tests.conformance.catalogue import CASES
from tests.conformance.judge import judge
from tests.conformance.wire import Slot

SLOTS = 4
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"


async def run(
    start: peers.Start, folder: Path, cases: tuple[Case, ...], slots: int = SLOTS
) -> dict[str, Verdict]:
    """Verdicts by the names of the cases.

    A case whose patience ran out, or that failed, is played once more alone: a busy
    machine is slow in ways that a proxy is not.
    """
    lanes = [Slot() for _ in range(slots)]
    for lane in lanes:
        await lane.store.start(lane)
    verdicts: dict[str, Verdict] = {}
    waiting = sorted(cases, key=lambda case: -case.patience_s)[::-1]
    # Processes are started and stopped in a thread, so that the stores go on meanwhile.
    manager = start(folder, tuple(lane.store.port for lane in lanes))
    subject = await asyncio.to_thread(manager.__enter__)
    try:

        async def work(lane: Slot, port: int) -> None:
            while waiting:
                case = waiting.pop()
                verdicts[case.name] = judge(case, await lane.run(case, port))

        await asyncio.gather(*map(work, lanes, subject.ports))
        for case in cases:
            if verdicts[case.name].grade.is_failure:
                verdicts[case.name] = judge(case, await lanes[0].run(case, subject.ports[0]))
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
        for lane in lanes:
            lane.store.stop()
    return {case.name: verdicts[case.name] for case in cases}


def _select(options: argparse.Namespace) -> tuple[Case, ...]:
    words = (options.match or "").lower()
    return tuple(c for c in CASES if words in f"{c.category}: {c.name}".lower())


def main() -> int:
    """Run, print, perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", action="append", help="banyan, or a peer; may be repeated")
    parser.add_argument("--match", help="only cases with these words in category or name")
    parser.add_argument("--all", action="store_true", help="print every verdict")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--need-peers", action="store_true", help="fail where a peer is absent")
    options = parser.parse_args()
    cases = _select(options)
    subjects: dict[str, peers.Start] = {"banyan": peers.ours, **peers.PEERS}
    results: dict[str, dict[str, Verdict]] = {}
    for name, start in subjects.items():
        if options.only and name not in options.only:
            continue
        if name != "banyan" and peers.find(name) is None:
            sys.stderr.write(f"{name} is not installed and does not take part\n")
            if options.need_peers:
                return 1
            continue
        asked = cases if name == "banyan" else tuple(c for c in cases if not c.is_ours)
        with tempfile.TemporaryDirectory(prefix=f"conformance-{name}-") as folder:
            Path(folder).chmod(0o755)
            results[name] = asyncio.run(run(start, Path(folder), asked))
    for line in table.report(cases, results, is_full=options.all):
        sys.stdout.write(f"{line}\n")
    if options.write:
        PAGE.write_text(table.page(cases, results), encoding="utf-8")
    ours = results.get("banyan", {})
    return int(any(verdict.grade.is_failure for verdict in ours.values()))


if __name__ == "__main__":
    sys.exit(main())
