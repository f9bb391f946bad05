"""What it means that two results are the same: tolerances, and what a comparison of two files found.

The comparers stand in `swath.compare`, which needs libraries; these words need none, so that a service can speak of a
comparison that took place in a sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from swath.contract.fields import ContractError, Fields

#: Differences that are told one by one; the others are counted.
MAX_DIFFERENCES = 20
_MAX_IGNORED = 100


class Verdict(StrEnum):
    """How two results relate; the best first."""

    IDENTICAL = "identical"
    """The same bytes, or the same content in another encoding."""
    WITHIN = "within-tolerance"
    """Not the same, but nowhere further apart than was declared."""
    DIFFERS = "differs"
    """Further apart than was declared, or of another shape."""
    INCOMPARABLE = "incomparable"
    """Nothing can be said: another kind of file, another CRS or grid, or a file that cannot be read."""

    @property
    def same(self) -> bool:
        """Whether the results count as equal."""
        return self in (Verdict.IDENTICAL, Verdict.WITHIN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """How far two results may be apart and still count as equal: ``|found - expected| <= atol + rtol * |expected|``.

    The rule is numpy's `isclose`, with the reference as the expected one; it is not symmetric.
    """

    rtol: float = 0.0
    """Relative, a share of the expected value."""
    atol: float = 0.0
    """Absolute, in the unit of the value."""
    share: float = 0.0
    """Of pixels, of rows or of features that may lie beyond, 0 to 1; also of pixels whose nodata differs."""
    distance: float = 0.0
    """Of geometries: the greatest Hausdorff distance, in the unit of their CRS."""
    ignore: tuple[str, ...] = ()
    """JSON paths (``$.made_at``, ``$.steps[*].seconds``), columns of a table, or tags of a notebook's cells, that do
    not count."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "rtol": self.rtol,
            "atol": self.atol,
            "share": self.share,
            "distance": self.distance,
            "ignore": list(self.ignore),
        }

    @classmethod
    def from_dict(cls, data: object, where: str = "tolerance") -> Tolerance:
        """Read what a person or `as_dict` wrote; members that are left out are 0.

        Raises
        ------
        ContractError
            Naming the member that is unknown or out of bounds.
        """
        fields = Fields(data, where)
        fields.only("rtol", "atol", "share", "distance", "ignore")
        given = {
            name: fields.number(name, least=0) for name in ("rtol", "atol", "share", "distance") if fields.has(name)
        }
        if given.get("share", 0.0) > 1:
            raise ContractError(f"{where}.share: expected a number from 0 to 1")
        ignore: tuple[Any, ...] = fields.items("ignore", _as_it_is) if fields.has("ignore") else ()
        if len(ignore) > _MAX_IGNORED or not all(isinstance(one, str) and 0 < len(one) <= 300 for one in ignore):
            raise ContractError(f"{where}.ignore: expected up to {_MAX_IGNORED} texts of up to 300 characters")
        return cls(**given, ignore=ignore)


def _as_it_is(value: Any) -> Any:
    return value


#: Nothing may be apart.
EXACT = Tolerance()


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One place where two results are further apart than they may be."""

    where: str
    """``band ndvi, row 12, column 40``; ``row 3, column mean``; ``feature 7``; ``$.dates[2]``; ``cell 5``."""
    expected: str
    found: str
    distance: float | None = None
    """How far apart, in the unit of the value; ``None`` where that has no meaning."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {"where": self.where, "expected": self.expected, "found": self.found, "distance": self.distance}

    @classmethod
    def from_dict(cls, data: object) -> Difference:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "difference")
        return cls(
            where=fields.text("where"),
            expected=fields.text("expected"),
            found=fields.text("found"),
            distance=fields.maybe("distance", fields.number),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """What the picture shows in which expected, found and their difference stand beside each other.

    The numbers are those of one band of a raster; of pictures there are none.
    """

    band: str = ""
    unit: str = ""
    """Of the band's numbers; empty where nobody says."""
    low: float | None = None
    """The number of the darkest colour of both sides, and of what lies below."""
    high: float | None = None
    span: float | None = None
    """The difference found - expected goes from ``-span`` to ``span``: its greatest distance."""
    mean: float | None = None
    """Of found - expected, over all pixels that both sides have."""
    raised: int = 0
    """Pixels that are higher in the found one."""
    lowered: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "band": self.band,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "span": self.span,
            "mean": self.mean,
            "raised": self.raised,
            "lowered": self.lowered,
        }

    @classmethod
    def from_dict(cls, data: object) -> Sides:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "sides")
        return cls(
            band=str(fields.raw("band")),
            unit=str(fields.raw("unit")),
            low=fields.maybe("low", fields.number),
            high=fields.maybe("high", fields.number),
            span=fields.maybe("span", fields.number),
            mean=fields.maybe("mean", fields.number),
            raised=fields.integer("raised", least=0),
            lowered=fields.integer("lowered", least=0),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What the comparison of one result with its reference found."""

    verdict: Verdict
    kind: str
    """``bytes``, ``raster``, ``table``, ``vector``, ``json``, ``text``, ``picture`` or ``notebook``."""
    message: str
    """One sentence for people."""
    compared: int = 0
    """Pixels, cells of a table, features, JSON values, or cells of a notebook that were compared."""
    differing: int = 0
    """Of those, how many lie beyond `rtol` and `atol`."""
    largest: float | None = None
    """The greatest distance of two numbers, in their unit; also where it is within the tolerance."""
    differences: tuple[Difference, ...] = ()
    """The largest first, `MAX_DIFFERENCES` at most."""
    picture: str | None = None
    """File name of a PNG of the difference, in the folder that the comparer was given."""
    sides: Sides | None = None
    """Of the PNG beside it, ``NAME.sides.png``: three squares in a row, expected, found and their difference."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "verdict": self.verdict.value,
            "kind": self.kind,
            "message": self.message,
            "compared": self.compared,
            "differing": self.differing,
            "largest": self.largest,
            "differences": [one.as_dict() for one in self.differences],
            "picture": self.picture,
            "sides": self.sides.as_dict() if self.sides else None,
        }

    @classmethod
    def from_dict(cls, data: object) -> Comparison:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "comparison")
        return cls(
            verdict=fields.member("verdict", Verdict),
            kind=fields.text("kind"),
            message=fields.text("message"),
            compared=fields.integer("compared", least=0),
            differing=fields.integer("differing", least=0),
            largest=fields.maybe("largest", fields.number),
            differences=fields.items("differences", Difference.from_dict),
            picture=fields.maybe("picture", fields.text),
            # What was kept before there were any says nothing of them.
            sides=Sides.from_dict(fields.raw("sides")) if fields.has("sides") and fields.raw("sides") else None,
        )


def one_sided(*, found: bool) -> Comparison:
    """What is told of an output that only one of two sides has: with `found` the one that is compared."""
    message = "only the found side has it" if found else "the found side does not have it"
    return Comparison(verdict=Verdict.DIFFERS, kind="bytes", message=message)


def worst(comparisons: Mapping[str, Comparison]) -> Verdict:
    """The verdict over several outputs: the worst of theirs; without any there is nothing to say."""
    order = list(Verdict)
    return max((one.verdict for one in comparisons.values()), key=order.index, default=Verdict.INCOMPARABLE)
