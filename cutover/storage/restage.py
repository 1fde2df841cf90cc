"""Write another stage, or another share, into a table's text and leave every other byte as it is.

Rewriting the document with an emitter would take seconds for a large file and lose its
form; a rollback has neither time nor reason for that.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from cutover.core.stages import Position
from cutover.errors import CutoverError
from cutover.service.tables import parsed
from proxy.errors import RoutingFileError
from proxy.routing import Stage

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Splice:
    start: int
    end: int
    text: str


def restage(content: bytes, domain: str, stage: Stage, *, frees_writes: bool = False) -> bytes:
    """The same table with one domain in another stage, without a core share.

    `content` loads and has the domain; `stage` is any but canary. Where writes are freed they
    go where the stage says, whatever `writes_to` said.

    Raises:
        CutoverError: the text could not be changed so that it still loads.
    """
    text = content.decode("utf-8")
    bom = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    gone = ("core_share", "writes_to") if frees_writes else ("core_share",)
    try:
        found = _checked((bom + _spliced(body, domain, stage, gone)).encode(), domain, stage)
    except CutoverError:
        # A comment in an odd place can defeat the scissors; the emitter is slow but sure.
        found = _checked((bom + _emitted(body, domain, stage, gone)).encode(), domain, stage)
    if frees_writes and parsed(found, "the table").domain(domain).writes_stay:
        raise CutoverError(f"the writes of {domain} could not be freed")
    return found


def reshare(content: bytes, domain: str, share_bp: int) -> bytes:
    """The same table with another share for one domain, which is in canary.

    Raises:
        CutoverError: the text could not be changed so that it still loads.
    """
    text = content.decode("utf-8")
    bom = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    entry = _value(_value(yaml.compose(body, Loader=_Loader), "domains"), domain)
    share = _value(entry, "core_share")
    start, end = share.start_mark.index, share.end_mark.index
    changed = (bom + body[:start] + f"{share_bp / 100:g}%" + body[end:]).encode()
    try:
        found = parsed(changed, "the table").domain(domain)
    except (RoutingFileError, KeyError) as exc:
        raise CutoverError(f"the share of {domain} could not be written: {exc}") from exc
    if found.core_share_bp != share_bp:
        raise CutoverError(f"the share of {domain} could not be written")
    return changed


def advance(content: bytes, domain: str, to: Position) -> bytes:
    """The same table with one domain where a step leads it.

    `content` loads and has the domain.

    Raises:
        CutoverError: the text could not be changed so that it still loads.
    """
    if to.stage is not Stage.CANARY:
        return restage(content, domain, to.stage)
    if parsed(content, "the table").domain(domain).stage is Stage.CANARY:
        return reshare(content, domain, to.core_share_bp)
    text = content.decode("utf-8")
    bom = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    entry = _value(_value(yaml.compose(body, Loader=_Loader), "domains"), domain)
    key, value = next((key, value) for key, value in entry.value if key.value == "stage")
    share = f"core_share: {to.core_share_bp / 100:g}%"
    between = ", " if entry.flow_style else "\n" + " " * key.start_mark.column
    start, end = value.start_mark.index, value.end_mark.index
    changed = body[:start] + str(to.stage) + between + share + body[end:]
    return _checked((bom + changed).encode(), domain, to.stage)


def _spliced(body: str, domain: str, stage: Stage, gone: Collection[str]) -> str:
    entry = _value(_value(yaml.compose(body, Loader=_Loader), "domains"), domain)
    splices: list[_Splice] = []
    for key, value in entry.value:
        if key.value == "stage":
            splices.append(_Splice(value.start_mark.index, value.end_mark.index, str(stage)))
        elif key.value in gone:
            splices.append(_removal(body, entry, key, value))
    for splice in sorted(splices, key=lambda splice: -splice.start):
        body = body[: splice.start] + splice.text + body[splice.end :]
    return body


def _emitted(body: str, domain: str, stage: Stage, gone: Collection[str]) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - 0.1 s that only this way out pays

    from cutover.storage.rules_file import set_stage_in  # noqa: PLC0415 - likewise

    emitter = YAML(typ="rt")
    emitter.preserve_quotes = True
    emitter.width = 4096
    document = emitter.load(body)
    set_stage_in(document, domain, str(stage), None)
    for name in gone:
        document["domains"][domain].pop(name, None)
    out = io.StringIO()
    emitter.dump(document, out)
    return out.getvalue()


def _value(node: Any, name: str) -> Any:
    for key, value in node.value:
        if key.value == name:
            return value
    raise CutoverError(f"the table has no key {name}")


def _removal(body: str, entry: Any, key: Any, value: Any) -> _Splice:
    """Cut a key with its value: its lines in block style, its comma in flow style."""
    start, end = key.start_mark.index, value.end_mark.index
    if not entry.flow_style:
        line_end = body.find("\n", end)
        after = len(body) if line_end < 0 else line_end + 1
        return _Splice(body.rfind("\n", 0, start) + 1, after, "")
    if following := re.compile(r"\s*,[ \t]*").match(body, end):
        return _Splice(start, following.end(), "")
    return _Splice(start, end, "")  # a comma may stand before a closing brace


def _checked(changed: bytes, domain: str, stage: Stage) -> bytes:
    try:
        found = parsed(changed, "the table").domain(domain)
    except (RoutingFileError, KeyError) as exc:
        raise CutoverError(f"stage {stage} could not be written for {domain}: {exc}") from exc
    if found.stage is not stage:
        raise CutoverError(f"stage {stage} could not be written for {domain}")
    return changed
