"""Results of load tests: one file each, written once, whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cutover.core.load_gate import Loads
from cutover.core.load_run import LoadRun, NotARun, run_from_json, run_to_json
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.durable import reason_of, sweep_drafts, sync_folder, write_draft

#: Of a domain; older ones go when a new one is written. Those that a step was judged by are
#: told in the ledger.
_KEPT = 100
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadFiles:
    """The folder that they are in."""

    folder: Path

    def write(self, run: LoadRun) -> Path:
        """Keep a result. Raises CannotWrite."""
        path = self.folder / f"{run.id}.json"
        write_whole(path, run_to_json(run))
        sweep_drafts(self.folder)
        for old in self._paths(run.domain)[_KEPT:]:
            for one in (old, old.with_suffix(".html")):
                with contextlib.suppress(OSError):
                    one.unlink(missing_ok=True)
        return path

    def of(self, domain: str) -> Loads:
        """A domain's results, newest first, and what could not be read."""
        runs, problems = [], []
        for path in self._paths(domain):
            try:
                runs.append(_read(path))
            except CannotRead as exc:
                problems.append(str(exc))
        runs = [run for run in runs if run.domain == domain]
        return Loads(sorted(runs, key=lambda run: run.ended_s, reverse=True), tuple(problems))

    def all(self) -> Loads:
        """Every result, newest first."""
        runs, problems = [], []
        for path in self._paths(""):
            try:
                runs.append(_read(path))
            except CannotRead as exc:
                problems.append(str(exc))
        return Loads(sorted(runs, key=lambda run: run.ended_s, reverse=True), tuple(problems))

    def read(self, wanted: str) -> LoadRun:
        """The result with an id.

        Raises:
            CannotRead: there is none, or it is not what was written.
        """
        path = self.folder / f"{wanted}.json"
        if path.name != f"{wanted}.json" or path not in self._paths(""):
            raise CannotRead(f"no load test {wanted} is kept; see: banyan loadtest --list")
        return _read(path)

    def _paths(self, domain: str) -> list[Path]:
        """Newest first: names begin with the time of the start."""
        try:
            found = [path for path in self.folder.iterdir() if _is_of(path, domain)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise CannotRead(f"{self.folder} cannot be read: {reason_of(exc)}") from exc
        return sorted(found, reverse=True)


def _is_of(path: Path, domain: str) -> bool:
    if path.suffix != ".json" or path.name.startswith("."):
        return False
    # 20261123T024500-catalog-3x-1f2e
    parts = path.stem.split("-")
    return len(parts) > 3 and (not domain or "-".join(parts[1:-2]) == domain)


def _read(path: Path) -> LoadRun:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        return run_from_json(content)
    except OSError as exc:
        raise CannotRead(f"{path} cannot be read: {reason_of(exc)}") from exc
    except NotARun as exc:
        raise CannotRead(f"{path}: {exc}, so it counts for nothing; remove it") from exc


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, over an older one of that name. Raises CannotWrite."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_draft(path, content).replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        raise CannotWrite(f"{path} cannot be written: {reason_of(exc)}") from exc


@contextlib.contextmanager
def work_folder(folder: Path, domain: str) -> Iterator[Path]:
    """A folder for a run's own files, empty, gone afterwards. Whoever comes has the turn."""
    import shutil  # noqa: PLC0415 - the gate reads this module and runs nothing

    work = folder / f".work-{domain}"
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
    except OSError as exc:
        raise CannotWrite(f"{work} cannot be made: {reason_of(exc)}") from exc
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
