"""One JSON value against one type: nothing is coerced, everything wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from swath.contract.faults import Faults, spoken_type
from swath.contract.geo import check_bbox, check_geojson
from swath.contract.kinds import Bounds, Kind, ParameterType
from swath.contract.patterns import compile_pattern
from swath.contract.times import read_date, read_datetime, read_either, write_datetime

#: Beyond 64 bits other languages, databases and array types lose digits.
MAX_INTEGER = 2**63 - 1
#: Text that is held against a pattern may not be longer.
MAX_PATTERN_TEXT = 2000


def check_value(of: ParameterType, value: Any, field: str, faults: Faults) -> Any:
    """`value` in the one form that a run gets, or ``None`` with faults.

    Parameters
    ----------
    value
        JSON already seen to be whole by `swath.contract.faults.is_json`.
    field
        Name of the value in faults.

    Notes
    -----
    ``1`` is a float and ``1.0`` an integer, as in JSON Schema; ``true`` and ``"1"`` are neither. Moments become UTC,
    boxes openEO's object.
    """
    if value is None:
        if not of.nullable:
            faults.add(field, "wrong-type", f"expected {spoken(of)}, got null", f"send {spoken(of)}")
        return None
    return _CHECKS[of.kind](of, value, field, faults)


def spoken(of: ParameterType) -> str:
    """The type in a caller's words."""
    if of.kind is Kind.LITERAL:
        return "one of " + ", ".join(map(_spoken_choice, of.choices))
    if of.items is not None:
        return "an array"
    return _SPOKEN[of.kind]


def _spoken_choice(choice: str | int | bool) -> str:
    return str(choice).lower() if isinstance(choice, bool) else repr(choice)


_SPOKEN = {
    Kind.INT: "an integer",
    Kind.FLOAT: "a number",
    Kind.BOOL: "true or false",
    Kind.STR: "a string",
    Kind.DATE: "a date (YYYY-MM-DD)",
    Kind.DATETIME: "a moment (YYYY-MM-DDTHH:MM:SSZ)",
    Kind.BBOX: "a box",
    Kind.GEOJSON: "GeoJSON",
    Kind.TEMPORAL_INTERVAL: "an array of two dates or moments",
}


def _wrong_type(of: ParameterType, value: Any, field: str, faults: Faults) -> None:
    faults.add(field, "wrong-type", f"expected {spoken(of)}, got {spoken_type(value)}", f"send {spoken(of)}")


def _check_int(of: ParameterType, value: Any, field: str, faults: Faults) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        _wrong_type(of, value, field, faults)
        return None
    return value if _in_range(value, field, faults) and _within(of.bounds, value, field, faults) else None


def _check_float(of: ParameterType, value: Any, field: str, faults: Faults) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong_type(of, value, field, faults)
        return None
    if isinstance(value, int) and not _in_range(value, field, faults):
        return None
    return float(value) if _within(of.bounds, value, field, faults) else None


def _check_bool(of: ParameterType, value: Any, field: str, faults: Faults) -> bool | None:
    if isinstance(value, bool):
        return value
    _wrong_type(of, value, field, faults)
    return None


def _check_str(of: ParameterType, value: Any, field: str, faults: Faults) -> str | None:
    if not isinstance(value, str):
        _wrong_type(of, value, field, faults)
        return None
    right = _long_enough(of.bounds, len(value), field, faults, what="characters")
    pattern = of.bounds.pattern
    if pattern is not None and (len(value) > MAX_PATTERN_TEXT or not compile_pattern(pattern).found_in(value)):
        faults.add(field, "pattern-mismatch", f"does not match {pattern!r}", "send text that matches the pattern")
        right = False
    return value if right else None


def _check_literal(of: ParameterType, value: Any, field: str, faults: Faults) -> str | int | bool | None:
    for choice in of.choices:
        if isinstance(choice, bool) == isinstance(value, bool) and choice == value:
            return choice
    faults.add(field, "not-a-choice", f"expected {spoken(of)}", f"send {spoken(of)}")
    return None


def _check_list(of: ParameterType, value: Any, field: str, faults: Faults) -> list[Any] | None:
    if not isinstance(value, list) or of.items is None:
        _wrong_type(of, value, field, faults)
        return None
    before = faults.count
    _long_enough(of.bounds, len(value), field, faults, what="elements")
    bound = [check_value(of.items, item, f"{field}[{position}]", faults) for position, item in enumerate(value)]
    return bound if faults.count == before else None


def _check_date(of: ParameterType, value: Any, field: str, faults: Faults) -> str | None:
    day = read_date(value) if isinstance(value, str) else None
    if day is None:
        faults.add(field, "bad-date", "expected a date written YYYY-MM-DD", 'send for example "2024-05-31"')
        return None
    return day.isoformat() if _moment_within(of.bounds, day, field, faults, read=read_date) else None


def _check_datetime(of: ParameterType, value: Any, field: str, faults: Faults) -> str | None:
    at = read_datetime(value) if isinstance(value, str) else None
    if at is None:
        faults.add(
            field,
            "bad-datetime",
            "expected a moment written YYYY-MM-DDTHH:MM:SS with Z or an offset",
            'send for example "2024-05-31T12:00:00Z"; without Z or an offset it could be any of 38 moments',
        )
        return None
    return write_datetime(at) if _moment_within(of.bounds, at, field, faults, read=read_datetime) else None


def _check_bbox(_: ParameterType, value: Any, field: str, faults: Faults) -> dict[str, Any] | None:
    return check_bbox(value, field, faults)


def _check_geojson(_: ParameterType, value: Any, field: str, faults: Faults) -> dict[str, Any] | None:
    return check_geojson(value, field, faults)


def _check_interval(_: ParameterType, value: Any, field: str, faults: Faults) -> list[str | None] | None:
    mend = 'send [start, end], each "2024-05-31", "2024-05-31T12:00:00Z" or null for open'
    if not isinstance(value, list) or len(value) != 2:
        faults.add(field, "bad-interval", "expected an array of two", mend)
        return None
    ends: list[tuple[datetime, str] | None] = []
    for position, end in enumerate(value):
        read = read_either(end) if isinstance(end, str) else None
        if end is not None and read is None:
            faults.add(
                f"{field}[{position}]", "bad-interval", "expected a date, a moment with its offset, or null", mend
            )
            return None
        ends.append(read)
    start, stop = ends
    if start is None and stop is None:
        faults.add(field, "bad-interval", "both ends are open", mend)
        return None
    if start is not None and stop is not None and start[0] >= stop[0]:
        faults.add(
            field,
            "bad-interval",
            "the start must be before the end",
            "the end itself is not part of the interval: move it on",
        )
        return None
    return [None if end is None else end[1] for end in ends]


_CHECKS: dict[Kind, Callable[[ParameterType, Any, str, Faults], Any]] = {
    Kind.INT: _check_int,
    Kind.FLOAT: _check_float,
    Kind.BOOL: _check_bool,
    Kind.STR: _check_str,
    Kind.LITERAL: _check_literal,
    Kind.LIST: _check_list,
    Kind.DATE: _check_date,
    Kind.DATETIME: _check_datetime,
    Kind.BBOX: _check_bbox,
    Kind.GEOJSON: _check_geojson,
    Kind.TEMPORAL_INTERVAL: _check_interval,
}


def _in_range(value: int, field: str, faults: Faults) -> bool:
    if -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        return True
    faults.add(field, "out-of-bounds", "beyond what 64 bits hold", "send a smaller number")
    return False


def _within(bounds: Bounds, value: int | float, field: str, faults: Faults) -> bool:
    right = _ordered(bounds, value, field, faults, limit=lambda given: given)
    step = bounds.multiple_of
    # Of the decimal digits that were written, not of their binary neighbours: 0.3 is a multiple of 0.1.
    if step is not None and Fraction(str(value)) % Fraction(str(step)):
        faults.add(field, "out-of-bounds", f"must be a multiple of {step}", f"send a multiple of {step}")
        right = False
    return right


def _moment_within(
    bounds: Bounds, value: date, field: str, faults: Faults, *, read: Callable[[str], date | None]
) -> bool:
    return _ordered(bounds, value, field, faults, limit=lambda given: read(str(given)))


def _ordered(bounds: Bounds, value: Any, field: str, faults: Faults, *, limit: Callable[[Any], Any]) -> bool:
    tests: tuple[tuple[Any, Callable[[Any], bool], str], ...] = (
        (bounds.ge, lambda least: value >= least, "at least"),
        (bounds.gt, lambda least: value > least, "more than"),
        (bounds.le, lambda most: value <= most, "at most"),
        (bounds.lt, lambda most: value < most, "less than"),
    )
    right = True
    for given, holds, words in tests:
        if given is not None and not holds(limit(given)):
            faults.add(field, "out-of-bounds", f"must be {words} {given}", f"send a value of {words} {given}")
            right = False
    return right


def _long_enough(bounds: Bounds, length: int, field: str, faults: Faults, *, what: str) -> bool:
    if bounds.min_length is not None and length < bounds.min_length:
        faults.add(field, "too-short", f"needs at least {bounds.min_length} {what}, has {length}", "send more")
        return False
    if bounds.max_length is not None and length > bounds.max_length:
        faults.add(field, "too-long", f"may have {bounds.max_length} {what}, has {length}", "send fewer")
        return False
    return True


def as_python(of: ParameterType, value: Any) -> Any:
    """What the notebook sees for a bound JSON value: dates and moments are Python's own."""
    if value is None:
        return None
    if of.kind is Kind.LIST and of.items is not None:
        return [as_python(of.items, item) for item in value]
    if of.kind is Kind.DATE:
        return date.fromisoformat(value)
    if of.kind is Kind.DATETIME:
        return datetime.fromisoformat(value).astimezone(UTC)
    return value
