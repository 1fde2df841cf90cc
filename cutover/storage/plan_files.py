"""Plan files on disk."""

from __future__ import annotations

from pathlib import Path

from cutover.core.plan_file import NewerPlan, NotAPlan, PlanFile, plan_from_json, plan_to_json
from cutover.errors import CannotWrite, PlanFileError
from cutover.storage.durable import reason_of, sync_folder, write_draft

_MODE = 0o644  # made by one job, applied by another
_MAX_BYTES = 64 * 1024 * 1024


def write_plan(path: Path, planned: PlanFile) -> None:
    """Write a plan file whole, over an older one of that name.

    Raises:
        CannotWrite: the disk or the folder refuses, or another kind of file is there.
    """
    try:
        if path.is_dir() or (path.exists() and not _is_plan(path)):
            raise CannotWrite(
                f"{path} is there and is no plan file; remove it, or name another file"
            )
        draft = write_draft(path, plan_to_json(planned))
        try:
            draft.chmod(_MODE)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as exc:
        raise CannotWrite(f"{path} cannot be written: {reason_of(exc)}") from exc


def read_plan(path: Path) -> PlanFile:
    """Read a plan file.

    Raises:
        PlanFileError: it cannot be read, was altered, or is newer than this Banyan.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise PlanFileError(f"{path} cannot be read: {reason_of(exc)}") from exc
    try:
        return plan_from_json(content)
    except NewerPlan as exc:
        raise PlanFileError(
            f"{path}: {exc}; apply it with the Banyan that made it, or make the plan anew here"
        ) from exc
    except NotAPlan as exc:
        raise PlanFileError(
            f"{path}: {exc}; nothing changed. Make it anew: banyan plan --out {path}"
        ) from exc


def _is_plan(path: Path) -> bool:
    """Also a damaged one: whatever begins as plan files do. Raises OSError."""
    with path.open("rb") as file:
        return file.read(40).startswith(b'{\n "kind": "banyan plan"')
