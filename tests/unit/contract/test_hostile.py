"""Whatever stands in a notebook, reading it raises nothing, runs nothing and takes no time to speak of."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath.contract.interface import Interface, json_schema
from swath.contract.notebook import Reading, read_notebook
from swath.contract.parameters import check_parameters, python_source

#: The same cases every time; a failure in a full run can be had again.
quick = settings(deadline=None, derandomize=True, max_examples=40)

N = 8_000
SOURCES = {
    "signs": "x: int = " + "-" * N + "1",
    "negations": "x: int = " + "not " * (N // 2) + "1",
    "parentheses": "x: int = " + "(" * N + "1" + ")" * N,
    "brackets within Python's limit": "x: list[int] = " + "[" * 150 + "1" + "]" * 150,
    "sums": "x: int = " + "1+" * N + "1",
    "unions": "x: " + "int|" * 900 + "None = 1",
    "unions beyond Python's limit": "x: " + "int|" * N + "None = 1",
    "union in a text": 'x: "' + "int|" * 900 + 'None" = 1',
    "attributes": "x: a" + ".b" * 900 + " = 1",
    "subscripts": "x: a" + "[0]" * N + " = 1",
    "calls": "x: int = f" + "()" * N,
    "strings": "x: str = " + "'a' " * N,
    "hexadecimal giant": "x: int = 0x" + "f" * 50_000,
    "dictionaries": "x: str = " + "{'a':" * 80 + "1" + "}" * 80,
    "elifs": "if 1:\n pass\n" + "elif 1:\n pass\n" * 3000,
    "statements": "x: int = 1;" * 2000,
    "f-string": "x: str = f'" + "{1}" * N + "'",
    "magics": "%a\n" * N,
    "quotes": "'''" * N + "\n!",
    "assigned magics": "x = !" * 10_000,
    "one long name": "a" * 90_000 + " b",
    "headers": "# " + "token " * 15_000,
    "addresses": "u = '" + "ab://" * 19_000 + "'",
    "half web tokens": "u = '" + "eyJ" * 30_000 + "'",
    "null": "\0" * 100,
    "form feeds": "\x0c\x0b" * 1000 + "x: int = 1",
    "carriage returns": "x: int = 1\ry: int = 2\r\nz: int = 3",
    "right to left": "x: int = 1 # \u202e\u2066",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_hostile_sources(make, source):
    # Time of the processor: what else the machine does meanwhile says nothing of what a source costs.
    started = time.process_time()
    reading = read_notebook(make.build(make.code(source, "parameters"), make.code(source)), environments=["eo"])
    assert isinstance(reading, Reading)
    assert reading.ok == (reading.interface is not None and not reading.errors)
    assert time.process_time() - started < 8


def test_nothing_is_run(make, tmp_path):
    mark = tmp_path / "ran"
    evil = f"open({str(mark)!r}, 'w').close()"
    sources = (
        f"x: int = {evil} or 1",
        f"x: ({evil}, int)[1] = 1",
        f"x: 'exec({evil!r})' = 1",
        f"import os\nx: str = os.popen('touch {mark}').read()",
        f"class int:\n    {evil}\nx: int = 1",
        f"!touch {mark}",
        f"%%bash\ntouch {mark}",
    )
    for source in sources:
        read_notebook(make.build(make.code(source, "parameters")), environments=None)
    assert not mark.exists()


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 5) | st.floats() | st.text(max_size=20) | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FRAGMENTS = (
    "x: int = 1",
    "x: Literal['a'] = 'a'",
    "y: Annotated[int, Ge(0), Le(1)]",
    "z: date = date(2020, 1, 1)",
    "swath.emit('a', 1)",
    "%time",
    "!ls",
    "'''",
    '"',
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    "=",
    ",",
    ".",
    "\\",
    "\n",
    "\n    ",
    "#",
    "@",
    "lambda",
    "f'{",
    "password = 'abc'",
    "/home/a/b",
    "\0",
    "\ud800",
    "é",
    "0x",
    "1e999",
    "await",
    "match x:",
    "*",
    "**",
    "->",
    ":=",
    "|None",
    "Optional[",
    "-",
    "9" * 30,
    "from x import *",
    "import swath",
)
sources = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=14).map("".join)


@quick
@given(st.lists(sources, min_size=1, max_size=3))
def test_random_sources(make, texts):
    head = make.code(make.imports)
    cells = [make.code(text, *(("parameters",) if position == 0 else ())) for position, text in enumerate(texts)]
    reading = read_notebook(make.build(head, *cells), environments=None)
    if reading.interface is None:
        assert reading.errors
        return
    # Whatever was read is a whole interface: it comes back, describes itself and binds its own defaults.
    assert Interface.from_dict(json.loads(json.dumps(reading.interface.as_dict()))) == reading.interface
    json_schema(reading.interface)
    bound, findings = check_parameters(reading.interface, {})
    assert all(finding.code == "missing-parameter" for finding in findings)
    if not findings:
        exec(python_source(reading.interface, bound), {})


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


@quick
@given(st.data())
def test_random_mutations_of_a_good_notebook(make, data):
    notebook: Any = make.build(
        make.markdown("# T"),
        make.code(make.imports + "x: Annotated[int, Ge(0)] = 1", "parameters"),
        make.code("swath.emit('a', x)"),
        metadata={**make.good_metadata, "resources": {"cpus": 1}, "keywords": ["a"], "references": ["b"]},
    )
    notebook = copy.deepcopy(notebook)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(_places(notebook)[1:]))
        inner = notebook
        for step in place[:-1]:
            inner = inner[step]
        if data.draw(st.booleans()) and isinstance(inner, dict):
            del inner[place[-1]]
        else:
            inner[place[-1]] = data.draw(junk)
    reading = read_notebook(notebook, environments=["eo"])
    assert reading.ok == (not reading.errors)
    assert json.dumps([finding.as_dict() for finding in reading.findings])
    if reading.ok:
        assert reading.interface is not None
        assert reading.metadata is not None


@quick
@given(st.binary(max_size=60) | junk.map(lambda value: json.dumps(value).encode()))
def test_random_bytes(raw):
    assert read_notebook(raw, environments=None).ok is False


def test_objects_that_are_no_json(make):
    cyclic: dict[str, Any] = {}
    cyclic["a"] = cyclic
    for raw in (cyclic, {"a": object()}, {"a": {1, 2}}, {(1, 2): 3}, {"a": float("nan")}):
        assert [found.code for found in read_notebook(raw, environments=None).findings] == ["invalid-nbformat"]


def test_the_contract_needs_the_standard_library_alone():
    """Imported in a Python that sees no installed package."""
    kernels = Path(__file__).parents[3] / "kernels"
    modules = sorted(f"swath.contract.{path.stem}" for path in (kernels / "swath/contract").glob("[a-z]*.py"))
    program = (
        "import sys, types, importlib\n"
        f"package = types.ModuleType('swath'); package.__path__ = [{str(kernels / 'swath')!r}]\n"
        "sys.modules['swath'] = package\n"
        f"[importlib.import_module(name) for name in {[*modules, 'swath.types']!r}]\n"
        "ours = {*sys.stdlib_module_names, 'swath', '__main__'}\n"
        "foreign = {name.partition('.')[0] for name in sys.modules} - ours\n"
        "assert not foreign, foreign"
    )
    assert len(modules) > 20
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
