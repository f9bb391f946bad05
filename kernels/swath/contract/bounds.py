"""Bounds inside ``Annotated``: which there are, what they may limit, and whether anything is left within them."""

from __future__ import annotations

import ast
from datetime import date, datetime
from typing import Any

from swath.contract.kinds import MOMENTS, NUMERIC, ORDERED, SIZED, Bounds, Kind
from swath.contract.literals import NotStatic, evaluate
from swath.contract.marks import AnnotationFault, word_of
from swath.contract.patterns import BadPattern, compile_pattern
from swath.contract.source import Imports
from swath.contract.times import read_date, read_datetime, write_datetime

#: Mark to the names of its positional arguments.
_MARKS: dict[str, tuple[str, ...]] = {
    "Ge": ("ge",),
    "Gt": ("gt",),
    "Le": ("le",),
    "Lt": ("lt",),
    "Interval": (),
    "MultipleOf": ("multiple_of",),
    "MinLen": ("min_length",),
    "MaxLen": ("max_length",),
    "Len": ("min_length", "max_length"),
    "Pattern": ("pattern",),
    "Bounds": (),
}
_LIMITS = ("ge", "gt", "le", "lt")
_LENGTHS = ("min_length", "max_length")
_KEYWORDS = {
    **{mark: names for mark, names in _MARKS.items() if names},
    "Interval": _LIMITS,
    "Bounds": (*_LIMITS, "multiple_of", *_LENGTHS, "pattern"),
}
_MEND = "use " + ", ".join(_MARKS) + " of swath, each with literal values"


def read_bounds(mark: ast.expr, imports: Imports, kind: Kind) -> dict[str, Any]:
    """The bounds that one mark sets on a value of `kind`; those of dates as ISO strings.

    Raises
    ------
    AnnotationFault
        For a mark that is none of ours, or a bound that makes no sense on `kind`.
    """
    word = word_of(mark.func, imports) if isinstance(mark, ast.Call) else None
    if not isinstance(mark, ast.Call) or word not in _MARKS:
        raise AnnotationFault("bad-bounds", "Annotated holds something that is no bound of ours", _MEND)
    given: dict[str, Any] = {}
    names = _MARKS[word]
    if len(mark.args) > len(names):
        raise AnnotationFault("bad-bounds", f"{word} takes {len(names)} values by position", _MEND)
    arguments = [*zip(names, mark.args, strict=False), *((one.arg or "", one.value) for one in mark.keywords)]
    for name, node in arguments:
        if name not in _KEYWORDS[word] or name in given:
            raise AnnotationFault("bad-bounds", f"{word} does not take {name or 'unpacked values'}", _MEND)
        try:
            value = evaluate(node, imports)
        except NotStatic as error:
            raise AnnotationFault(
                "bad-bounds", f"the bound {name} cannot be read from the text: {error}", _MEND
            ) from None
        if value is not None:
            given[name] = _bound(name, value, kind)
    return given


def _bound(name: str, value: Any, kind: Kind) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**63
    if name in _LIMITS:
        if kind not in ORDERED:
            raise _senseless(name, kind)
        if kind in MOMENTS:
            return _moment(name, value, kind)
        right = number
    elif name == "multiple_of":
        if kind not in NUMERIC:
            raise _senseless(name, kind)
        right = number and value > 0
    elif name in _LENGTHS:
        if kind not in SIZED:
            raise _senseless(name, kind)
        right = number and isinstance(value, int) and value >= 0
    else:
        if kind is not Kind.STR:
            raise _senseless(name, kind)
        return _pattern(value)
    if not right:
        raise AnnotationFault("bad-bounds", f"the bound {name} has a value that cannot be one", _MEND)
    return value


def _senseless(name: str, kind: Kind) -> AnnotationFault:
    return AnnotationFault("bad-bounds", f"the bound {name} makes no sense on {kind.value}", "leave it out")


def _moment(name: str, value: Any, kind: Kind) -> str:
    if kind is Kind.DATE and isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if kind is Kind.DATETIME and isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return write_datetime(value)
        except OverflowError:
            pass
    wanted = "date(2020, 1, 31)" if kind is Kind.DATE else "datetime(2020, 1, 31, tzinfo=timezone.utc)"
    raise AnnotationFault("bad-bounds", f"the bound {name} of a {kind.value} is no {kind.value}", f"write {wanted}")


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise AnnotationFault("bad-bounds", "a pattern is a text", _MEND)
    try:
        compile_pattern(value)
    except BadPattern as error:
        raise AnnotationFault("bad-bounds", f"the pattern cannot be used: {error}", BadPattern.MEND) from None
    return value


def bounds_fault(kind: Kind, bounds: Bounds) -> str | None:
    """Why no value can be within `bounds`, or ``None``."""
    low = [limit for limit in (_limit(bounds.ge, kind), _limit(bounds.gt, kind)) if limit is not None]
    high = [limit for limit in (_limit(bounds.le, kind), _limit(bounds.lt, kind)) if limit is not None]
    if low and high:
        least, most = max(low), min(high)
        strict = (bounds.gt is not None and least == _limit(bounds.gt, kind)) or (
            bounds.lt is not None and most == _limit(bounds.lt, kind)
        )
        if least > most or (strict and least == most):
            return "no value lies within these bounds"
    if bounds.min_length is not None and bounds.max_length is not None and bounds.min_length > bounds.max_length:
        return "the least length is over the greatest"
    return None


def _limit(value: Any, kind: Kind) -> Any:
    if kind is Kind.DATE and value is not None:
        return read_date(value)
    return read_datetime(value) if kind is Kind.DATETIME and value is not None else value
