"""Every code that an answer of the core may carry stands in the reference with its way out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from new_core.api.problems import _CODES, _PLAIN
from new_core.domain.cart_lines import RowRefusal
from new_core.domain.totals import CouponProblem

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "problems.md").read_text(encoding="utf-8")
DOCUMENTED = frozenset(re.findall(r"`([a-z][a-z0-9_]+)`", PAGE))
PLACE_OF_CODE = {
    "Conflict": 0, "BadRequest": 0, "problem": 2, "Detail": 1, "CartProblem": 0, "NotFound": 0,
}  # fmt: skip


def spoken(call: ast.Call) -> ast.expr | None:
    """The expression that gives a call's code, when the call gives one."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name == "__init__" and len(call.args) == 2 and ast.unparse(call.func).startswith("super()"):
        return call.args[0]
    place = PLACE_OF_CODE.get(name)
    if place is None or len(call.args) <= place:
        return None
    return call.args[place]


def patterns() -> Iterator[tuple[str, str]]:
    """Where a code is spoken, and what it looks like."""
    for path in sorted((ROOT / "new_core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            told = spoken(node)
            is_entity = getattr(node.func, "id", "") == "NotFound"
            for text in texts(told):
                code = f"{text.replace(' ', '_')}_not_found" if is_entity else text
                yield f"{path.name}:{node.lineno}", code


def texts(told: ast.expr | None) -> Iterator[str]:
    if isinstance(told, ast.Constant) and isinstance(told.value, str):
        yield re.escape(told.value).replace(r"\ ", " ")
    elif isinstance(told, ast.JoinedStr):
        yield "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+"
            for part in told.values
        )


def test_every_code_in_the_source_is_documented() -> None:
    found = dict(patterns())

    missing = {
        where: code
        for where, code in found.items()
        if re.fullmatch(r"[a-z_\\\[\]+\- ]+", code)
        and not any(re.fullmatch(code, known) for known in DOCUMENTED)
    }

    assert len(found) > 60
    assert missing == {}, "put these into docs/reference/problems.md, with the way out"


@pytest.mark.parametrize(
    "codes",
    [
        [one.value for one in RowRefusal],
        [one.value for one in CouponProblem],
        list(_CODES.values()),
        [code for _, _, code in _PLAIN],
    ],
)
def test_every_code_that_is_a_value_is_documented(codes: list[str]) -> None:
    assert set(codes) <= DOCUMENTED


def test_nothing_is_said_not_to_be_found_that_nobody_looks_for() -> None:
    spoken_codes = {code for _, code in patterns()}

    told = {code for code in DOCUMENTED if code.endswith("_not_found")}

    assert told <= spoken_codes
