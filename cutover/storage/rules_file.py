"""Edit `routing.yaml` in place and keep its comments, order and quotes.

Only the desired state is edited here; nothing is in force until it is applied. The file
is replaced by rename, so a reader or a crash never meets half of it.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from cutover.errors import CutoverError
from proxy.errors import RoutingFileError
from proxy.storage.tables import load_routing


class RulesFileError(CutoverError):
    """The file cannot be edited as asked; it is unchanged."""


def set_stage_in(document: CommentedMap, domain: str, stage: str, core_share: str | None) -> None:
    """Set a domain's stage, and its share where the stage is canary.

    A share left over from an earlier canary is removed, because it is legal only there.

    Raises:
        RulesFileError: no such domain.
    """
    entry = _domain(document, domain)
    entry["stage"] = stage
    if stage != "canary":
        entry.pop("core_share", None)
    elif core_share is not None:
        _put_after(entry, "stage", "core_share", core_share)


def add_rule_to(document: CommentedMap, domain: str, rule: Mapping[str, Any]) -> None:
    """Append a compare rule to a domain, making the lists above it where they are absent.

    Raises:
        RulesFileError: no such domain, or a rule for the same path stands there.
    """
    entry = _domain(document, domain)
    compare = entry.setdefault("compare", CommentedMap())
    rules = compare.setdefault("rules", CommentedSeq())
    if any(known.get("path") == rule["path"] for known in rules):
        message = f"domain {domain} already has a rule for {rule['path']}; edit that one"
        raise RulesFileError(message)
    rules.append(CommentedMap(rule))


def edited(path: Path, change: Callable[[CommentedMap], None]) -> None:
    """Read the file, let `change` alter the document, check it and put it in place.

    Raises:
        RulesFileError: it cannot be read, changed or written; the file is unchanged.
        RoutingFileError: the result would not load; the file is unchanged.
    """
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    try:
        text = path.read_text(encoding="utf-8")
        _, indent, offset = load_yaml_guess_indent(text)
        document = yaml.load(text)
        yaml.indent(sequence=indent or 4, offset=offset if offset is not None else 2)
    except (OSError, UnicodeDecodeError, YAMLError) as exc:
        message = f"{path}: cannot be read: {exc}"
        raise RulesFileError(message) from exc
    try:
        change(document)
    except RulesFileError as exc:
        message = f"{path}: {exc}"
        raise RulesFileError(message) from exc
    out = io.StringIO()
    yaml.dump(document, out)
    _put(path, out.getvalue())


def _domain(document: object, name: str) -> CommentedMap:
    domains = document.get("domains") if isinstance(document, CommentedMap) else None
    entry = domains.get(name) if isinstance(domains, CommentedMap) else None
    if not isinstance(entry, CommentedMap):
        known = ", ".join(map(str, domains)) if isinstance(domains, CommentedMap) else "none"
        message = f"there is no domain {name}; the file has: {known}"
        raise RulesFileError(message)
    return entry


def _put_after(entry: CommentedMap, anchor: str, key: str, value: object) -> None:
    if key in entry:
        entry[key] = value
    else:
        entry.insert(list(entry).index(anchor) + 1, key, value)


def _put(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        _must_load(draft, path)
        draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError as exc:
        message = f"{path}: cannot be written: {exc.strerror or exc}"
        raise RulesFileError(message) from exc
    finally:
        draft.unlink(missing_ok=True)


def _must_load(draft: Path, path: Path) -> None:
    """The result must be a table; its problems are told under the real file's name."""
    try:
        load_routing(draft)
    except RoutingFileError as exc:
        renamed = tuple(replace(problem, file=str(path)) for problem in exc.problems)
        raise RoutingFileError(renamed) from exc
