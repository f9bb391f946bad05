"""The one rule by which two numbers count as equal: ``|found - expected| <= atol + rtol * |expected|``.

It is numpy's `isclose` with the reference as its second argument; NaN equals NaN, an infinity equals itself alone.
Arrays of integers are subtracted without overflow, whatever their types.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from swath.contract.comparison import Tolerance


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """How far two arrays of numbers are apart; each member has their shape."""

    distance: Any
    """float64; NaN where it has no meaning: one of the two is NaN, or an infinity that the other is not."""
    unequal: Any
    """Where they are not the same number."""
    beyond: Any
    """Where they are further apart than the tolerance allows; a part of `unequal`."""


def apart(expected: Any, found: Any, tolerance: Tolerance) -> Apart:
    """Compare two arrays of numbers of one shape, of any numeric types."""
    import numpy

    with numpy.errstate(all="ignore"):
        unequal = _unequal(expected, found)
        distance = _distance(expected, found)
        size = numpy.abs(expected.astype("complex128" if expected.dtype.kind == "c" else "float64"))
        # As numpy's: an expected infinity has nothing near it, and does not make everything near by rtol * inf.
        near = (distance <= tolerance.atol + tolerance.rtol * size) & numpy.isfinite(size)
        beyond = unequal & ~near
        distance = numpy.where(unequal & ~numpy.isfinite(distance), numpy.nan, numpy.where(unequal, distance, 0.0))
    return Apart(distance=distance, unequal=unequal, beyond=beyond)


def _unequal(expected: Any, found: Any) -> Any:
    import numpy

    if _mixed_signs(expected, found):
        # numpy compares int64 with uint64 exactly, not through float64.
        return numpy.not_equal(expected, found)
    different = expected != found
    for one, other in ((expected, found), (found, expected)):
        if one.dtype.kind in "iu" and one.dtype.itemsize == 8 and other.dtype.kind == "f":
            # float64 does not know every integer; an integer that it rounded is not the same number.
            whole = one.astype("float64")
            lossy = (whole >= 2.0**63) if one.dtype.kind == "i" else (whole >= 2.0**64)
            back = numpy.where(lossy, 0, whole).astype(one.dtype)
            different |= lossy | (back != one)
    nans = [numpy.isnan(one) if one.dtype.kind in "fc" else False for one in (expected, found)]
    return different & ~(numpy.asarray(nans[0]) & numpy.asarray(nans[1]))


def _mixed_signs(expected: Any, found: Any) -> bool:
    return {expected.dtype.kind, found.dtype.kind} == {"i", "u"}


def _distance(expected: Any, found: Any) -> Any:
    import numpy

    kinds = {expected.dtype.kind, found.dtype.kind}
    if "c" in kinds:
        return numpy.abs(found.astype("complex128") - expected.astype("complex128"))
    if not kinds <= {"i", "u", "b"} or max(expected.dtype.itemsize, found.dtype.itemsize) < 8:
        return numpy.abs(found.astype("float64") - expected.astype("float64"))
    negative = [numpy.less(one, 0) for one in (expected, found)]
    # Modulo 2**64 the difference of two numbers of one sign is exact, and so is that of two signed ones.
    first, second = expected.astype("uint64"), found.astype("uint64")
    exact = numpy.where(numpy.greater(expected, found), first - second, second - first).astype("float64")
    if not _mixed_signs(expected, found):
        return exact
    far = numpy.abs(found.astype("float64") - expected.astype("float64"))
    return numpy.where(negative[0] | negative[1], far, exact)


def apart_scalars(expected: float, found: float, tolerance: Tolerance) -> tuple[float | None, bool]:
    """Distance of two numbers (``None`` where that has no meaning), and whether they are too far apart.

    Integers of any size are compared exactly.
    """
    if expected == found or (expected != expected and found != found):  # noqa: PLR0124 - NaN is what differs from itself
        return 0.0, False
    try:
        distance, size = float(abs(found - expected)), float(abs(expected))
        allowed = tolerance.atol + tolerance.rtol * size
    except OverflowError:
        return None, True
    near = distance <= allowed and math.isfinite(size)
    return (distance if math.isfinite(distance) else None), not near
