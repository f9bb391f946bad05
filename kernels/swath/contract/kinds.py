"""The types a parameter can have, as data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from swath.contract.fields import ContractError, Fields
from swath.contract.patterns import BadPattern, compile_pattern
from swath.contract.times import read_date, read_datetime

Number = int | float


class Kind(StrEnum):
    """Kinds of types that mean the same in Python, in JSON and in openEO."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STR = "str"
    LITERAL = "literal"
    LIST = "list"
    DATE = "date"
    DATETIME = "datetime"
    BBOX = "bbox"
    GEOJSON = "geojson"
    TEMPORAL_INTERVAL = "temporal-interval"


NUMERIC = frozenset({Kind.INT, Kind.FLOAT})
MOMENTS = frozenset({Kind.DATE, Kind.DATETIME})
#: Kinds that have a least and a greatest value.
ORDERED = NUMERIC | MOMENTS
#: Kinds that have a length.
SIZED = frozenset({Kind.STR, Kind.LIST})


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Limits on a value. Those of dates are ISO strings; of numbers, numbers."""

    ge: Number | str | None = None
    gt: Number | str | None = None
    le: Number | str | None = None
    lt: Number | str | None = None
    multiple_of: Number | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON object of the limits that are set."""
        return {name: value for name in _BOUNDS if (value := getattr(self, name)) is not None}

    def __bool__(self) -> bool:
        return bool(self.as_dict())


_BOUNDS = tuple(field.name for field in fields(Bounds))
NO_BOUNDS = Bounds()
_MAX_NESTING = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterType:
    """One type: a kind, whether null is a value of it, and what limits it."""

    kind: Kind
    nullable: bool = False
    choices: tuple[str | int | bool, ...] = ()
    """The values of a literal."""
    items: ParameterType | None = None
    """The type of a list's elements."""
    bounds: Bounds = NO_BOUNDS

    def as_dict(self) -> dict[str, Any]:
        """JSON object; members that say nothing are left out."""
        told: dict[str, Any] = {"kind": self.kind.value}
        if self.nullable:
            told["nullable"] = True
        if self.kind is Kind.LITERAL:
            told["choices"] = list(self.choices)
        if self.items is not None:
            told["items"] = self.items.as_dict()
        return {**told, **self.bounds.as_dict()}

    @classmethod
    def from_dict(cls, data: object, *, where: str = "type", _depth: int = 0) -> ParameterType:
        """Read back what `as_dict` wrote.

        Raises
        ------
        ContractError
            Naming the member that is wrong.
        """
        if _depth > _MAX_NESTING:
            raise ContractError(f"{where}: nested too deeply")
        fields = Fields(data, where)
        fields.only("kind", "nullable", "choices", "items", *_BOUNDS)
        kind = fields.member("kind", Kind)
        choices = fields.items("choices", _choice) if kind is Kind.LITERAL else ()
        items = None
        if kind is Kind.LIST:
            items = cls.from_dict(fields.raw("items"), where=f"{where}.items", _depth=_depth + 1)
        if kind is Kind.LITERAL and not choices:
            raise ContractError(f"{where}.choices: empty")
        nullable = fields.either("nullable", fields.flag, otherwise=False)
        return cls(kind=kind, nullable=nullable, choices=choices, items=items, bounds=_bounds(fields, kind, where))

    def __str__(self) -> str:
        """As its author would write it."""
        if self.kind is Kind.LITERAL:
            name = f"Literal[{', '.join(map(repr, self.choices))}]"
        elif self.items is not None:
            name = f"list[{self.items}]"
        else:
            name = _SPOKEN.get(self.kind, self.kind.value)
        if self.bounds:
            limits = ", ".join(f"{limit}={value!r}" for limit, value in self.bounds.as_dict().items())
            name = f"Annotated[{name}, Bounds({limits})]"
        return f"{name} | None" if self.nullable else name


_SPOKEN = {Kind.BBOX: "BBox", Kind.GEOJSON: "GeoJSON", Kind.TEMPORAL_INTERVAL: "TemporalInterval"}


def _choice(value: object) -> str | int | bool:
    if not isinstance(value, str | int):
        raise ContractError("choices: expected strings, integers or booleans")
    return value


def _moment(text: str, kind: Kind, where: str) -> str:
    if (read_date if kind is Kind.DATE else read_datetime)(text) is None:
        raise ContractError(f"{where}: a bound is no {kind.value}")
    return text


def _bounds(fields: Fields, kind: Kind, where: str) -> Bounds:
    given: dict[str, Any] = {}
    for name in ("ge", "gt", "le", "lt"):
        if fields.has(name):
            if kind not in ORDERED:
                raise ContractError(f"{where}.{name}: a {kind.value} has no order")
            value = fields.raw(name)
            given[name] = _moment(fields.text(name), kind, where) if kind in MOMENTS else value
            if kind in NUMERIC:
                fields.number(name)
    if fields.has("multiple_of"):
        if kind not in NUMERIC or fields.number("multiple_of") <= 0:
            raise ContractError(f"{where}.multiple_of: needs a number type and a positive number")
        given["multiple_of"] = fields.raw("multiple_of")
    for name in ("min_length", "max_length"):
        if fields.has(name):
            if kind not in SIZED:
                raise ContractError(f"{where}.{name}: a {kind.value} has no length")
            given[name] = fields.integer(name, least=0)
    if fields.has("pattern"):
        if kind is not Kind.STR:
            raise ContractError(f"{where}.pattern: only a string has a pattern")
        given["pattern"] = fields.text("pattern")
        try:
            compile_pattern(given["pattern"])
        except BadPattern as error:
            raise ContractError(f"{where}.pattern: {error}") from None
    return Bounds(**given) if given else NO_BOUNDS
