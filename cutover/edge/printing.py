"""Prints an HTML file to PDF with a Chromium that is on the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cutover.errors import CutoverError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEADLINE_S = 90.0
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-pdf-header-footer",
)


class NoPrinter(CutoverError):
    """There is no Chromium to print with."""


class NotPrinted(CutoverError):
    """Chromium was started and made no PDF."""


def find_printer(environment: Mapping[str, str]) -> Path:
    """BANYAN_CHROMIUM, else the first that is on the path.

    Raises:
        NoPrinter: with what to do about it.
    """
    told = environment.get("BANYAN_CHROMIUM", "")
    found = shutil.which(told) if told else next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return Path(found)
    why = (
        f"BANYAN_CHROMIUM={told} is no program" if told else "no chromium or google-chrome is here"
    )
    raise NoPrinter(
        f"{why}, so no PDF can be printed; install one (apt-get install chromium), or name it in"
        " BANYAN_CHROMIUM. --html works without, and any browser prints that file"
    )


def print_pdf(printer: Path, page: Path, target: Path, *, deadline_s: float = DEADLINE_S) -> None:
    """Print a local HTML file; `target` appears whole or not at all.

    The browser gets a profile of its own, which is removed, and a process group of its own,
    which is ended: its children would outlive it otherwise.

    Raises:
        NotPrinted: it failed, or was not done within the deadline.
        OSError: `target` cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="banyan-print-", ignore_cleanup_errors=True) as folder:
        draft = Path(folder) / "report.pdf"
        # As root its sandbox does not start; the page is our own and asks for nothing.
        as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
        command = [
            str(printer), *_FLAGS, *as_root, f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={draft}", page.resolve().as_uri(),
        ]  # fmt: skip
        said = _run(command, Path(folder) / "said", deadline_s)
        content = draft.read_bytes() if draft.is_file() else b""
        if not content.startswith(b"%PDF"):
            raise NotPrinted(f"{printer} printed nothing: {said or 'it did not say why'}")
        beside = target.with_name(f".{target.name}.{os.getpid()}.draft")
        beside.write_bytes(content)
        beside.replace(target)


def _run(command: list[str], log: Path, deadline_s: float) -> str:
    """Run it to its end; the last line that it said."""
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(  # noqa: S603 - the program that was asked for
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        except OSError as exc:
            raise NotPrinted(f"{command[0]} cannot be started: {exc.strerror}") from exc
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired as exc:
            raise NotPrinted(f"{command[0]} was not done within {deadline_s:g} s") from exc
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = log.read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]
