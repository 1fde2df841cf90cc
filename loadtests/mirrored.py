"""A worker's captures without a proxy: frames into a spool, at a rate.

    python -m loadtests.mirrored --spool DIR --run RUN --rate 300 --store HOST:PORT

Each exchange is one that the store below `--store` (loadtests.soak_stores) would answer alike,
but for every seventh, which it would not. Counted first and written a little later, as the
proxy does. Ends at SIGTERM, or after `--frames`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from loadtests.soak_stores import answer
from proxy.core.frame import Frame
from proxy.storage import MIRRORED, SpoolLimits, SpoolWriter, counter_name, spool_bytes

DOMAIN, ROUTE = "catalog", "GET /products/"
EVERY_S = 0.05
ODD_ONE = 7
_HEADERS = (("Content-Type", "application/json"),)
_ASKED = (("Host", "shop.example"), ("Accept", "application/json"))


def exchange(run: str, seq: int, revision: str) -> Frame:
    """The seq-th exchange of a run."""
    target = f"/products/?id={seq}"
    says = "something else" if seq % ODD_ONE == 0 else "store"
    return Frame(
        run=run,
        seq=seq,
        at_us=time.time_ns() // 1_000,
        request_id=f"{run}-{seq}",
        domain=DOMAIN,
        route=ROUTE,
        stage="shadow",
        side="legacy",
        shadow="core",
        noise=False,
        bucket=None,
        shopper=None,
        revision=revision,
        method="GET",
        target=target,
        request_headers=_ASKED,
        request_body=b"",
        status=200,
        headers=_HEADERS,
        body=answer(says, f"GET {target} ".encode()).partition(b"\r\n\r\n")[2],
        elapsed_us=1_000,
    )


def mirror(writer: SpoolWriter, run: str, count: int) -> None:
    """Count so many exchanges and write them; the writer counts what finds no room."""
    writer.account.add(counter_name(MIRRORED, DOMAIN, ROUTE), count)
    first = writer.next_seq
    writer.write([exchange(run, seq, "load") for seq in range(first, first + count)])


def main() -> int:
    """Write until told to stop."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--spool", type=Path, required=True)
    told.add_argument("--run", required=True)
    told.add_argument("--rate", type=float, default=300.0, help="frames a second")
    told.add_argument("--frames", type=int, default=0, help="end after so many; 0: never")
    told.add_argument("--bytes", type=int, default=256 * 1024 * 1024, help="bound of the spool")
    told.add_argument("--patient", action="store_true", help="wait while the spool is half full")
    args = told.parse_args()
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.append(1))
    writer = SpoolWriter(args.spool, args.run, SpoolLimits(total_bytes=args.bytes))
    began_s, due = time.monotonic(), 0
    while not stopped and (not args.frames or due < args.frames):
        wanted = int((time.monotonic() - began_s) * args.rate) + 1
        wanted = min(wanted, args.frames or wanted)
        if args.patient:
            # A batch at a time, so that nothing is dropped and the rate is the reader's.
            is_half_full = spool_bytes(args.spool) > args.bytes // 2
            wanted = due if is_half_full else min(wanted, due + 1_000)
        if wanted > due:
            mirror(writer, args.run, wanted - due)
            due = wanted
        time.sleep(EVERY_S)
    writer.close()
    print(due)
    return 0


if __name__ == "__main__":
    sys.exit(main())
