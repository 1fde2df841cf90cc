"""Put domains of one table's text into another's, and leave the rest as it is."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from cutover.core.differences import is_same, table_details
from cutover.errors import CutoverError
from cutover.service.tables import parsed
from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOM = "\ufeff"
_TAIL = re.compile(r"(?<=\n)([ \t]*(#[^\n]*)?\n)+\Z")


def graft(content: bytes, source: bytes, domains: Sequence[str]) -> bytes:
    """`content` with the named domains as `source` has them; one it lacks is removed.

    Both load. Every other byte stays, comments around the domains too, unless the form of
    the two texts is too different for that.

    Raises:
        CutoverError: the result would not load, or would change more than the domains.
    """
    body, other = content.decode("utf-8"), source.decode("utf-8").removeprefix(_BOM)
    bom = _BOM if body.startswith(_BOM) else ""
    body = body.removeprefix(_BOM)
    ways: tuple[Callable[[str, str, Sequence[str]], str], ...] = (_spliced, _emitted)
    problem = ""
    for way in ways:
        try:
            result = (bom + way(body, other, domains)).encode()
            _must_be(parsed(result, "the table"), content, source, domains)
        except (YAMLError, yaml.YAMLError, RoutingFileError, _Unfit) as exc:
            # Lines of another indent, or a comment in an odd place, can defeat the
            # scissors; the emitter is sure, and loses some of the form.
            problem = str(exc)
        else:
            return result
    raise CutoverError(f"{', '.join(domains)} cannot be put back alone: {problem}")


class _Unfit(ValueError):
    """The result is not the table that was asked for."""


def _spliced(body: str, source: str, domains: Sequence[str]) -> str:
    old, new = _places(body), _places(source)
    end = max((there.stop for there in old.values()), default=None)
    if end is None:
        raise _Unfit("there is no domain to put them beside")
    edits = [
        (old.get(name, slice(end, end)), source[new[name]] if name in new else "")
        for name in domains
    ]
    for place, text in sorted(edits, key=lambda edit: -edit[0].start):
        body = body[: place.start] + text + body[place.stop :]
    return body


def _places(text: str) -> dict[str, slice]:
    """Where the whole lines of each domain are, without the comments that follow them."""
    root: Any = yaml.compose(text, Loader=_Loader)
    entries = next(value for key, value in root.value if key.value == "domains")
    if entries.flow_style or not text.endswith("\n"):
        raise _Unfit("the domains are not on lines of their own")
    found = {}
    for key, value in entries.value:
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        end = value.end_mark.index
        if value.flow_style:
            end = text.index("\n", end) + 1
        elif end < len(text):
            end = text.rfind("\n", 0, end) + 1
        found[key.value] = slice(start, start + len(_TAIL.sub("", text[start:end])))
    return found


def _emitted(body: str, source: str, domains: Sequence[str]) -> str:
    into, out = _emitter(body).load(body), io.StringIO()
    new = _emitter(source).load(source)["domains"]
    for name in domains:
        if name in new:
            into["domains"][name] = new[name]
        else:
            into["domains"].pop(name, None)
    _emitter(body).dump(into, out)
    return out.getvalue()


def _emitter(text: str) -> Any:
    emitter = YAML(typ="rt")
    emitter.preserve_quotes = True
    emitter.width = 4096
    _, indent, offset = load_yaml_guess_indent(text)
    emitter.indent(sequence=indent or 4, offset=2 if offset is None else offset)
    return emitter


def _must_be(result: RoutingTable, content: bytes, source: bytes, domains: Sequence[str]) -> None:
    kept, back = parsed(content, "the table"), parsed(source, "the table")
    wanted = {domain.name: domain for domain in kept.domains if domain.name not in domains}
    wanted |= {domain.name: domain for domain in back.domains if domain.name in domains}
    found = {domain.name: domain for domain in result.domains}
    is_right = found.keys() == wanted.keys() and all(
        is_same(found[name], wanted[name]) for name in wanted
    )
    if not is_right or table_details(kept, result):
        raise _Unfit("more than they would change")
