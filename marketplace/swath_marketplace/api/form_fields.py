"""An interface as questions of a form: which control asks for a parameter, and what stands in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swath.contract.interface import Interface, Parameter
from swath.contract.kinds import MOMENTS, Kind, ParameterType

_LONG_TEXT = 200
_SIMPLE_ITEMS = frozenset({Kind.INT, Kind.FLOAT, Kind.STR, Kind.DATE})
_SPOKEN = {
    Kind.INT: "whole number",
    Kind.FLOAT: "number",
    Kind.BOOL: "yes or no",
    Kind.STR: "text",
    Kind.LITERAL: "choice",
    Kind.LIST: "list",
    Kind.DATE: "date",
    Kind.DATETIME: "moment, UTC",
    Kind.BBOX: "box in degrees",
    Kind.GEOJSON: "GeoJSON",
    Kind.TEMPORAL_INTERVAL: "period",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FormField:
    """One question."""

    name: str
    description: str
    required: bool
    control: str
    """number, check, choose, tick, line, area, lines, json, day, moment, period, box or shape."""
    kind: str
    """What is asked for, in words."""
    limits: str
    """What may be answered, in words; empty where anything may."""
    type: Mapping[str, Any]
    """The parameter's type as data, for the script that reads the answer."""
    value: Any
    """The JSON value that stands in it; meaningless without `given`."""
    given: bool
    """Whether anything stands in it: a default, or what an earlier run or a link brought."""
    choices: tuple[tuple[str, str, bool], ...] = ()
    """Of a choice: JSON value, words, whether it is chosen."""

    @property
    def text(self) -> str:
        """The value as the text of its control."""
        if not self.given or self.value is None:
            return ""
        if self.control in {"json", "shape"}:
            return json.dumps(self.value, ensure_ascii=False, indent=None if self.control == "shape" else 1)
        if self.control == "lines":
            return "\n".join(map(_word, self.value)) if isinstance(self.value, list) else _word(self.value)
        if self.control == "moment":
            return str(self.value).removesuffix("Z").partition("+")[0]
        return _word(self.value)

    @property
    def bounds(self) -> Mapping[str, Any]:
        """Limits that the control itself knows: ``min``, ``max``, ``step``."""
        told = {"min": self.type.get("ge"), "max": self.type.get("le")}
        if self.control == "number":
            told["step"] = "1" if self.type["kind"] == Kind.INT.value else "any"
        return {name: value for name, value in told.items() if value is not None}


def fields_of(interface: Interface, values: Mapping[str, Any]) -> tuple[FormField, ...]:
    """The questions of an interface, in its order; `values` stand in them instead of the defaults."""
    return tuple(_field(parameter, values) for parameter in interface.parameters)


def _field(parameter: Parameter, values: Mapping[str, Any]) -> FormField:
    given = parameter.name in values or not parameter.required
    value = values.get(parameter.name, None if parameter.required else parameter.default)
    control = _control(parameter.type, value)
    return FormField(
        name=parameter.name,
        description=parameter.description,
        required=parameter.required,
        control=control,
        kind=_SPOKEN[parameter.type.kind],
        limits=_limits(parameter.type),
        type=parameter.type.as_dict(),
        value=value,
        given=given,
        choices=_choices(parameter.type, value, given=given) if control in {"choose", "tick"} else (),
    )


def _control(of: ParameterType, value: Any) -> str:
    if of.kind is Kind.LIST:
        return _list_control(of, value)
    if of.kind is Kind.BOOL:
        return "choose" if of.nullable else "check"
    if of.kind is Kind.STR:
        long = (of.bounds.max_length or 0) > _LONG_TEXT or "\n" in str(value) or len(str(value)) > _LONG_TEXT
        return "area" if long else "line"
    return {
        Kind.INT: "number",
        Kind.FLOAT: "number",
        Kind.LITERAL: "choose",
        Kind.DATE: "day",
        Kind.DATETIME: "moment",
        Kind.BBOX: "box",
        Kind.GEOJSON: "shape",
        Kind.TEMPORAL_INTERVAL: "period",
    }[of.kind]


def _list_control(of: ParameterType, value: Any) -> str:
    items = of.items
    plain = items is not None and not items.nullable
    if items is not None and plain and items.kind is Kind.LITERAL and isinstance(value or [], list):
        return "tick"
    broken = isinstance(value, list) and any("\n" in str(one) for one in value)
    return "lines" if items is not None and plain and items.kind in _SIMPLE_ITEMS and not broken else "json"


def _choices(of: ParameterType, value: Any, *, given: bool) -> tuple[tuple[str, str, bool], ...]:
    several = of.kind is Kind.LIST
    source = of.items if several and of.items is not None else of
    words: tuple[Any, ...] = source.choices if source.kind is Kind.LITERAL else (True, False)
    chosen = value if several else [value]
    told = [
        (json.dumps(one), _word(one), given and isinstance(chosen, list) and any(_same(one, other) for other in chosen))
        for one in words
    ]
    if of.nullable and not several:
        told.insert(0, ("null", "no value", given and value is None))
    return tuple(told)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _limits(of: ParameterType) -> str:
    bounds, told = of.bounds, []
    since, until = ("from", "to") if of.kind in MOMENTS else ("at least", "at most")
    for value, words in (
        (bounds.ge, since),
        (bounds.gt, "after" if of.kind in MOMENTS else "more than"),
        (bounds.le, until),
        (bounds.lt, "before" if of.kind in MOMENTS else "less than"),
        (bounds.multiple_of, "in steps of"),
    ):
        if value is not None:
            told.append(f"{words} {value}")
    what = "entries" if of.kind is Kind.LIST else "characters"
    if bounds.min_length is not None:
        told.append(f"at least {bounds.min_length} {what}")
    if bounds.max_length is not None:
        told.append(f"at most {bounds.max_length:,} {what}")
    if bounds.pattern is not None:
        told.append(f"of the form {bounds.pattern}")
    if of.nullable:
        told.append("may be left empty")
    return ", ".join(told)
