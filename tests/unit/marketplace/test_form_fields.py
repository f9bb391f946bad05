"""From an interface to questions: the control for each kind, what stands in it, and odd values."""

from __future__ import annotations

from typing import Any

import pytest
from swath.contract.interface import Interface, Parameter
from swath.contract.kinds import Bounds, Kind, ParameterType
from swath_marketplace.api.form_fields import FormField, fields_of


def asked(of: ParameterType, *, required: bool = True, default: Any = None, **values: Any) -> FormField:
    parameter = Parameter(name="p", type=of, required=required, default=default)
    return fields_of(Interface(parameters=(parameter,)), values)[0]


def of(kind: Kind, **more: Any) -> ParameterType:
    return ParameterType(kind=kind, **more)


@pytest.mark.parametrize(
    ("type_", "control"),
    [
        (of(Kind.INT), "number"),
        (of(Kind.FLOAT), "number"),
        (of(Kind.BOOL), "check"),
        (of(Kind.BOOL, nullable=True), "choose"),
        (of(Kind.STR), "line"),
        (of(Kind.STR, bounds=Bounds(max_length=1000)), "area"),
        (of(Kind.LITERAL, choices=("a", "b")), "choose"),
        (of(Kind.LIST, items=of(Kind.INT)), "lines"),
        (of(Kind.LIST, items=of(Kind.LITERAL, choices=("a", "b"))), "tick"),
        (of(Kind.LIST, items=of(Kind.LIST, items=of(Kind.INT))), "json"),
        (of(Kind.LIST, items=of(Kind.INT, nullable=True)), "json"),
        (of(Kind.DATE), "day"),
        (of(Kind.DATETIME), "moment"),
        (of(Kind.BBOX), "box"),
        (of(Kind.GEOJSON), "shape"),
        (of(Kind.TEMPORAL_INTERVAL), "period"),
    ],
)
def test_each_kind_has_its_control(type_: ParameterType, control: str) -> None:
    field = asked(type_)
    assert (field.control, field.text, field.given) == (control, "", False)


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "text", "<b>", [1, "a", None], {"west": [1]}, []])
@pytest.mark.parametrize("kind", list(Kind))
def test_whatever_a_link_brings_can_be_shown(kind: Kind, value: Any) -> None:
    more: dict[str, Any] = {}
    if kind is Kind.LITERAL:
        more["choices"] = ("a", 3)
    if kind is Kind.LIST:
        more["items"] = of(Kind.STR)
    assert isinstance(asked(of(kind, **more), p=value).text, str)


def test_what_stands_in_it() -> None:
    assert asked(of(Kind.LIST, items=of(Kind.STR)), required=False, default=["a", "b"]).text == "a\nb"
    assert asked(of(Kind.DATETIME), p="2024-05-31T12:00:00Z").text == "2024-05-31T12:00:00"
    assert asked(of(Kind.INT), required=False, default=9007199254740993).text == "9007199254740993"
    # Text that has lines of its own can't stand one entry a line.
    assert asked(of(Kind.LIST, items=of(Kind.STR)), p=["a\nb"]).control == "json"


def test_choices_tell_true_from_one() -> None:
    field = asked(of(Kind.LITERAL, choices=(1, True, "1"), nullable=True), p=True)
    assert field.choices == (
        ("null", "no value", False),
        ("1", "1", False),
        ("true", "yes", True),
        ('"1"', "1", False),
    )


def test_limits_in_words_and_in_the_control() -> None:
    field = asked(of(Kind.INT, nullable=True, bounds=Bounds(ge=1, lt=13, multiple_of=2)))
    assert field.limits == "at least 1, less than 13, in steps of 2, may be left empty"
    assert field.bounds == {"min": 1, "step": "1"}
    assert asked(of(Kind.DATE, bounds=Bounds(ge="2024-01-01"))).limits == "from 2024-01-01"
