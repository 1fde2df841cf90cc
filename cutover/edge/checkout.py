"""What git says of a file: which commit its content is from. Runs nothing of the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

_WAIT_S = 3
_MOST_SUBJECT = 100
#: What a repository's own settings could make git run.
_QUIET = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "protocol.allow=never"),
)


def commit_of(file: Path, content: bytes) -> str:
    """E.g. "commit 1f0c5a77e2d4: First shoppers"; "" where there is no git or no such commit.

    The content must be what was committed: of an edit that was not, no commit is to blame.
    Never raises.
    """
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        place = file.resolve(strict=True)
        committed = _asked(git, place.parent, "rev-parse", "--verify", "-q", f"HEAD:./{place.name}")
        if committed != _blob(content, len(committed)):
            return ""
        told = _asked(git, place.parent, "log", "-1", "--format=%H %s", "HEAD", "--", place.name)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    commit, _, subject = told.partition(" ")
    shown = "".join(one for one in subject if one.isprintable())[:_MOST_SUBJECT]
    return f"commit {commit[:12]}: {shown}" if commit else ""


def _asked(git: str, folder: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - a fixed command; the file's name stands behind "./" or "--"
        [git, "--no-pager", "--literal-pathspecs", *_QUIET, *words],
        cwd=folder,
        # Another repository's GIT_DIR, as a hook of git has it, must not answer for this one.
        env={
            "PATH": os.defpath,
            "HOME": str(Path.home()),
            "LC_ALL": "C.UTF-8",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_WAIT_S,
        check=True,
    )
    return done.stdout.decode(errors="replace").strip()


def _blob(content: bytes, digits: int) -> str:
    """The name that git gives to content, in a repository whose names have so many digits."""
    named = b"blob %d\x00%s" % (len(content), content)
    if digits == hashlib.sha256().digest_size * 2:
        return hashlib.sha256(named).hexdigest()
    return hashlib.sha1(named, usedforsecurity=False).hexdigest()
