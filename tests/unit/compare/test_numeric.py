"""The rule for numbers, held against numpy's own and against Python's integers of any size."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from swath.compare.numeric import apart, apart_scalars
from swath.contract.comparison import EXACT, Tolerance

_FLOATS = arrays.arrays("float64", st.shared(st.integers(0, 30), key="size"), elements=st.floats())
_SMALL = st.floats(0, 10)
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@given(expected=_FLOATS, found=_FLOATS, rtol=_SMALL, atol=_SMALL)
def test_it_is_numpys_isclose(expected: Any, found: Any, rtol: float, atol: float) -> None:
    got = apart(expected, found, Tolerance(rtol=rtol, atol=atol))
    with numpy.errstate(all="ignore"):
        wanted = numpy.isclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)
    assert (~got.beyond == wanted).all()
    assert not (got.beyond & ~got.unequal).any(), "what is equal is near"


@given(values=_FLOATS)
def test_everything_is_the_same_as_itself(values: Any) -> None:
    got = apart(values, values.copy(), EXACT)
    assert not got.unequal.any()
    assert not got.beyond.any()


@given(expected=_FLOATS, found=_FLOATS, atol=_SMALL)
def test_without_a_relative_part_the_rule_is_symmetric(expected: Any, found: Any, atol: float) -> None:
    one, other = (apart(*pair, Tolerance(atol=atol)) for pair in ((expected, found), (found, expected)))
    assert (one.beyond == other.beyond).all()
    assert numpy.array_equal(one.distance, other.distance, equal_nan=True)


@st.composite
def _integer_arrays(draw: st.DrawFn) -> tuple[Any, Any]:
    size = draw(st.integers(1, 10))
    return tuple(draw(arrays.arrays(draw(st.sampled_from(_INTEGERS)), size)) for _ in range(2))  # type: ignore[return-value]


@settings(max_examples=300)
@given(pair=_integer_arrays(), atol=st.sampled_from([0.0, 1.0, 2.0**62, 2.0**63]))
def test_integers_of_every_type_are_subtracted_without_overflow(pair: tuple[Any, Any], atol: float) -> None:
    got = apart(*pair, Tolerance(atol=atol))
    for at, (mine, other) in enumerate(zip(*(side.tolist() for side in pair), strict=True)):
        assert got.unequal[at] == (mine != other)
        assert got.distance[at] == pytest.approx(abs(other - mine), rel=1e-15)
        if abs(abs(other - mine) - atol) > 2048:
            assert got.beyond[at] == (abs(other - mine) > atol)


def test_the_ends_of_the_largest_integers_are_apart() -> None:
    low, high = numpy.array([-(2**63)]), numpy.array([2**63 - 1])
    assert apart(low, high, EXACT).distance[0] == 2.0**64
    near = apart(high - 1, high, EXACT)
    assert near.unequal[0]
    assert near.distance[0] == 1
    assert near.beyond[0]


def test_an_integer_that_float64_does_not_know_is_not_the_float_beside_it() -> None:
    integer, number = numpy.array([2**53 + 1]), numpy.array([2.0**53])
    assert apart(integer, number, EXACT).unequal[0]
    assert not apart(integer, number, Tolerance(atol=2)).beyond[0]


def test_infinities_are_near_themselves_alone() -> None:
    values = numpy.array([numpy.inf, numpy.inf, numpy.inf, 1.0])
    others = numpy.array([numpy.inf, -numpy.inf, 1.0, numpy.inf])
    got = apart(values, others, Tolerance(rtol=1, atol=1e300))
    assert got.beyond.tolist() == [False, True, True, True]
    assert numpy.isnan(got.distance[1:]).all(), "an infinite distance is none that can be told"


def test_complex_numbers_are_as_far_apart_as_in_their_plane() -> None:
    got = apart(numpy.array([0j]), numpy.array([3 + 4j]), Tolerance(atol=5))
    assert got.distance[0] == 5
    assert not got.beyond[0]


@given(expected=st.floats(), found=st.floats(), rtol=_SMALL, atol=_SMALL)
def test_single_numbers_follow_the_same_rule(expected: float, found: float, rtol: float, atol: float) -> None:
    tolerance = Tolerance(rtol=rtol, atol=atol)
    distance, beyond = apart_scalars(expected, found, tolerance)
    whole = apart(numpy.array([expected]), numpy.array([found]), tolerance)
    assert beyond == bool(whole.beyond[0])
    if distance is not None and math.isfinite(whole.distance[0]):
        assert distance == whole.distance[0]


def test_integers_of_any_size_are_compared() -> None:
    assert apart_scalars(10**400, 10**400, EXACT) == (0.0, False)
    assert apart_scalars(10**400, 10**400 + 1, EXACT) == (None, True)
    assert apart_scalars(2**60, 2**60 + 1, EXACT) == (1.0, True)
