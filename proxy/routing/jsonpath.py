"""The part of JSONPath that compare rules use: no index, no filter, no slice.

`$` the document, `.name` or `['name']` a member, `[*]` every element, `..name` or
`..['name']` that member at any depth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class StepKind(StrEnum):
    """One step of a path."""

    MEMBER = "member"
    EVERY = "every"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class JsonStep:
    """`name` is empty for `every`."""

    kind: StepKind
    name: str = ""


class JsonPathError(ValueError):
    """The text is no path of this dialect. `at` is the offset of what was not understood."""

    def __init__(self, text: str, at: int) -> None:
        super().__init__(f'"{text[at : at + 20]}" is not understood')
        self.at = at


_STEP = re.compile(
    r"""\.\.(?P<anywhere>[A-Za-z_][\w-]*)
      | \.(?P<member>[A-Za-z_][\w-]*)
      | \[(?P<every>\*)\]
      | (?P<deep>\.\.)?\['(?P<single>(?:[^'\\]|\\['\\])+)'\]
      | (?P<deeper>\.\.)?\["(?P<double>(?:[^"\\]|\\["\\])+)"\]
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)")


def parse_json_path(text: str) -> tuple[JsonStep, ...]:
    """Split a path into its steps; "$" alone has none.

    Raises:
        JsonPathError: it does not start with "$" or uses what this dialect lacks.
    """
    if not text.startswith("$"):
        raise JsonPathError(text, 0)
    steps: list[JsonStep] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise JsonPathError(text, at)
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> JsonStep:
    if found["every"]:
        return JsonStep(StepKind.EVERY)
    if found["anywhere"]:
        return JsonStep(StepKind.ANYWHERE, found["anywhere"])
    quoted = found["single"] or found["double"]
    if quoted:
        kind = StepKind.ANYWHERE if found["deep"] or found["deeper"] else StepKind.MEMBER
        return JsonStep(kind, _ESCAPED.sub(r"\1", quoted))
    return JsonStep(StepKind.MEMBER, found["member"])
