"""A shop's migration written into a real evidence database, applied table and ledger."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cutover.core.revision import Entry, RevisionKind
from cutover.storage.ledger import RevisionFiles
from proxy.routing import RoutingTable
from proxy.storage.tables import load_routing
from shadow_compare.core.batch import Batch, Finding, Judged, Timing
from shadow_compare.core.epoch import Epoch, epoch_of
from shadow_compare.core.evidence import Example, Leaf
from shadow_compare.core.sampling import Sample, Served, Stratum
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter

ROUTING = """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:9", adapter: oscar, release: "4.2"}
  core: {url: "http://127.0.0.1:9/facade/oscar"}
shopper: ["cookie:sessionid"]
domains:
  catalog:
    owner: merchandising
    stage: canary
    core_share: 10%
    routes:
      - {path: "/api/products/", methods: [GET]}
      - {path: "/api/products/{id}/", methods: [GET]}
    shadow: {sample: 100%, writes: never}
    gates: {parity: {min: 98%, confidence: 95%, samples: 1000}}
  price:
    owner: pricing
    stage: shadow
    routes:
      - {path: "/api/products/{id}/price/", methods: [GET]}
    shadow: {sample: 100%, writes: never}
    gates: {parity: {min: 99.9%, confidence: 95%, samples: 100}}
"""
LIST, DETAIL = "GET /api/products/", "GET /api/products/{id}/"
PRICE = "GET /api/products/{id}/price/"
FINGERPRINT = "v1:9c41d0aa52b7e613"


def _product(title: str) -> str:
    return json.dumps(
        {
            "id": 7,
            "upc": "9780141036144",
            "description": "Tides, lamps and weather.",
            "structure": "standalone",
            "categories": ["Books > Sea"],
            "images": [],
            "title": title,
            "children": [],
        }
    )


EXAMPLE = Example(
    request_id="01JD6M0Q2W",
    at_s=0.0,
    method="GET",
    target="/api/products/7/",
    request_headers=(("host", "shop.example"), ("cookie", "[hmac:5f2b7c90aa41d3e6]")),
    live_side="legacy",
    legacy_status=200,
    core_status=200,
    legacy_headers=(("content-type", "application/json"),),
    core_headers=(("content-type", "application/json"),),
    legacy_body=_product("The lighthouse keeper's almanac"),
    core_body=_product("The lighthouse keepers almanac"),
    leaves=(
        Leaf(
            "$.title",
            "$.title",
            "value",
            '"The lighthouse keeper\'s almanac"',
            '"The lighthouse keepers almanac"',
        ),
    ),
)


@dataclass(slots=True)
class SeededRoom:
    """The files under one var folder, and a comparer's hand to add to the evidence."""

    var: Path
    _seq: int = 0
    _counters: dict[str, int] = field(default_factory=dict)

    @property
    def database(self) -> str:
        return f"sqlite+aiosqlite:///{self.var / 'evidence.sqlite3'}"

    @property
    def applied(self) -> Path:
        return self.var / "applied.yaml"

    def write_table(self, text: str = ROUTING) -> RoutingTable:
        """Put a table in force, as apply does: by rename."""
        draft = self.applied.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.applied)
        return load_routing(self.applied)

    def write_revision(
        self,
        kind: RevisionKind,
        reason: str,
        change: str,
        *,
        hours_ago: float = 0,
        text: str = ROUTING,
    ) -> None:
        at = datetime.now(UTC) - timedelta(hours=hours_ago)
        entry = Entry(at, "platform", kind, reason, (change,), (), text)
        RevisionFiles(self.var / "revisions").append(entry)

    def compare(
        self, route: str, equal: int, *, domain: str = "catalog", mismatched: int = 0
    ) -> None:
        """Add comparisons of one route, as the comparer stores them."""
        outcomes = [Outcome.MATCH] * equal + [Outcome.MISMATCH] * mismatched
        self._store(domain, route, [(outcome, None) for outcome in outcomes])

    def lose(self, route: str, reason: str, count: int) -> None:
        """Add exchanges that the other side did not answer."""
        self._store("catalog", route, [(None, reason)] * count)

    def drop(self, route: str, reason: str, count: int, *, waiting: int = 0) -> None:
        """Add exchanges that the proxy dropped, and some that wait to be read."""
        self._count(f"dropped|catalog|{route}|{reason}", count)
        self._count(f"mirrored|catalog|{route}", count + waiting)
        self._commit(())

    def _store(
        self, domain: str, route: str, ends: list[tuple[Outcome | None, str | None]]
    ) -> None:
        now_s = time.time()
        epoch = self._epochs(now_s)[domain]
        judged = []
        for outcome, loss in ends:
            self._seq += 1
            finding = None
            if outcome is Outcome.MISMATCH:
                finding = Finding(FINGERPRINT, "title differs", ("$.title",), EXAMPLE)
            timings = (
                Timing("legacy", "live", 9_000 + 40 * (self._seq % 500)),
                Timing("core", "shadow", 3_000 + 20 * (self._seq % 500)),
            )
            judged.append(
                Judged(
                    "run-1", self._seq, now_s, domain, route, epoch.key,
                    outcome, loss, finding, timings if loss is None else (),
                    sample=Sample(Stratum(route, Served.LEGACY, "2xx"), self._seq << 32, 0),
                )
            )  # fmt: skip
        self._count(f"mirrored|{domain}|{route}", len(ends))
        self._commit(tuple(judged))

    def _count(self, name: str, by: int) -> None:
        self._counters[name] = self._counters.get(name, 0) + by

    def _epochs(self, now_s: float) -> dict[str, Epoch]:
        table = load_routing(self.applied)
        today = datetime.fromtimestamp(now_s, UTC).date()
        return {d.name: epoch_of(d, table.stores, today, now_s) for d in table.domains}

    def _commit(self, judged: tuple[Judged, ...]) -> None:
        now_s = time.time()
        batch = Batch(
            at_s=now_s,
            judged=judged,
            epochs=tuple(self._epochs(now_s).values()),
            accounts={"run-1": dict(self._counters)},
        )
        # A thread of its own: the browser's driver keeps a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(self._write(batch))).result()

    async def _write(self, batch: Batch) -> None:
        engine = writer_engine(parse(self.database))
        try:
            await migrate(engine)
            await SqlEvidenceWriter(engine).commit(batch)
        finally:
            await engine.dispose()
