"""Reads what clients send by the rules, and in the words, of Django REST framework."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any
from urllib.parse import unquote, urlsplit

Problems = dict[str, Any]
"""Messages by field; of a nested field again by field."""

_REQUIRED = "This field is required."
_NULL = "This field may not be null."
_BLANK = "This field may not be blank."
_LONGEST_NUMBER = 1000
_EMPTY = object()


class InvalidField(Exception):
    """A value that is refused; `problems` is what the client is told."""

    def __init__(self, problems: list[Any] | Problems) -> None:
        super().__init__(str(problems))
        self.problems = problems


class InvalidForm(Exception):
    """A whole body that is refused."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(str(problems))
        self.problems = problems


def whole(message: str) -> InvalidForm:
    """A refusal that is about no single field."""
    return InvalidForm({"non_field_errors": [message]})


Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form.

    Attributes:
        read: gives the value.
        default: of a field that was not sent; only for one that is not required.
        nullable: whether null is a value.
    """

    read: Read
    required: bool = True
    default: Any = _EMPTY
    nullable: bool = False


def read_form(
    fields: Mapping[str, Field], sent: object, *, partial: bool = False
) -> dict[str, Any]:
    """The values that were sent, by field; fields that are unknown are passed over.

    In a `partial` one nothing is required, and nothing has a default.

    Raises:
        InvalidForm: with every field that is refused, in the form's order.
    """
    if not isinstance(sent, Mapping):
        raise whole(f"Invalid data. Expected a dictionary, but got {type(sent).__name__}.")
    values: dict[str, Any] = {}
    problems: Problems = {}
    for name, field in fields.items():
        try:
            value = _value(field, sent.get(name, _EMPTY), partial=partial)
        except InvalidField as refused:
            problems[name] = refused.problems
            continue
        if value is not _EMPTY:
            values[name] = value
    if problems:
        raise InvalidForm(problems)
    return values


def _value(field: Field, sent: Any, *, partial: bool) -> Any:
    if sent is _EMPTY:
        if field.required and not partial:
            raise InvalidField([_REQUIRED])
        return _EMPTY if partial else field.default
    if sent is None:
        if field.nullable:
            return None
        raise InvalidField([_NULL])
    return field.read(sent)


def integer(*, least: int | None = None, most: int | None = None) -> Read:
    """A whole number, also as text and with zeros after the point."""

    def read(sent: Any) -> int:
        if isinstance(sent, str) and len(sent) > _LONGEST_NUMBER:
            raise InvalidField(["String value too large."])
        try:
            value = int(re.sub(r"\.0*\s*$", "", str(sent)))
        except ValueError:
            raise InvalidField(["A valid integer is required."]) from None
        if least is not None and value < least:
            raise InvalidField([f"Ensure this value is greater than or equal to {least}."])
        if most is not None and value > most:
            raise InvalidField([f"Ensure this value is less than or equal to {most}."])
        return value

    return read


def text(*, longest: int | None = None, blank: bool = False) -> Read:
    """A text without the space around it."""

    def read(sent: Any) -> str:
        if sent == "" or str(sent).strip() == "":
            if not blank:
                raise InvalidField([_BLANK])
            return ""
        if isinstance(sent, bool) or not isinstance(sent, str | int | float):
            raise InvalidField(["Not a valid string."])
        value = str(sent).strip()
        found = _text_problems(value, longest)
        if found:
            raise InvalidField(found)
        return value

    return read


def _text_problems(value: str, longest: int | None) -> list[str]:
    found = []
    if longest is not None and len(value) > longest:
        found.append(f"Ensure this field has no more than {longest} characters.")
    if "\x00" in value:
        found.append("Null characters are not allowed.")
    for character in value:
        if 0xD800 <= ord(character) <= 0xDFFF:
            found.append(f"Surrogate characters are not allowed: U+{ord(character):X}.")
            break
    return found


_MAILBOX = re.compile(
    r"(^[-!#$%&'*+/=?^_`{}|~0-9A-Z]+(\.[-!#$%&'*+/=?^_`{}|~0-9A-Z]+)*\Z"
    r'|^"([\001-\010\013\014\016-\037!#-\[\]-\177]|\\[\001-\011\013\014\016-\177])*"\Z)',
    re.IGNORECASE,
)
_DOMAIN = re.compile(
    r"^(?:[a-z0-9\u00a1-\uffff](?:[a-z0-9\u00a1-\uffff-]{0,61}[a-z0-9\u00a1-\uffff])?)"
    r"(?:\.(?!-)[a-z0-9\u00a1-\uffff-]{1,63}(?<!-))*"
    r"\.(?!-)(?:[a-z\u00a1-\uffff-]{2,63}|xn--[a-z0-9]{1,59})(?<!-)\.?\Z",
    re.IGNORECASE,
)
_LONGEST_EMAIL = 320


def email(*, longest: int | None = None, blank: bool = False) -> Read:
    """An e-mail address."""
    plain = text(longest=longest, blank=blank)

    def read(sent: Any) -> str:
        value: str = plain(sent)
        if value and not is_email(value):
            raise InvalidField(["Enter a valid email address."])
        return value

    return read


def is_email(value: str) -> bool:
    """Whether Django takes it for an e-mail address; addresses of machines by number aside."""
    mailbox, at, domain = value.rpartition("@")
    if not at or len(value) > _LONGEST_EMAIL or not _MAILBOX.match(mailbox):
        return False
    return domain == "localhost" or _DOMAIN.match(domain) is not None


def decimal(*, digits: int = 12, places: int = 2) -> Read:
    """An amount with a bounded number of digits."""

    def read(sent: Any) -> Decimal:
        written = str(sent).strip()
        if len(written) > _LONGEST_NUMBER:
            raise InvalidField(["String value too large."])
        try:
            value = Decimal(written)
        except DecimalException:
            raise InvalidField(["A valid number is required."]) from None
        if not value.is_finite():
            raise InvalidField(["A valid number is required."])
        _check_precision(value, digits, places)
        return value.quantize(Decimal(1).scaleb(-places))

    return read


def _check_precision(value: Decimal, digits: int, places: int) -> None:
    _, shown, exponent = value.as_tuple()
    power = int(exponent)
    if power >= 0:
        total, before, after = len(shown) + power, len(shown) + power, 0
    elif len(shown) > -power:
        total, before, after = len(shown), len(shown) + power, -power
    else:
        total, before, after = -power, 0, -power
    if total > digits:
        raise InvalidField([f"Ensure that there are no more than {digits} digits in total."])
    if after > places:
        raise InvalidField([f"Ensure that there are no more than {places} decimal places."])
    if before > digits - places:
        most = f"no more than {digits - places} digits before the decimal point"
        raise InvalidField([f"Ensure that there are {most}."])


_TRUE = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE = frozenset({"f", "n", "no", "false", "off", "0"})


def boolean(sent: Any) -> bool:
    """Yes or no, in any of the ways that clients write them."""
    written = str(sent).lower() if isinstance(sent, str | bool | int | float) else ""
    if written in _TRUE or written == "1.0":
        return True
    if written in _FALSE or written == "0.0":
        return False
    raise InvalidField(["Must be a valid boolean."])


def choice(values: Sequence[str]) -> Read:
    """One of some texts, or none."""

    def read(sent: Any) -> str:
        if sent == "" or str(sent) in values:
            return str(sent)
        raise InvalidField([f'"{sent}" is not a valid choice.'])

    return read


_PHONE = re.compile(r"\+[0-9]{8,15}\Z")


def phone(sent: Any) -> str:
    """A telephone number with its country, in the form in which it is kept; or none."""
    if sent == "":
        return ""
    written = re.sub(r"[\s().-]", "", str(sent))
    if isinstance(sent, str) and _PHONE.match(written):
        return written
    raise InvalidField(["The phone number entered is not valid."])


def nested(fields: Mapping[str, Field]) -> Read:
    """A form in a form."""

    def read(sent: Any) -> dict[str, Any]:
        try:
            return read_form(fields, sent)
        except InvalidForm as refused:
            raise InvalidField(refused.problems) from refused

    return read


def many(fields: Mapping[str, Field]) -> Read:
    """A list of forms."""

    def read(sent: Any) -> list[dict[str, Any]]:
        if not isinstance(sent, list):
            kind = type(sent).__name__
            raise InvalidField(
                {"non_field_errors": [f'Expected a list of items but got type "{kind}".']}
            )
        found: list[dict[str, Any]] = []
        problems: list[Any] = []
        for one in sent:
            try:
                found.append(read_form(fields, one))
                problems.append({})
            except InvalidForm as refused:
                problems.append(refused.problems)
        if any(problems):
            raise InvalidField(problems)
        return found

    return read


def link(path: str, exists: Callable[[str], bool]) -> Read:
    """The key in the address of something of the API, at any host.

    Args:
        path: of such an address, with one group for the key, e.g. `/api/products/([0-9]+)/`.
        exists: whether there is something of that key.
    """
    pattern = re.compile(path)

    def read(sent: Any) -> str:
        key = linked_key(pattern, sent)
        if not exists(key):
            raise InvalidField(["Invalid hyperlink - Object does not exist."])
        return key

    return read


def linked_key(pattern: re.Pattern[str], sent: Any) -> str:
    """The key in an address, whether there is such a thing or not.

    Raises:
        InvalidField: it is no address of that kind.
    """
    if not isinstance(sent, str):
        kind = type(sent).__name__
        raise InvalidField([f"Incorrect type. Expected URL string, received {kind}."])
    path = unquote(_path(sent))
    found = pattern.fullmatch(path)
    if found is not None:
        return found[1].lstrip("0") or "0" if found[1].isdigit() else found[1]
    problem = "Incorrect URL match" if _OURS.match(path) else "No URL match"
    raise InvalidField([f"Invalid hyperlink - {problem}."])


def _path(sent: str) -> str:
    if sent.startswith(("http:", "https:")):
        try:
            return urlsplit(sent).path
        except ValueError:
            return sent
    return sent


_OURS = re.compile(
    r"/api/(products/([0-9]+/((price|availability|stockrecords)/([0-9]+/)?)?)?"
    r"|baskets?/.*|categories/.*|orders/.*|countries/.*|options/.*|users/[0-9]+/"
    r"|useraddresses/.*|checkout/|login/|register/)?\Z"
)
