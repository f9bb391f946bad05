"""Interfaces come back from their JSON, and describe themselves as JSON Schema; both for any type there is."""

from __future__ import annotations

import copy
import json
import string
from datetime import UTC, date, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from swath.contract.digest import canonical_json
from swath.contract.fields import ContractError
from swath.contract.interface import Interface, Output, Parameter, json_schema
from swath.contract.kinds import Bounds, Kind, ParameterType
from swath.contract.parameters import check_parameters, python_source, python_values

#: The same cases every time; a failure in a full run can be had again.
quick = settings(deadline=None, derandomize=True, max_examples=40)

PATTERNS = ("^[a-z]+$", "b|c", "^$", "[^x]{2,3}", "^(?:ab?)*$", "\\d", "^a.c")
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
INTS = st.integers(-(2**53), 2**53)
FLOATS = st.floats(-(2.0**53), 2.0**53, allow_nan=False)


@st.composite
def number_bounds(draw: st.DrawFn) -> Bounds:
    low, high = sorted((draw(st.integers(-20, 20)), draw(st.integers(21, 50))))
    given: dict[str, Any] = {}
    if draw(st.booleans()):
        given[draw(st.sampled_from(("ge", "gt")))] = low
    if draw(st.booleans()):
        given[draw(st.sampled_from(("le", "lt")))] = high
    if draw(st.booleans()):
        given["multiple_of"] = draw(st.integers(1, 5))
    return Bounds(**given)


@st.composite
def lengths(draw: st.DrawFn) -> dict[str, int]:
    given = {}
    if draw(st.booleans()):
        given["min_length"] = draw(st.integers(0, 3))
    if draw(st.booleans()):
        given["max_length"] = draw(st.integers(3, 6))
    return given


PLAIN = st.one_of(
    st.builds(
        ParameterType, kind=st.sampled_from((Kind.INT, Kind.FLOAT)), bounds=number_bounds(), nullable=st.booleans()
    ),
    st.builds(ParameterType, kind=st.sampled_from((Kind.BOOL, Kind.DATE, Kind.DATETIME)), nullable=st.booleans()),
    st.builds(
        lambda sizes, pattern, nullable: ParameterType(
            kind=Kind.STR, nullable=nullable, bounds=Bounds(**sizes, pattern=pattern)
        ),
        lengths(),
        st.sampled_from((None, *PATTERNS)),
        st.booleans(),
    ),
    st.builds(
        lambda choices, nullable: ParameterType(kind=Kind.LITERAL, choices=tuple(choices), nullable=nullable),
        st.lists(
            st.one_of(st.sampled_from(("a", "b", "")), st.integers(-1, 2), st.booleans()),
            min_size=1,
            max_size=4,
            unique_by=lambda choice: (type(choice), choice),
        ),
        st.booleans(),
    ),
)
RICH = st.builds(
    ParameterType, kind=st.sampled_from((Kind.BBOX, Kind.GEOJSON, Kind.TEMPORAL_INTERVAL)), nullable=st.booleans()
)


def _lists(of: st.SearchStrategy[ParameterType]) -> st.SearchStrategy[ParameterType]:
    return st.builds(
        lambda items, sizes, nullable: ParameterType(
            kind=Kind.LIST, items=items, nullable=nullable, bounds=Bounds(**sizes)
        ),
        of,
        lengths(),
        st.booleans(),
    )


EXACT = st.recursive(PLAIN, _lists, max_leaves=3)
ANY = st.recursive(PLAIN | RICH, _lists, max_leaves=3)
JSON = st.recursive(
    st.none() | st.booleans() | INTS | FLOATS | TEXTS | DAYS.map(str) | MOMENTS.map(_iso),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=5,
)
SIDES = st.integers(-90, 90) | st.floats(-90, 90)
POSITIONS = st.tuples(SIDES, SIDES).map(list)
GEOJSON = st.one_of(
    POSITIONS.map(lambda at: {"type": "Point", "coordinates": at}),
    st.lists(POSITIONS, min_size=3, max_size=5).map(
        lambda ring: {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    ),
    st.lists(POSITIONS, min_size=3, max_size=5).map(lambda ring: {"type": "Polygon", "coordinates": [ring]}),
    st.dictionaries(st.sampled_from(("type", "coordinates")), TEXTS | POSITIONS, max_size=2),
)
BOXES = st.lists(SIDES, min_size=3, max_size=5) | st.fixed_dictionaries(
    {"west": SIDES, "south": SIDES, "east": SIDES, "north": SIDES},
    optional={"crs": st.sampled_from((None, 4326, 32633, "EPSG:3035", 1, "")), "x": st.none()},
)
ENDS = st.none() | DAYS.map(str) | MOMENTS.map(_iso) | st.just("x")


def near(of: ParameterType) -> st.SearchStrategy[Any]:
    """Values that are often right for `of`, and otherwise wrong in a small way."""
    made: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.INT: st.integers(-25, 55) | st.integers(-25, 55).map(float) | INTS,
        Kind.FLOAT: st.integers(-25, 55) | FLOATS,
        Kind.BOOL: st.booleans() | st.sampled_from((0, 1, "true")),
        Kind.STR: st.text("abcx1\n", max_size=7) | TEXTS,
        Kind.LITERAL: st.sampled_from((*of.choices, 0, 1, 1.0, True, False, "a")),
        Kind.DATE: DAYS.map(str) | st.sampled_from(("2024-02-30", "2024-1-1", "20240101")),
        Kind.DATETIME: MOMENTS.map(_iso) | st.sampled_from(("2024-01-01T00:00:00", "2024-01-01T00:00:00+01:00")),
        Kind.BBOX: BOXES,
        Kind.GEOJSON: GEOJSON,
        Kind.TEMPORAL_INTERVAL: st.lists(ENDS, min_size=1, max_size=3) | st.tuples(ENDS, ENDS).map(list),
        Kind.LIST: st.lists(near(of.items), max_size=7) if of.items else st.nothing(),
    }
    return st.one_of(made[of.kind], made[of.kind], st.none(), JSON)


@st.composite
def typed_values(draw: st.DrawFn, types: st.SearchStrategy[ParameterType]) -> tuple[ParameterType, Any]:
    of = draw(types)
    return of, draw(near(of))


def one(of: ParameterType, *, required: bool = True, default: Any = None) -> Interface:
    return Interface(parameters=(Parameter(name="x", type=of, required=required, default=default),))


def _validator(interface: Interface) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json_schema(interface), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@quick
@given(typed_values(ANY))
def test_what_is_accepted_is_valid_under_the_schema(typed):
    of, value = typed
    interface = one(of)
    jsonschema.Draft202012Validator.check_schema(json_schema(interface))
    bound, findings = check_parameters(interface, {"x": value})
    assume(not findings)
    validator = _validator(interface)
    assert validator.is_valid({"x": value})
    assert validator.is_valid(bound)
    assert check_parameters(interface, bound) == (bound, ()), "binding what is bound changes nothing"


@quick
@given(typed_values(EXACT))
def test_what_is_valid_under_the_schema_is_accepted(typed):
    of, value = typed
    # Python's `$` also matches before a last line feed; JavaScript's and ours do not.
    assume("\\n" not in json.dumps(value))
    _, findings = check_parameters(one(of), {"x": value})
    assert _validator(one(of)).is_valid({"x": value}) == (not findings)


@quick
@given(ANY)
def test_an_interface_comes_back_from_its_json(of):
    interface = Interface(
        parameters=(
            Parameter(name="x", type=of, required=True, description="é\n'"),
            Parameter(name="y", type=of, required=False, default={"a": [1]}),
        ),
        outputs=(Output(name="a", media_type="image/png", kind="figure", description="b"), Output(name="c")),
    )
    read = Interface.from_dict(json.loads(json.dumps(interface.as_dict())))
    assert read == interface
    assert canonical_json(read.as_dict()) == canonical_json(interface.as_dict())


@quick
@given(typed_values(ANY))
def test_the_injected_source_gives_the_values_back(typed):
    of, value = typed
    interface = one(of)
    bound, findings = check_parameters(interface, {"x": value})
    assume(not findings)
    namespace: dict[str, Any] = {}
    exec(python_source(interface, bound), namespace)
    expected = python_values(interface, bound)["x"]
    assert namespace["x"] == expected
    assert type(namespace["x"]) is type(expected)


def test_schema_words(interface_of):
    schema = json_schema(
        interface_of(
            "a: Annotated[int, Ge(1), Lt(9)] = 3  # how many\n"
            "b: Annotated[str, Len(1, 5), Pattern('^x')]\n"
            "c: Annotated[list[Literal['r', 'g']], MinLen(1)] = ['r']\n"
            "d: Annotated[date, Ge(date(2015, 6, 23))] | None = None\n"
            "e: BBox | None = None"
        )
    )
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["b"]
    assert schema["properties"]["a"] == {
        "type": "integer",
        "minimum": 1,
        "exclusiveMaximum": 9,
        "description": "how many",
        "default": 3,
    }
    assert schema["properties"]["b"] == {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^x"}
    assert schema["properties"]["c"] == {
        "type": "array",
        "items": {"enum": ["r", "g"]},
        "minItems": 1,
        "default": ["r"],
    }
    assert schema["properties"]["d"] == {
        "type": ["string", "null"],
        "format": "date",
        "formatMinimum": "2015-06-23",
        "default": None,
    }
    assert schema["properties"]["e"]["anyOf"][0]["subtype"] == "bounding-box"
    jsonschema.Draft202012Validator.check_schema(schema)


GOOD = {
    "parameters": [
        {"name": "x", "type": {"kind": "int", "ge": 0}, "description": "", "required": True},
        {"name": "y", "type": {"kind": "list", "items": {"kind": "str"}}, "required": False, "default": []},
    ],
    "outputs": [{"name": "a", "media_type": None, "kind": "any", "description": ""}],
}
# Path into GOOD, what to put there.
BROKEN = [
    ((), []),
    (("parameters",), {}),
    (("extra",), 1),
    (("parameters", 0), None),
    (("parameters", 0, "name"), "import"),
    (("parameters", 0, "name"), "x; import os"),
    (("parameters", 0, "name"), "y"),
    (("parameters", 0, "required"), "yes"),
    (("parameters", 0, "extra"), 1),
    (("parameters", 0, "type"), "int"),
    (("parameters", 0, "type"), {"kind": "complex"}),
    (("parameters", 0, "type"), {"kind": "literal", "choices": []}),
    (("parameters", 0, "type"), {"kind": "literal", "choices": [1.5]}),
    (("parameters", 0, "type"), {"kind": "str", "ge": 1}),
    (("parameters", 0, "type"), {"kind": "str", "pattern": "(?=a)"}),
    (("parameters", 0, "type"), {"kind": "date", "ge": "soon"}),
    (("parameters", 0, "type"), {"kind": "int", "ge": True}),
    (("parameters", 0, "type"), {"kind": "int", "ge": 10**400}),
    (("parameters", 0, "type"), {"kind": "int", "multiple_of": 0}),
    (("parameters", 0, "type"), {"kind": "int", "min_length": 1}),
    (("parameters", 0, "type"), {"kind": "list"}),
    (("parameters", 1, "default"), ...),
    (("outputs", 0, "name"), "../a"),
    (("outputs", 0, "kind"), 3),
]


@pytest.mark.parametrize(("path", "value"), BROKEN)
def test_interfaces_of_another_form_are_refused(path, value):
    assert Interface.from_dict(GOOD)
    document: Any = copy.deepcopy(GOOD)
    if not path:
        document = value
    else:
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        if value is ...:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
    with pytest.raises(ContractError):
        Interface.from_dict(document)


def test_a_type_nested_without_end_is_refused():
    of: Any = {"kind": "int"}
    for _ in range(5000):
        of = {"kind": "list", "items": of}
    with pytest.raises(ContractError):
        ParameterType.from_dict(of)


@quick
@given(st.text(string.printable), st.text())
def test_text_never_becomes_code(text, more):
    import ast

    of = ParameterType(kind=Kind.LIST, items=ParameterType(kind=Kind.STR))
    bound, findings = check_parameters(one(of), {"x": [text, more]})
    assume(not findings)
    source = python_source(one(of), bound)
    assert source.isascii()
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == [text, more]


ATTACKS = (
    "'''\nimport os\n'''",
    '"""; import os; """',
    "\\",
    "\\'",
    "{__import__('os')}",
    "\u2028import os",
    "\r\nimport os",
    "a\x0cb",
    "}}",
)


@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_by_text_also_as_members_of_geojson(interface_of, text):
    interface = interface_of("x: str\ny: GeoJSON")
    feature = {"type": "Feature", "geometry": None, "properties": {text: [text, {"b": None, "c": True}]}}
    bound, findings = check_parameters(interface, {"x": text, "y": feature})
    assert findings == ()
    namespace: dict[str, Any] = {"__builtins__": {}}
    exec(python_source(interface, bound), namespace)
    assert namespace["x"] == text
    assert namespace["y"] == feature


def test_the_injected_cell_has_real_types_and_no_name_of_the_notebook(interface_of):
    interface = interface_of(
        "at: datetime\nday: date\ndays: list[date | None] = [date(2020, 1, 1), None]\nn: float = 1"
    )
    bound, _ = check_parameters(interface, {"at": "2024-05-31T14:00:00+02:00", "day": "2024-05-31"})
    namespace: dict[str, Any] = {"date": "hidden", "datetime": "hidden", "timezone": "hidden"}
    exec(python_source(interface, bound), namespace)
    assert namespace["at"] == datetime(2024, 5, 31, 12, tzinfo=UTC)
    assert namespace["day"] == date(2024, 5, 31)
    assert namespace["days"] == [date(2020, 1, 1), None]
    assert namespace["n"] == 1.0
    assert isinstance(namespace["n"], float)
    assert namespace["date"] == namespace["datetime"] == "hidden"


def test_only_bound_values_become_source(interface_of):
    interface = interface_of("x: int")
    for wrong in ({}, {"x": "3"}, {"x": 3, "y = 4; z": 5}):
        with pytest.raises(ContractError):
            python_source(interface, wrong)
    forged = Interface(
        parameters=(Parameter(name="x = 1\nimport os #", type=ParameterType(kind=Kind.INT), required=True),)
    )
    with pytest.raises(ContractError):
        python_source(forged, {"x = 1\nimport os #": 3})
