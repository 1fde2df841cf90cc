"""What a rule forgives between two values, and what is left of a value without it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

from proxy.routing import ANY_HOST, Accept, CompareRule, Ignore, Minor, RuleTerms, Same, Side
from shadow_compare.core.amounts import Amount, read_amount
from shadow_compare.core.documents import Json, canonical, number, quoted
from shadow_compare.core.elements import Element, is_bare
from shadow_compare.core.rules import RuleState
from shadow_compare.core.times import day_of, distance_s, read_date, read_time

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,400})(\.\d{1,400})?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_SIDES = {Side.LEGACY: Minor.LEGACY, Side.CORE: Minor.CORE}


def forgiving_rule(legacy: Json, core: Json, state: RuleState) -> CompareRule | None:
    """The rule that accepts two values, both present, that are not the same.

    Ids that are mapped need more than two values; `IdMaps` decides on them.
    """
    for rule in state.here:
        forgives = _FORGIVES.get(rule.accept)
        if forgives is not None and forgives(legacy, core, rule.terms):
            return rule
    return None


def rule_for_absence(present: Json, state: RuleState) -> CompareRule | None:
    """The rule that accepts a value that only one side has."""
    for rule in state.here:
        if rule.accept is Accept.ANY:
            return rule
        if rule.accept is Accept.NULL_OR_ABSENT and present is None:
            return rule
        if rule.accept is Accept.EMPTY_OR_ABSENT and is_empty(present):
            return rule
    return None


class IdMaps:
    """Which id of legacy stands for which of the core, by rule, in one pair of answers."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, str], str] = {}
        self._back: dict[tuple[str, str], str] = {}

    def agree(self, rule: CompareRule, legacy: Json, core: Json) -> bool:
        """Whether two ids may be the same thing's, as far as these answers tell.

        The first pair settles it: from then on neither id goes with another one.
        """
        if not (is_id(legacy) and is_id(core)):
            return False
        ours, theirs = canonical(legacy), canonical(core)
        there = self._there.setdefault((rule.name, ours), theirs)
        back = self._back.setdefault((rule.name, theirs), ours)
        return there == theirs and back == ours


def is_id(value: Json) -> bool:
    """A value that can name a thing: a whole number or a text that is not empty."""
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def is_empty(value: Json) -> bool:
    """null, "", [], {} or an element without attributes and content."""
    if isinstance(value, Element):
        return is_bare(value)
    return value is None or (isinstance(value, str | list | dict) and not value)


def is_uuid(value: Json) -> bool:
    """A UUID, with or without dashes."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        return False
    return bool(UUID(value))


def _any(_legacy: Json, _core: Json, _terms: RuleTerms) -> bool:
    return True


def _timestamps(legacy: Json, core: Json, terms: RuleTerms) -> bool:
    ours, theirs = read_time(legacy), read_time(core)
    if ours is None or theirs is None:
        return False
    if terms.within is None:
        return True
    apart_s = distance_s(ours, theirs)
    return apart_s is not None and apart_s <= terms.within


def _dates(legacy: Json, core: Json, terms: RuleTerms) -> bool:
    ours, theirs = read_date(legacy, terms.formats), read_date(core, terms.formats)
    if ours is None or theirs is None:
        return False
    if terms.same is Same.DAY:
        return day_of(ours) == day_of(theirs)
    return distance_s(ours, theirs) == 0


def _uuids(legacy: Json, core: Json, _terms: RuleTerms) -> bool:
    return is_uuid(legacy) and is_uuid(core)


def _urls(legacy: Json, core: Json, terms: RuleTerms) -> bool:
    ours, theirs = _address(legacy, terms), _address(core, terms)
    return ours is not None and ours == theirs


def _address(value: Json, terms: RuleTerms) -> tuple[str, str, str, str] | None:
    """What two addresses at different hosts share: user, path, query and fragment.

    A path alone is an address at the host that sent it.
    """
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is None or parts.scheme not in ("http", "https", ""):
            return None
        parts.port  # noqa: B018 - refuses what is no port
    except ValueError:
        return None
    user, _, host = parts.netloc.rpartition("@")
    listed = terms.hosts == (ANY_HOST,) or host.lower() in terms.hosts
    if not (listed if host else not parts.scheme and parts.path.startswith("/")):
        return None
    return user, parts.path or "/", parts.query, parts.fragment


def _money(legacy: Json, core: Json, terms: RuleTerms) -> bool:
    ours, theirs = _amount(legacy, terms, Side.LEGACY), _amount(core, terms, Side.CORE)
    if ours is None or theirs is None:
        return False
    if ours.currency and theirs.currency and ours.currency != theirs.currency:
        return False
    return abs(ours.value - theirs.value) <= (terms.within or 0)


def _amount(value: Json, terms: RuleTerms, side: Side) -> Amount | None:
    return read_amount(value, terms.digits if terms.minor is _SIDES[side] else None)


def _numbers(legacy: Json, core: Json, terms: RuleTerms) -> bool:
    ours, theirs = _numeric(legacy), _numeric(core)
    if ours is None or theirs is None or isinstance(legacy, str) is not isinstance(core, str):
        return False
    return terms.within is not None and abs(ours - theirs) <= terms.within


def _numeric(value: Json) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    return None


def _number_texts(legacy: Json, core: Json, _terms: RuleTerms) -> bool:
    """A number on one side, the same number as text on the other."""
    if isinstance(legacy, str) is isinstance(core, str):
        return False
    ours, theirs = _numeric(legacy), _numeric(core)
    return ours is not None and ours == theirs


def _texts(legacy: Json, core: Json, terms: RuleTerms) -> bool:
    if not isinstance(legacy, str) or not isinstance(core, str):
        return False
    return _plain(legacy, terms) == _plain(core, terms)


def _plain(text: str, terms: RuleTerms) -> str:
    if Ignore.NFC in terms.ignore:
        text = unicodedata.normalize("NFC", text)
    if Ignore.CASE in terms.ignore:
        text = text.casefold()
    return " ".join(text.split()) if Ignore.SPACE in terms.ignore else text


def _empties(legacy: Json, core: Json, _terms: RuleTerms) -> bool:
    return is_empty(legacy) and is_empty(core)


_FORGIVES: dict[Accept, Callable[[Json, Json, RuleTerms], bool]] = {
    Accept.ANY: _any,
    Accept.TIMESTAMP: _timestamps,
    Accept.DATE: _dates,
    Accept.UUID: _uuids,
    Accept.URL: _urls,
    Accept.MONEY: _money,
    Accept.NUMBER: _numbers,
    Accept.NUMBER_TEXT: _number_texts,
    Accept.TEXT: _texts,
    Accept.EMPTY_OR_ABSENT: _empties,
}


def masked(value: Json, state: RuleState, side: Side) -> str:
    """The canonical text of a value with what rules forgive taken out.

    Two elements of an array with the same masked text may belong together. Whether they
    are the same is decided when they are compared.
    """
    if state.silent:
        return canonical(value)
    if state.accepts(Accept.ANY):
        return "*"
    if state.accepts(Accept.EMPTY_OR_ABSENT) and is_empty(value):
        return "<empty>"
    if isinstance(value, dict):
        return "{" + ",".join(_masked_members(value, state, side)) + "}"
    if isinstance(value, list | Element):
        return _masked_items(value, state, side)
    return _masked_scalar(value, state, side)


def in_any_order(state: RuleState) -> bool:
    """Whether a rule says that the order of what is in here does not count."""
    return bool(state.accepts(Accept.UNORDERED) or state.accepts(Accept.KEYED))


def _masked_members(members: dict[str, Json], state: RuleState, side: Side) -> list[str]:
    texts = []
    for key in sorted(members):
        below = state.member(key)
        if rule_for_absence(members[key], below) is None:
            texts.append(f"{quoted(key)}:{masked(members[key], below, side)}")
    return texts


def _masked_items(value: list[Json] | Element, state: RuleState, side: Side) -> str:
    head = ""
    if isinstance(value, Element):
        named: dict[str, Json] = {f"@{name}": value.attributes[name] for name in value.attributes}
        head = f"<{quoted(value.name)} {' '.join(_masked_members(named, state, side))}>"
        items = [masked(child, state_of(child, state), side) for child in value.children]
    else:
        items = [masked(item, state.element(), side) for item in value]
    return f"{head}[{','.join(sorted(items) if in_any_order(state) else items)}]"


def state_of(child: Element | str, state: RuleState) -> RuleState:
    """The state of what stands in an element: a text in it stands where the element does."""
    return state if isinstance(child, str) else state.child(child.names)


def _masked_scalar(value: str | int | Decimal | bool | None, state: RuleState, side: Side) -> str:
    for rule in state.here:
        mask = _MASKS.get(rule.accept)
        text = None if mask is None else mask(value, rule.terms, side)
        if text is not None:
            return text
    return canonical(value)


def _time_mask(value: Json, _terms: RuleTerms, _side: Side) -> str | None:
    return "<time>" if read_time(value) else None


def _date_mask(value: Json, terms: RuleTerms, _side: Side) -> str | None:
    found = read_date(value, terms.formats)
    if found is None:
        return None
    if terms.same is Same.DAY:
        return f"<{day_of(found)}>"
    return f"<{found}>" if found.utcoffset() is None else f"<{found.timestamp()}>"


def _uuid_mask(value: Json, _terms: RuleTerms, _side: Side) -> str | None:
    return "<uuid>" if is_uuid(value) else None


def _id_mask(value: Json, _terms: RuleTerms, _side: Side) -> str | None:
    return "<id>" if is_id(value) else None


def _url_mask(value: Json, terms: RuleTerms, _side: Side) -> str | None:
    found = _address(value, terms)
    return None if found is None else f"<{quoted(' '.join(found))}>"


def _money_mask(value: Json, terms: RuleTerms, side: Side) -> str | None:
    found = _amount(value, terms, side)
    if found is None:
        return None
    return "<money>" if terms.within else f"<{number(found.value)}>"


def _number_mask(value: Json, _terms: RuleTerms, _side: Side) -> str | None:
    return None if _numeric(value) is None else "<number>"


def _number_text_mask(value: Json, _terms: RuleTerms, _side: Side) -> str | None:
    found = _numeric(value)
    return None if found is None else number(found)


def _text_mask(value: Json, terms: RuleTerms, _side: Side) -> str | None:
    return quoted(_plain(value, terms)) if isinstance(value, str) else None


_MASKS: dict[Accept, Callable[[Json, RuleTerms, Side], str | None]] = {
    Accept.TIMESTAMP: _time_mask,
    Accept.DATE: _date_mask,
    Accept.UUID: _uuid_mask,
    Accept.MAPPED_ID: _id_mask,
    Accept.URL: _url_mask,
    Accept.MONEY: _money_mask,
    Accept.NUMBER: _number_mask,
    Accept.NUMBER_TEXT: _number_text_mask,
    Accept.TEXT: _text_mask,
}
