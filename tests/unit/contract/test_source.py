"""IPython's own lines never keep a cell from being read, and never move its lines."""

from __future__ import annotations

import ast

import pytest
from swath.contract.source import read_code

# Source -> the Python that is left.
MAGICS = {
    "%matplotlib inline\nx = 1": "pass\nx = 1",
    "!ls -l 'it\nx = 1": "pass\nx = 1",
    "if True:\n    !ls\n    %time y\nx = 1": "if True:\n    pass\n    pass\nx = 1",
    "files = !ls\nx = 1": "files = None\nx = 1",
    "t = %timeit -o f()\nx = 1": "t = None\nx = 1",
    "%%time\nx = 1": "\nx = 1",
    "\n%%capture out\nx = 1": "\n\nx = 1",
    "%%bash\nfor i in *; do\n done": "\n\n",
    "%%html\n<b>": "\n",
    "str?\n?str\nx??\nx = 1": "pass\npass\npass\nx = 1",
    "!echo a \\\n  b \\\n  c\nx = 1": "pass\n\n\nx = 1",
    "!ls\nx = (5\n% 3)": "pass\nx = (5\n% 3)",
    "!ls\nx = '''\n%no magic\n!nor this\n'''": "pass\nx = '''\n%no magic\n!nor this\n'''",
    "!ls\nx = 5 \\\n% 3": "pass\nx = 5 \\\n% 3",
    "!ls\nx = 'it' # it's\n%time 1": "pass\nx = 'it' # it's\npass",
    "!ls\nx = '\\\\'\n%time 1": "pass\nx = '\\\\'\npass",
}


@pytest.mark.parametrize(("source", "plain"), MAGICS.items())
def test_magics(source, plain):
    code = read_code(0, source)
    assert code.text == plain
    assert isinstance(code.tree, ast.Module)
    assert code.text.count("\n") == source.count("\n")


def test_python_without_magics_is_left_alone():
    source = "x = 7\ny = (x\n  % 2)\nz = x if x!=3 else '?'\n"
    assert read_code(0, source).text == source


def test_what_remains_wrong_is_told_with_its_line():
    code = read_code(4, "%time 1\nx = 1\ny = = 2")
    assert code.tree is None
    assert code.fault_line == 3
    assert code.fault


def test_magics_in_the_parameters_cell_harm_nothing(make):
    from swath.contract.notebook import read_notebook

    reading = read_notebook(make.build(make.code("%%time\nx: int = 1", "parameters")), environments=None)
    assert [parameter.name for parameter in reading.interface.parameters] == ["x"]
