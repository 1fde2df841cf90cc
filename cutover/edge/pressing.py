"""Run the load generator as processes of its own, and look at it and at shoppers meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cutover.edge.children import end_with_parent
from cutover.errors import CutoverError

_LOOK_S = 0.5
_ENDS_S = 5.0
#: After the last request was due: its answer, and the start of the processes.
_MORE_S = 30.0
_MOST_LOG = 2_000


class NoLocust(CutoverError):
    """The load generator is not installed."""


class Aborted(CutoverError):
    """A load was ended before its time, and the message says why."""


@dataclass(frozen=True, slots=True)
class Press:
    """How to press.

    Attributes:
        folder: for the files of the processes.
        length_s: of the load.
        hurt: why the load has to end now; "" to go on. Asked every other look.
        tell: seconds so far, and requests.
    """

    folder: Path
    length_s: float
    hurt: Callable[[], Awaitable[str]]
    tell: Callable[[float, int], None]


def check_locust() -> None:
    """Raises NoLocust."""
    if find_spec("locust") is None or find_spec("loadtests") is None:
        raise NoLocust("locust is not installed; run: pip install 'banyan-migration[shoppers]'")


async def press(wishes: Sequence[Mapping[str, Any]], how: Press) -> list[Mapping[str, Any]]:
    """Run a process for each wish. Returns what each of them saw.

    Cancelled, or ended early, it leaves no process behind; nor does a kill -9 of this one.

    Raises:
        Aborted: shoppers were hurt, or a process did not come to its end.
    """
    results = [how.folder / f"result-{number}.json" for number in range(len(wishes))]
    log = how.folder / "press.log"
    running: list[asyncio.subprocess.Process] = []
    try:
        with log.open("wb") as out:
            for number, (wish, result) in enumerate(zip(wishes, results, strict=True)):
                asked = how.folder / f"wish-{number}.json"
                await asyncio.to_thread(asked.write_text, json.dumps(wish), "utf-8")
                result.unlink(missing_ok=True)
                command = (sys.executable, "-m", "loadtests.press", str(asked), str(result))
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,  # Ctrl-C comes to us, and we end them
                    preexec_fn=end_with_parent,
                )
                running.append(process)
        await _watch(running, results, how)
    finally:
        await _end(running)
    found = [_read(result) for result in results]
    if any(process.returncode for process in running) or not all(one.get("final") for one in found):
        said = log.read_text("utf-8", "replace")[-_MOST_LOG:].strip()
        raise Aborted(f"the load generator ended before its time{': ' if said else ''}{said}")
    return found


async def _watch(
    running: Sequence[asyncio.subprocess.Process], results: Sequence[Path], how: Press
) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    turn = 0
    while any(process.returncode is None for process in running):
        if any(process.returncode for process in running):
            return  # one has died: the others' load is not what was asked for
        passed_s = loop.time() - began_s
        if passed_s > how.length_s + _MORE_S:
            raise Aborted(f"the load was not over after {passed_s:.0f} s")
        how.tell(passed_s, sum(int(_read(result).get("requests", 0)) for result in results))
        if turn % 2 == 0 and (why := await how.hurt()):
            raise Aborted(why)
        turn += 1
        await asyncio.sleep(_LOOK_S)


async def _end(running: Sequence[asyncio.subprocess.Process]) -> None:
    for process in running:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
    for process in running:
        try:
            async with asyncio.timeout(_ENDS_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _read(result: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(result.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
