"""Types and bounds for a notebook's parameters cell: ``area: BBox``, ``cloud: Annotated[float, Ge(0), Le(1)] = 0.3``.

Swath reads them from the notebook's text and never runs them; here they only have to exist, and mean to a type checker
and to a reader what they mean to Swath. The bounds have the names of the package ``annotated_types``; that package's
own work too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, NotRequired, TypeAlias, TypedDict

__all__ = [
    "BBox",
    "Bounds",
    "Ge",
    "GeoJSON",
    "Gt",
    "Interval",
    "Le",
    "Len",
    "Lt",
    "MaxLen",
    "MinLen",
    "MultipleOf",
    "Pattern",
    "TemporalInterval",
]

_Limit: TypeAlias = int | float | date


class BBox(TypedDict):
    """openEO's bounding box: degrees of longitude and latitude, or units of `crs` (EPSG code or WKT2)."""

    west: float
    south: float
    east: float
    north: float
    crs: NotRequired[int | str]


#: A GeoJSON geometry, Feature or FeatureCollection in WGS 84 degrees (RFC 7946).
GeoJSON: TypeAlias = dict[str, Any]

#: openEO's interval ``[start, end)`` of ISO dates or moments; one end may be ``None`` for open.
TemporalInterval: TypeAlias = list[str | None]


@dataclass(frozen=True, slots=True)
class Ge:
    """At least `ge`."""

    ge: _Limit


@dataclass(frozen=True, slots=True)
class Gt:
    """More than `gt`."""

    gt: _Limit


@dataclass(frozen=True, slots=True)
class Le:
    """At most `le`."""

    le: _Limit


@dataclass(frozen=True, slots=True)
class Lt:
    """Less than `lt`."""

    lt: _Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Both limits in one."""

    gt: _Limit | None = None
    ge: _Limit | None = None
    lt: _Limit | None = None
    le: _Limit | None = None


@dataclass(frozen=True, slots=True)
class MultipleOf:
    """A whole number of times `multiple_of`."""

    multiple_of: int | float


@dataclass(frozen=True, slots=True)
class MinLen:
    """At least so many characters or elements."""

    min_length: int


@dataclass(frozen=True, slots=True)
class MaxLen:
    """At most so many characters or elements."""

    max_length: int


@dataclass(frozen=True, slots=True)
class Len:
    """Both limits of a length in one."""

    min_length: int = 0
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text in which the regular expression `pattern` is found; write ``^…$`` for the whole text."""

    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Any of the limits above in one."""

    ge: _Limit | None = None
    gt: _Limit | None = None
    le: _Limit | None = None
    lt: _Limit | None = None
    multiple_of: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
