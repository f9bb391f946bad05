"""What is read from a right notebook: types, bounds, descriptions, outputs, names."""

from __future__ import annotations

import pytest
from swath.contract.kinds import Kind
from swath.contract.notebook import read_notebook

# Annotation -> how the type says itself.
TYPES = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "date": "date",
    "datetime": "datetime",
    "BBox": "BBox",
    "swath.BBox": "BBox",
    "swath.types.GeoJSON": "GeoJSON",
    "TemporalInterval": "TemporalInterval",
    "Literal['a', 'b']": "Literal['a', 'b']",
    "Literal[1, True, -2]": "Literal[1, True, -2]",
    "Literal['a', None]": "Literal['a'] | None",
    "Optional[int]": "int | None",
    "Union[None, int]": "int | None",
    "int | None": "int | None",
    "None | str": "str | None",
    "list[str]": "list[str]",
    "List[float | None]": "list[float | None]",
    "list[list[int]] | None": "list[list[int]] | None",
    "'int | None'": "int | None",
    "list['Literal[1]']": "list[Literal[1]]",
    "Annotated[int, Ge(0)]": "Annotated[int, Bounds(ge=0)]",
    "Annotated[int | None, Ge(-1), Lt(5)]": "Annotated[int, Bounds(ge=-1, lt=5)] | None",
    "Optional[Annotated[float, Gt(gt=0.5)]]": "Annotated[float, Bounds(gt=0.5)] | None",
    "Annotated[int, Interval(ge=1, le=12)]": "Annotated[int, Bounds(ge=1, le=12)]",
    "Annotated[int, Bounds(ge=1, multiple_of=2)]": "Annotated[int, Bounds(ge=1, multiple_of=2)]",
    "Annotated[str, Len(1, 3), Pattern('^a')]": "Annotated[str, Bounds(min_length=1, max_length=3, pattern='^a')]",
    "Annotated[list[Annotated[int, MultipleOf(2)]], MinLen(1), MaxLen(2)]": (
        "Annotated[list[Annotated[int, Bounds(multiple_of=2)]], Bounds(min_length=1, max_length=2)]"
    ),
    "Annotated[date, Ge(date(2015, 6, 23))]": "Annotated[date, Bounds(ge='2015-06-23')]",
    "Annotated[datetime, Lt(datetime(2015, 6, 23, tzinfo=timezone.utc))]": (
        "Annotated[datetime, Bounds(lt='2015-06-23T00:00:00Z')]"
    ),
}


@pytest.mark.parametrize(("annotation", "said"), TYPES.items())
def test_types(interface_of, annotation, said):
    (parameter,) = interface_of(f"x: {annotation}").parameters
    assert str(parameter.type) == said
    assert parameter.required


# Declaration -> JSON default.
DEFAULTS = {
    "x: int = -3": -3,
    "x: float = +2": 2.0,
    "x: float = 1e-3": 0.001,
    "x: str = 'a' \"b\"": "ab",
    "x: str = '''a=\nb'''": "a=\nb",
    "x: bool = False": False,
    "x: int | None = None": None,
    "x: list[int] = (1, 2)": [1, 2],
    "x: list[float] = [1, 2.5]": [1.0, 2.5],
    "x: date = date(2020, 2, 29)": "2020-02-29",
    "x: date = date.fromisoformat('2020-02-29')": "2020-02-29",
    "x: datetime = datetime(2020, 2, 29, 12, tzinfo=timezone.utc)": "2020-02-29T12:00:00Z",
    "x: datetime = datetime(2020, 3, 1, tzinfo=timezone(timedelta(hours=2)))": "2020-02-29T22:00:00Z",
    "x: datetime = datetime.fromisoformat('2020-03-01T00:00:00+02:00')": "2020-02-29T22:00:00Z",
    "x: list[date] = [date(2020, 1, 1)]": ["2020-01-01"],
    "x: BBox = dict(west=1, south=2, east=3, north=4)": {"west": 1, "south": 2, "east": 3, "north": 4},
    "x: BBox = BBox(west=1, south=2, east=3, north=4, crs=32633)": {
        "west": 1,
        "south": 2,
        "east": 3,
        "north": 4,
        "crs": 32633,
    },
    "x: TemporalInterval = ('2020-01-01', None)": ["2020-01-01", None],
    "x: GeoJSON = {'type': 'Point', 'coordinates': [16.4, 48.2]}": {"type": "Point", "coordinates": [16.4, 48.2]},
    "x: Literal['a', 'b'] = 'b'": "b",
    "x: Literal[1, True] = True": True,
}


@pytest.mark.parametrize(("declaration", "default"), DEFAULTS.items())
def test_defaults(interface_of, declaration, default):
    (parameter,) = interface_of(declaration).parameters
    assert not parameter.required
    assert parameter.default == default
    assert type(parameter.default) is type(default)


def test_descriptions(interface_of):
    interface = interface_of(
        "# Of the harvest,\n"
        "# in full.\n"
        "year: int = 2020\n"
        "\n"
        "# A heading that stands alone\n"
        "\n"
        "cloud: float = 0.3  # share that may be hidden\n"
        "bands: list[str] = [  # noqa: F821\n"
        "    'B04',\n"
        "]  # as STAC names them\n"
        "b: Annotated[int, 'told inside'] = 1  # and not here\n"
        "a: str = '# no comment'"
    )
    assert {parameter.name: parameter.description for parameter in interface.parameters} == {
        "year": "Of the harvest, in full.",
        "cloud": "share that may be hidden",
        "bands": "as STAC names them",
        "b": "told inside",
        "a": "",
    }


def test_order_is_the_authors_and_imports_may_stand_in_the_cell(make):
    source = '"""Parameters."""\nimport typing as t\nfrom datetime import date as Day\nz: t.Literal["a"]\na: Day\npass'
    reading = read_notebook(make.build(make.code(source, "parameters")), environments=None)
    assert [(one.name, one.type.kind) for one in reading.interface.parameters] == [
        ("z", Kind.LITERAL),
        ("a", Kind.DATE),
    ]


def test_words_of_another_package_are_not_ours(make):
    reading = read_notebook(
        make.build(make.code("from shapes import BBox\nx: BBox = 1", "parameters")), environments=None
    )
    assert [found.code for found in reading.errors] == ["unsupported-type"]


def test_annotated_types_own_bounds_are_read(make):
    source = "from typing import Annotated\nimport annotated_types as at\nx: Annotated[int, at.Ge(3)] = 3"
    reading = read_notebook(make.build(make.code(source, "parameters")), environments=None)
    assert reading.interface.parameters[0].type.bounds.ge == 3


# Call -> media type and kind.
FORMS = {
    "swath.emit('a', 3)": ("application/json", "json"),
    "swath.emit('a', 'plain text.png')": ("application/json", "json"),
    "swath.emit('a', {'b': x})": ("application/json", "json"),
    "swath.emit('a', x)": (None, "any"),
    "swath.emit('a', x, format='cog')": ("image/tiff; application=geotiff; profile=cloud-optimized", "raster"),
    "swath.emit('a', x, format='parquet')": ("application/vnd.apache.parquet", "table"),
    "swath.emit('a', Path('b.PNG'))": ("image/png", "figure"),
    "swath.emit('a', Path('folder') / 'b.csv')": ("text/csv", "table"),
    "swath.emit('a', Path(f'{x}.nc'))": ("application/x-netcdf", "raster"),
    "swath.emit('a', Path('b'), media_type='image/jp2')": ("image/jp2", "file"),
    "swath.emit('a', x, media_type='text/csv; header=present')": ("text/csv; header=present", "table"),
    "swath.emit(name='a', value={'c': 1})": ("application/json", "json"),
}


@pytest.mark.parametrize(("call", "form"), FORMS.items())
def test_form_of_an_output(interface_of, call, form):
    (output,) = interface_of("x: int = 1", f"from pathlib import Path\n{call}").outputs
    assert (output.name, output.media_type, output.kind) == ("a", *form)


# Cells -> names of outputs.
EMITS = {
    "from swath import emit\nemit('a', 1)": ["a"],
    "from swath import emit as e\ne('a', 1)": ["a"],
    "import swath as sw\nsw.emit('a', 1)": ["a"],
    "from swath import *\nemit('a', 1)": ["a"],
    "def f():\n    from swath import emit\n    emit('a', 1)\n": ["a"],
    "if True:\n    swath.emit('b', 1)\nswath.emit('a', swath.emit('c', 1))": ["b", "a", "c"],
    "def emit(a, b): pass\nemit('a', 1)": [],
    "bus = object()\nbus.emit('a', 1)": [],
    "text = \"swath.emit('a', 1)\"  # swath.emit('b', 1)": [],
}


@pytest.mark.parametrize(("cell", "names"), EMITS.items())
def test_which_calls_declare_outputs(interface_of, cell, names):
    assert [output.name for output in interface_of("", cell).outputs] == names


def test_description_of_an_output(interface_of):
    interface = interface_of(
        "",
        "# Mean per parcel\nswath.emit('a', 1)\nswath.emit('b', 2)  # the rest\nswath.emit('c', 3, description='told')",
    )
    assert [output.description for output in interface.outputs] == ["Mean per parcel", "the rest", "told"]


def test_emits_in_text_cells_declare_nothing(make):
    reading = read_notebook(
        make.build(make.code("", "parameters"), make.markdown("swath.emit('a', 1)")), environments=None
    )
    assert reading.interface.outputs == ()


# Code that names no undeclared name, however it looks.
FINE = (
    "import os.path\nprint(os.sep, [y for y in range(3)], (lambda q, *r, **s: q)(1))",
    "try:\n    unicode\nexcept NameError:\n    unicode = str",
    "class A:\n    def m(self): return self\nA().m()",
    "with open('a') as f: f\ndel f",
    "match 3:\n    case [a, *b]: print(a, b)\n    case {'k': v, **rest}: print(v, rest)\n    case n: print(n)",
    "get_ipython().run_line_magic('time', '1')\nfrom_magic",
    "from numpy import *\narray([1])",
    "%store -r kept\nkept",
    "%%capture caught\nprint(1)\ncaught",
    "exec('made = 1')\nmade",
    "display(_, __, _3, In, Out)",
    "if (n := 3): print(n)",
    "def g():\n    global later\n    later = 1\ng(); later",
    "import swath\nasync def f(): pass\nawait f()",
)


@pytest.mark.parametrize("source", FINE)
def test_no_false_undeclared_names(make, source):
    reading = read_notebook(make.build(make.code("", "parameters"), make.code(source)), environments=None)
    assert reading.errors == ()


@pytest.mark.parametrize(
    "source", ["!echo {x}", "import pandas as pd\npd.DataFrame().query('a > @x')", "def f(): return x", "exec('x')"]
)
def test_no_false_unused_parameters(make, source):
    reading = read_notebook(
        make.build(
            make.code("x: int = 1", "parameters"), make.code(source), make.code("import swath\nswath.emit('a', 1)")
        ),
        environments=None,
    )
    assert reading.findings == ()


@pytest.mark.parametrize(
    "source",
    ["x = 3", "x, y = 3, 4", "import os as x", "from os import path as x", "def x(): pass", "for x in (1, 2): pass"],
)
def test_overwritten_parameters(make, source):
    reading = read_notebook(
        make.build(
            make.code("x: int = 1", "parameters"), make.code(source), make.code("import swath\nswath.emit('a', x)")
        ),
        environments=None,
    )
    assert [(found.code, found.cell, found.line) for found in reading.findings] == [("overwritten-parameter", 1, 1)]


def test_derived_parameters_are_not_overwritten(make):
    source = "x = x * 2\nimport swath\nswath.emit('a', x)"
    reading = read_notebook(make.build(make.code("x: int = 1", "parameters"), make.code(source)), environments=None)
    assert reading.findings == ()
