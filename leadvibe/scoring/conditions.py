"""Conditions on a JSON value: what segment rules and the filters of triggers ask (contract: "Operators").

A value has a text: a text itself, a number in its shortest decimal form, true or false. null, "" and what is
missing are empty; an object has no text and is not empty. Of a list any item may meet a condition, and a list
without a filled item is empty.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

_ALIASES = {
    "equals": ("eq", "="),
    "not_equals": ("neq", "!="),
    "contains": (),
    "starts_with": (),
    "ends_with": (),
    "greater_than": ("gt", ">"),
    "less_than": ("lt", "<"),
    "greater_than_or_equal": ("gte", ">="),
    "less_than_or_equal": ("lte", "<="),
    "is_empty": ("not_exists",),
    "is_not_empty": ("exists",),
}
OPERATORS = tuple(_ALIASES)
_CANONICAL = {name: operator for operator, aliases in _ALIASES.items() for name in (operator, *aliases)}
_ABOUT_PRESENCE = frozenset({"is_empty", "is_not_empty"})

# Python's and PostgreSQL's regular expressions read these alike.
NUMBER_PATTERN = r"[+-]?([0-9]{1,255}([.][0-9]{0,255})?|[.][0-9]{1,255})([eE][+-]?[0-9]{1,3})?"
_NUMBER = re.compile(NUMBER_PATTERN)


def canonical(operator: str) -> str:
    """The operator's own name, whichever of its names is given. Raises ValueError when it has none."""
    name = _CANONICAL.get(operator.strip().lower())
    if name is None:
        raise ValueError(f"unknown operator {operator!r}; known are {', '.join(OPERATORS)}")
    return name


def needs_value(operator: str) -> bool:
    """Whether the operator (by its own name) compares with a value."""
    return operator not in _ABOUT_PRESENCE


def holds(operator: str, actual: Any, wanted: str | None) -> bool:
    """Whether `actual` meets the condition; `operator` by its own name.

    Of an empty value only is_empty and not_equals hold. equals and not_equals compare texts exactly, contains,
    starts_with and ends_with without case; the others compare numbers and do not hold for anything else.
    """
    if is_empty(actual):
        return operator in ("is_empty", "not_equals")
    return some_holds(operator, actual, wanted)


def some_holds(operator: str, actual: Any, wanted: str | None) -> bool:
    """Whether a value that is there meets the condition: unlike `holds`, never for an empty one."""
    items = actual if isinstance(actual, list) else (actual,)
    return any(_item_holds(operator, item, wanted or "") for item in items if not _is_blank(item))


def is_empty(actual: Any) -> bool:
    if isinstance(actual, list):
        return all(map(_is_blank, actual))
    return _is_blank(actual)


def number(text: str) -> Decimal | None:
    """The number that a text is; None: it is none."""
    stripped = text.strip(" \t\r\n")
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def pattern(operator: str, wanted: str) -> str:
    """The regular expression of contains, starts_with or ends_with: the same for Python and PostgreSQL,
    whose own ideas of upper and lower case differ with its locale."""
    letters = "".join(f"[{''.join(map(_escaped, sorted(_cases(letter))))}]" for letter in wanted)
    before, after = {"contains": ("", ""), "starts_with": (r"\A", ""), "ends_with": ("", r"\Z")}[operator]
    return before + letters + after


def _is_blank(item: Any) -> bool:
    return item is None or item == ""


def _item_holds(operator: str, item: Any, wanted: str) -> bool:
    text = _text(item)
    match operator:
        case "is_not_empty":
            return True
        case "equals":
            return text == wanted
        case "not_equals":
            return text != wanted
        case "contains" | "starts_with" | "ends_with":
            return text is not None and _compiled(operator, wanted).search(text) is not None
    return text is not None and _compares(operator, number(text), _wanted_number(wanted))


def _compares(operator: str, actual: Decimal | None, wanted: Decimal | None) -> bool:
    if actual is None or wanted is None:
        return False
    match operator:
        case "greater_than":
            return actual > wanted
        case "less_than":
            return actual < wanted
        case "greater_than_or_equal":
            return actual >= wanted
        case "less_than_or_equal":
            return actual <= wanted
    return False


def _text(item: Any) -> str | None:
    match item:
        case str():
            return item
        case bool():
            return "true" if item else "false"
        case int():
            return str(item)
        case float() | Decimal():
            text = format(Decimal(str(item)), "f")
            return text.rstrip("0").rstrip(".") if "." in text else text
    return None


@lru_cache(10_000)
def _wanted_number(wanted: str) -> Decimal | None:
    return number(wanted)


@lru_cache(10_000)
def _compiled(operator: str, wanted: str) -> re.Pattern[str]:
    return re.compile(pattern(operator, wanted))


def _cases(letter: str) -> set[str]:
    return {case for case in (letter, letter.lower(), letter.upper()) if len(case) == 1}


def _escaped(letter: str) -> str:
    return f"\\U{ord(letter):08x}"
