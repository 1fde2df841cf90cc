"""A room over 200 domains and a year of history, and how long each of its pages takes.

    python -m tests.support.large_room [--domains 200] [--entries 2000] [--profile /ledger]

Prints the server's time for each page: asked for the first time, then the longest and the
median of three. Nothing is asserted: a machine may be slow.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cutover.api.serving import RoomOptions, room_app
from cutover.api.sources import Places
from cutover.app.hands import hands
from cutover.core.revision import GENESIS, Entry, RevisionKind, seal, to_json
from cutover.settings import load_settings
from proxy.storage.tables import parse_routing
from shadow_compare.core.batch import Batch, Judged, Timing
from shadow_compare.core.epoch import epoch_of
from shadow_compare.core.sampling import Sample, Served, Stratum
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.support.asgi import get

_HEAD = """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:9", adapter: oscar, release: "4.2"}
  core: {url: "http://127.0.0.1:9/facade/oscar"}
shopper: ["cookie:sessionid"]
domains:
"""
_DOMAIN = """\
  NAME:
    owner: team
    stage: STAGE
    routes:
      - {path: "/api/NAME/", methods: [GET]}
      - {path: "/api/NAME/{id}/", methods: [GET]}
    rollback: {errors: 0.5%, requests: 100}
    ramp: {steps: [1%, 10%, 25%, 50%, 100%], soak: 30m, requests: 100}
    gates: {parity: {min: 98%, samples: 100}, approvals: {count: 1}}
"""
_STEPS = (
    "shadow", "canary\n    core_share: 1%", "shadow", "canary\n    core_share: 1%",
    "canary\n    core_share: 10%", "canary\n    core_share: 25%", "core",
    "shadow", "canary\n    core_share: 1%", "canary\n    core_share: 10%",
)  # fmt: skip
_AGAIN = 3


def large_table(stages: dict[str, str]) -> str:
    """A table of so many domains, each where it stands."""
    return _HEAD + "".join(
        _DOMAIN.replace("NAME", name).replace("STAGE", stage) for name, stage in stages.items()
    )


def write_history(var: Path, domains: int, entries: int) -> str:
    """A ledger in which domains step one after the other for a year; the last table."""
    stages = {f"d{place:03}": "legacy" for place in range(domains)}
    names = list(stages)
    folder = var / "revisions"
    folder.mkdir(parents=True)
    began = datetime.now(UTC) - timedelta(days=365)
    prev, text = GENESIS, large_table(stages)
    for n in range(1, entries + 1):
        changes = tuple(f"{name}: new, in stage legacy" for name in names)
        kind = RevisionKind.INIT
        if n > 1:
            name, stage = names[n % domains], _STEPS[(n // domains) % len(_STEPS)]
            before, stages[name] = _words(stages[name]), stage
            changes = (f"{name}: {before} -> {_words(stage)}",)
            kind = RevisionKind.ROLLBACK if stage == "shadow" and n > domains * 2 else kind
            kind = RevisionKind.APPLY if kind is RevisionKind.INIT else kind
            text = large_table(stages)
        at = began + timedelta(days=364) * (n / entries)
        revision = seal(n, Entry(at, "platform", kind, "as planned", changes, (), text), prev)
        (folder / f"{n:06}.json").write_bytes(to_json(revision))
        prev = revision.hash
    (var / "applied.yaml").write_text(text)
    return text


def _words(stage: str) -> str:
    name, _, share = stage.partition("\n    core_share: ")
    return f"{name} {share.removesuffix('%')} %" if share else name


async def write_evidence(database: str, text: str, each: int) -> None:
    """So many comparisons of every domain, ten seconds apart: each a point of its trend."""
    table = parse_routing(text.encode(), "table")
    now_s = time.time()
    today = datetime.fromtimestamp(now_s, UTC).date()
    epochs = {one.name: epoch_of(one, table.stores, today, now_s) for one in table.domains}
    judged = [
        Judged(
            "run-1", place * each + turn, now_s - 10 * (each - turn), one.name, one.routes[0].name,
            epochs[one.name].key, Outcome.MATCH, None, None,
            (Timing("legacy", "live", 9_000 + turn), Timing("core", "shadow", 3_000 + turn)),
            sample=Sample(Stratum(one.routes[0].name, Served.LEGACY, "2xx"), turn << 32, 0),
        )
        for place, one in enumerate(table.domains)
        for turn in range(1, each + 1)
    ]  # fmt: skip
    engine = writer_engine(parse(database))
    try:
        await migrate(engine)
        counts = {f"mirrored|{one.name}|{one.routes[0].name}": each for one in table.domains}
        batch = Batch(now_s, tuple(judged), tuple(epochs.values()), accounts={"run-1": counts})
        await SqlEvidenceWriter(engine).commit(batch)
    finally:
        await engine.dispose()


def pages_of(entries: int) -> tuple[str, ...]:
    """Every page, of one domain and one entry each."""
    return (
        "/", "/domains/d007", "/cutover/d007", "/mismatches", "/ledger", "/ledger?domain=d007",
        f"/ledger?before={entries // 2}", f"/ledger/{entries - 1}", f"/ledger/{entries}/done",
        f"/ledger/{entries}/undo", "/cutover/d007/step?to=canary-2500",
        "/cutover/d007/step?to=core", "/report", "/data",
    )  # fmt: skip


async def timed(var: Path, entries: int, profiled: str) -> None:
    """Ask for every page, and print how long each took."""
    settings = load_settings({"BANYAN_VAR": str(var), "BANYAN_SIDE_DOOR": "127.0.0.1:9"})
    options = RoomOptions(
        "127.0.0.1", 0,
        Places(settings.applied, settings.evidence_database, "http://127.0.0.1:9",
               settings.revisions),
        hands=hands(settings), is_open=True,
    )  # fmt: skip
    print(f"{'page':40} {'status':>6} {'kB':>6} {'first':>8} {'longest':>8} {'median':>8}")
    async with room_app(options) as app:
        for page in pages_of(entries):
            took, answer = [], None
            for _ in range(1 + _AGAIN):
                began = time.perf_counter()
                answer = await get(app, page)
                took.append((time.perf_counter() - began) * 1_000)
                await asyncio.sleep(1)  # beyond what live pages are kept for
            assert answer is not None
            print(
                f"{page:40} {answer.status:>6} {len(answer.content) // 1_000:>6}"
                f" {took[0]:>5.0f} ms {max(took[1:]):>5.0f} ms"
                f" {statistics.median(took[1:]):>5.0f} ms",
                flush=True,
            )
        if profiled:
            with cProfile.Profile() as profile:
                await get(app, profiled)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--domains", type=int, default=200)
    parser.add_argument("--entries", type=int, default=2_000)
    parser.add_argument("--profile", default="", help="a page to show the profile of")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="banyan-large-") as folder:
        var = Path(folder)
        text = write_history(var, asked.domains, asked.entries)
        database = load_settings({"BANYAN_VAR": folder}).evidence_database
        asyncio.run(write_evidence(database, text, 120))
        asyncio.run(timed(var, asked.entries, asked.profile))


if __name__ == "__main__":
    main()
