"""Read routing files from disk, and notice when they change.

table = load_routing(Path("routing.yaml"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from proxy.errors import Problem, RoutingFileError
from proxy.routing import (
    ListNode,
    MapNode,
    Node,
    RoutingTable,
    Scalar,
    ScalarKind,
    parse,
)

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 16
POLL_S = 0.1

# Two more looks after a change: a file system's clock ticks every few milliseconds, so a
# second edit within the same tick would leave the same size and the same time behind.
_LOOKS_AFTER_CHANGE = 2

_KINDS = {
    "tag:yaml.org,2002:str": ScalarKind.TEXT,
    "tag:yaml.org,2002:int": ScalarKind.INTEGER,
    "tag:yaml.org,2002:float": ScalarKind.DECIMAL,
    "tag:yaml.org,2002:bool": ScalarKind.BOOLEAN,
    "tag:yaml.org,2002:null": ScalarKind.NOTHING,
    "tag:yaml.org,2002:timestamp": ScalarKind.DATE,
}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_routing(path: Path) -> RoutingTable:
    """Read and check a routing file.

    Raises:
        RoutingFileError: the file cannot be read or has problems; all are named.
    """
    return parse_routing(read_routing(path), str(path))


def parse_routing(content: bytes, file: str) -> RoutingTable:
    """Check the bytes of a routing file; `file` is what problems call it.

    Raises:
        RoutingFileError: with every problem, each on a line of the file.
    """
    revision = hashlib.sha256(content).hexdigest()[:12]
    return parse(_compose(content, file), file, revision)


class TableWatcher:
    """Keeps the last good table of a file that others replace or edit.

    Belongs to one task. `poll` looks at the file; `run` does so for ever.

    Attributes:
        table: the last good table.
        content: its bytes.
        problem: why the file as it now stands does not load, None when it does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._looks = 0
        self._digest: bytes | None = None
        self.table: RoutingTable | None = None
        self.content = b""
        self.problem: RoutingFileError | None = None

    def load(self) -> RoutingTable:
        """Load for the first time. Raises RoutingFileError when there is no good table."""
        self.poll()
        if self.table is None:
            raise self.problem or RoutingFileError(())
        return self.table

    def is_due(self) -> bool:
        """True when the file looks other than at the last poll. One stat, microseconds."""
        return self._looks > 0 or self._signature() != self._seen

    def poll(self) -> bool:
        """Look at the file. True when there is a new table or a new problem."""
        # The signature is taken before the bytes: an edit in between is seen next time.
        signature = self._signature()
        self._looks = self._looks - 1 if signature == self._seen else _LOOKS_AFTER_CHANGE
        self._seen = signature
        content = None
        try:
            content = read_routing(self._path)
            digest = hashlib.sha256(content).digest()
            if digest == self._digest:
                return False
            self._digest = digest
            self.table = parse_routing(content, str(self._path))
            self.content = content
        except RoutingFileError as exc:
            if content is None:
                self._digest = None
            if self.problem is not None and self.problem.problems == exc.problems:
                return False
            self.problem = exc
            return True
        self.problem = None
        return True

    async def run(
        self,
        on_table: Callable[[RoutingTable], None],
        on_problem: Callable[[RoutingFileError], None],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        """Watch until cancelled. Reading and checking happen in a thread, off the loop."""
        import asyncio  # noqa: PLC0415 - commands read a table and end; this costs them 0.05 s

        while True:
            await asyncio.sleep(poll_s)
            if not self.is_due() or not await asyncio.to_thread(self.poll):
                continue
            if self.problem is not None:
                on_problem(self.problem)
            elif self.table is not None:
                on_table(self.table)

    def _signature(self) -> tuple[int, ...]:
        try:
            stat = self._path.stat()
        except OSError:
            return ()
        return stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_dev


def read_routing(path: Path) -> bytes:
    """The bytes of a routing file. Raises RoutingFileError when it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        what = f"The file cannot be read: {exc.strerror or exc}."
        raise _error(str(path), 1, what, "Check its name and permissions.") from exc
    if len(content) > MAX_BYTES:
        what = f"The file is larger than {MAX_BYTES // 1024 // 1024} MiB."
        raise _error(str(path), 1, what, "Is it the right file?")
    return content


def _error(file: str, line: int, what: str, fix: str) -> RoutingFileError:
    return RoutingFileError((Problem(file, max(1, line), "file", what, fix),))


def _compose(content: bytes, file: str) -> Node:
    """The document as nodes with lines. Event by event: no recursion, no alias expanded."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise _error(file, line, "The file is not UTF-8 text.", "Save it as UTF-8.") from exc
    last_line = max(1, len(text.splitlines()))
    loader = _Loader(text)
    try:
        return _Composer(file, last_line).compose(loader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = min(last_line, mark.line + 1) if mark else 1
        what = f"This is not YAML: {exc.problem or exc.context}."
        raise _error(file, line, what, "Check indentation, quotes and brackets.") from exc
    except yaml.reader.ReaderError as exc:
        line = min(last_line, text.count("\n", 0, exc.position) + 1)
        what = "The file has a character that YAML forbids."
        raise _error(file, line, what, "Remove it.") from exc
    except yaml.YAMLError as exc:
        raise _error(file, 1, "This is not YAML.", "Check indentation and quotes.") from exc
    finally:
        loader.dispose()


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    line: int
    is_map: bool
    nodes: list[Node] = field(default_factory=list)


class _Composer:
    """Builds nodes out of YAML events, with an own stack."""

    def __init__(self, file: str, last_line: int) -> None:
        self._file = file
        self._last_line = last_line
        self._stack: list[_Open] = []
        self._document: Node | None = None

    def compose(self, loader: Any) -> Node:
        """Read one document. Raises RoutingFileError for what no routing file has."""
        documents = 0
        while loader.check_event():
            event = loader.get_event()
            line = min(self._last_line, event.start_mark.line + 1)
            if isinstance(event, yaml.AliasEvent):
                what = f'The alias "*{event.anchor}" is not supported.'
                raise _error(self._file, line, what, "Write the value out.")
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    what = "A second document begins here."
                    raise _error(self._file, line, what, "Keep one document in the file.")
            elif isinstance(event, yaml.ScalarEvent):
                self._add(Scalar(line, event.value, _kind(loader, event)))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(line, is_map=isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
        if self._document is None:
            raise _error(self._file, 1, "The file is empty.", "Begin with apiVersion: banyan/v1.")
        return self._document

    def _open(self, line: int, *, is_map: bool) -> None:
        if len(self._stack) >= MAX_DEPTH:
            what = f"Nested deeper than {MAX_DEPTH} levels."
            raise _error(self._file, line, what, "No key of a routing file lies that deep.")
        self._stack.append(_Open(line, is_map))

    def _close(self) -> None:
        done = self._stack.pop()
        if not done.is_map:
            self._add(ListNode(done.line, tuple(done.nodes)))
            return
        entries: list[tuple[Scalar, Node]] = []
        for key, value in zip(done.nodes[::2], done.nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                what = "A key is a list or a mapping here."
                raise _error(self._file, key.line, what, "Write a plain word before the colon.")
            entries.append((key, value))
        self._add(MapNode(done.line, tuple(entries)))

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].nodes.append(node)
        else:
            self._document = node


def _kind(loader: Any, event: yaml.ScalarEvent) -> ScalarKind:
    tag = event.tag or loader.resolve(yaml.ScalarNode, event.value, event.implicit)
    return _KINDS.get(tag, ScalarKind.OTHER)
