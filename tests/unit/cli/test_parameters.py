"""Text from the command line as typed values."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from swath.cli.parameters import read
from swath.client.errors import Invalid
from swath.contract.interface import Interface, Parameter, json_schema
from swath.contract.kinds import Kind, ParameterType

KINDS: dict[str, ParameterType] = {
    "int": ParameterType(kind=Kind.INT),
    "float": ParameterType(kind=Kind.FLOAT, nullable=True),
    "bool": ParameterType(kind=Kind.BOOL),
    "str": ParameterType(kind=Kind.STR),
    "maybe": ParameterType(kind=Kind.STR, nullable=True),
    "date": ParameterType(kind=Kind.DATE),
    "literal": ParameterType(kind=Kind.LITERAL, choices=("mean", "1", 1, True)),
    "list": ParameterType(kind=Kind.LIST, items=ParameterType(kind=Kind.INT)),
    "bbox": ParameterType(kind=Kind.BBOX, nullable=True),
    "interval": ParameterType(kind=Kind.TEMPORAL_INTERVAL, nullable=True),
    "geojson": ParameterType(kind=Kind.GEOJSON),
}
SCHEMA = json_schema(
    Interface(parameters=tuple(Parameter(name=name, type=of, required=True) for name, of in KINDS.items()))
)


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("int=3", 3),
        ("int=three", "three"),
        ("float=0.5", 0.5),
        ("float=null", None),
        ("bool=true", True),
        ("bool=False", False),
        ("str=3", "3"),
        ("str=null", "null"),
        ("str=", ""),
        ("str=a=b", "a=b"),
        ("str=@x", "@x"),
        ("str=[1", "[1"),
        ("maybe=null", None),
        ("maybe=3", "3"),
        ("date=2023-04-01", "2023-04-01"),
        ("literal=mean", "mean"),
        ("literal=1", "1"),
        ("literal=true", True),
        ("literal=other", "other"),
        ("list=[1, 2]", [1, 2]),
        ("bbox=[5, 51, 6, 52]", [5, 51, 6, 52]),
        ("bbox=5,51.5,6,-52e0", [5.0, 51.5, 6.0, -52.0]),
        ('bbox={"west": 5}', {"west": 5}),
        ("bbox=null", None),
        ("interval=2023-04-01/2023-10-01", ["2023-04-01", "2023-10-01"]),
        ("interval=2023-04-01/..", ["2023-04-01", None]),
        ('interval=["2023-04-01", null]', ["2023-04-01", None]),
        ("unknown=3", 3),
        ("unknown=x", "x"),
    ],
)
def test_values_are_read_by_the_declared_type(pair: str, value: Any) -> None:
    got = read([pair], schema=SCHEMA)[pair.partition("=")[0]]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("pair", ["x", "=3", "list=[1,", "list=[NaN]", "bbox={", "geojson=@/nothing/there.json"])
def test_what_cannot_be_read_is_told(pair: str) -> None:
    with pytest.raises(Invalid) as caught:
        read([pair, "int=1"], schema=SCHEMA)
    assert len(caught.value.findings) == 1
    assert caught.value.findings[0]["mend"]


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        read(["a", "list=[", "int=1", "int=2"], schema=SCHEMA)
    assert [finding["field"] for finding in caught.value.findings] == ["a", "list", "int"]


def test_a_file_is_read_for_what_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "field.geojson"
    file.write_text('{"type": "Point", "coordinates": [5, 51]}')
    assert read([f"geojson=@{file}"], schema=SCHEMA)["geojson"]["type"] == "Point"


@pytest.mark.parametrize("text", ["", "[]", "3", "{'a': 1}", '{"a": NaN}'])
def test_a_file_of_parameters_is_a_json_object(tmp_path: Path, text: str) -> None:
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(Invalid):
        read([], file=str(file))


def test_standard_input_is_named_by_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 1, "b": 2}'))
    assert read(["b=3"], file="-") == {"a": 1, "b": 3}
