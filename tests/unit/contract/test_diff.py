"""Which change of an interface needs which step of the version."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath.contract.diff import Bump, diff
from swath.contract.interface import Interface, Output, Parameter
from swath.contract.kinds import Bounds, Kind, ParameterType
from swath.contract.parameters import check_parameters

#: The same cases every time; a failure in a full run can be had again.
quick = settings(deadline=None, derandomize=True, max_examples=40)

# Old declarations, new declarations, kinds of change, bump.
PARAMETERS = [
    ("x: int = 1", "x: int = 1", [], "patch"),
    ("x: int = 1", "x: int = 1  # told", ["description-changed"], "patch"),
    ("x: int = 1\ny: int = 1", "y: int = 1\nx: int = 1", [], "patch"),
    ("x: int = 1", "", ["parameter-removed"], "major"),
    ("", "x: int", ["parameter-added"], "major"),
    ("", "x: int = 1", ["parameter-added"], "minor"),
    ("x: int", "y: int", ["parameter-removed", "parameter-added"], "major"),
    ("x: int = 1", "x: int", ["parameter-required"], "major"),
    ("x: int", "x: int = 1", ["parameter-optional"], "minor"),
    ("x: int = 1", "x: int = 2", ["default-changed"], "minor"),
    ("x: float = 1", "x: float = 1.0", [], "patch"),
    ("x: int", "x: str", ["type-changed"], "major"),
    ("x: int", "x: float", ["type-widened"], "minor"),
    ("x: float", "x: int", ["type-changed"], "major"),
    ("x: date", "x: datetime", ["type-changed"], "major"),
    ("x: int", "x: list[int]", ["type-changed"], "major"),
    ("x: int", "x: int | None", ["type-widened"], "minor"),
    ("x: int | None", "x: int", ["type-narrowed"], "major"),
    ("x: list[int]", "x: list[float]", ["type-widened"], "minor"),
    ("x: list[int | None]", "x: list[int]", ["type-narrowed"], "major"),
    ("x: Literal['a']", "x: Literal['b', 'a']", ["type-widened"], "minor"),
    ("x: Literal['a', 'b']", "x: Literal['b', 'a']", [], "patch"),
    ("x: Literal['a', 'b']", "x: Literal['a']", ["type-narrowed"], "major"),
    ("x: Literal['a', 'b']", "x: Literal['a', 'c']", ["type-narrowed", "type-widened"], "major"),
    ("x: Literal[1]", "x: Literal[True]", ["type-narrowed", "type-widened"], "major"),
    ("x: Literal['a']", "x: str", ["type-widened"], "minor"),
    ("x: Literal['a', 1]", "x: str", ["type-changed"], "major"),
    ("x: Literal['a']", "x: Annotated[str, MinLen(1)]", ["type-changed"], "major"),
    ("x: str", "x: Literal['a']", ["type-changed"], "major"),
    ("x: int", "x: Annotated[int, Ge(0)]", ["type-narrowed"], "major"),
    ("x: Annotated[int, Ge(0)]", "x: int", ["type-widened"], "minor"),
    ("x: Annotated[int, Ge(0)]", "x: Annotated[int, Ge(-1)]", ["type-widened"], "minor"),
    ("x: Annotated[int, Ge(0)]", "x: Annotated[int, Ge(1)]", ["type-narrowed"], "major"),
    ("x: Annotated[int, Gt(0)]", "x: Annotated[int, Ge(1)]", [], "patch"),
    ("x: Annotated[int, Lt(4)]", "x: Annotated[int, Le(3.5)]", [], "patch"),
    ("x: Annotated[float, Gt(0)]", "x: Annotated[float, Ge(0)]", ["type-widened"], "minor"),
    ("x: Annotated[float, Ge(0)]", "x: Annotated[float, Gt(0)]", ["type-narrowed"], "major"),
    ("x: Annotated[float, Le(1)]", "x: Annotated[float, Lt(1)]", ["type-narrowed"], "major"),
    ("x: Annotated[int, Ge(0)]", "x: Annotated[float, Ge(0)]", ["type-widened"], "minor"),
    ("x: int", "x: Annotated[float, Ge(0)]", ["type-widened", "type-narrowed"], "major"),
    ("x: Annotated[int, MultipleOf(4)]", "x: Annotated[int, MultipleOf(2)]", ["type-widened"], "minor"),
    ("x: Annotated[int, MultipleOf(4)]", "x: Annotated[int, MultipleOf(3)]", ["type-narrowed"], "major"),
    ("x: Annotated[str, MaxLen(3)]", "x: Annotated[str, MaxLen(4)]", ["type-widened"], "minor"),
    ("x: Annotated[str, MinLen(3)]", "x: Annotated[str, MinLen(4)]", ["type-narrowed"], "major"),
    ("x: str", "x: Annotated[str, Pattern('a')]", ["type-narrowed"], "major"),
    ("x: Annotated[str, Pattern('a')]", "x: str", ["type-widened"], "minor"),
    ("x: Annotated[str, Pattern('a')]", "x: Annotated[str, Pattern('b')]", ["type-narrowed"], "major"),
    (
        "x: Annotated[date, Ge(date(2015, 1, 1))]",
        "x: Annotated[date, Ge(date(2014, 1, 1))]",
        ["type-widened"],
        "minor",
    ),
    (
        "x: Annotated[list[Annotated[int, Ge(0)]], MaxLen(2)]",
        "x: Annotated[list[Annotated[int, Ge(1)]], MaxLen(3)]",
        ["type-narrowed", "type-widened"],
        "major",
    ),
]


@pytest.mark.parametrize(("before", "after", "kinds", "bump"), PARAMETERS)
def test_parameters(interface_of, before, after, kinds, bump):
    told = diff(interface_of(before), interface_of(after))
    assert sorted(change.kind for change in told.changes) == sorted(kinds)
    assert str(told.least_bump) == bump
    assert all(change.breaking == (change.bump is Bump.MAJOR) for change in told.changes)
    assert [change.bump for change in told.changes] == sorted((change.bump for change in told.changes), reverse=True)


OUTPUTS = [
    ((), (Output(name="a"),), ["output-added"], "minor"),
    ((Output(name="a"),), (), ["output-removed"], "major"),
    ((Output(name="a"),), (Output(name="a", media_type="text/csv", kind="table"),), ["output-specified"], "minor"),
    ((Output(name="a", media_type="text/csv", kind="table"),), (Output(name="a"),), ["output-changed"], "major"),
    (
        (Output(name="a", media_type="text/csv", kind="table"),),
        (Output(name="a", media_type="application/vnd.apache.parquet", kind="table"),),
        ["output-changed"],
        "major",
    ),
    ((Output(name="a", description="b"),), (Output(name="a", description="c"),), ["description-changed"], "patch"),
]


@pytest.mark.parametrize(("before", "after", "kinds", "bump"), OUTPUTS)
def test_outputs(before, after, kinds, bump):
    told = diff(Interface(outputs=before), Interface(outputs=after))
    assert [change.kind for change in told.changes] == kinds
    assert str(told.least_bump) == bump
    assert told.as_dict()["least_bump"] == bump


LIMITS = st.none() | st.integers(-4, 4)
NUMBERS = st.builds(
    lambda kind, nullable, ge, gt, le, lt, step: ParameterType(
        kind=kind, nullable=nullable, bounds=Bounds(ge=ge, gt=gt, le=le, lt=lt, multiple_of=step)
    ),
    st.sampled_from((Kind.INT, Kind.FLOAT)),
    st.booleans(),
    LIMITS,
    LIMITS,
    LIMITS,
    LIMITS,
    st.none() | st.integers(1, 3),
)


@quick
@given(NUMBERS, NUMBERS, st.none() | st.integers(-6, 6) | st.floats(-6, 6))
def test_what_breaks_nobody_refuses_nothing_that_was_right(old, new, value):
    before, after = (Interface(parameters=(Parameter(name="x", type=of, required=True),)) for of in (old, new))
    if not diff(before, after).breaking and not check_parameters(before, {"x": value})[1]:
        assert not check_parameters(after, {"x": value})[1]
