"""Every finding that a notebook can have, with its place; and that a good one has none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from swath.contract.findings import MAX_FINDINGS
from swath.contract.notebook import read_notebook

EMIT = "import swath\nswath.emit('table', x)"


def _read(notebook: Any) -> Any:
    return read_notebook(notebook, environments=["eo", "ml"])


def test_a_good_notebook_has_no_finding(make):
    reading = _read(make.build(make.markdown("# Title"), make.code("x: int = 1", "parameters"), make.code(EMIT)))
    assert reading.findings == ()
    assert reading.ok
    assert [parameter.name for parameter in reading.interface.parameters] == ["x"]
    assert [output.name for output in reading.interface.outputs] == ["table"]
    assert reading.metadata.name == "good-one"


# Source of the parameters cell -> code of the finding and its line.
IN_PARAMETERS = {
    "assigned without a type": ("# a\n# b\ny = 3", "undeclared-parameter", 3),
    "unpacked without a type": ("y, z = 3, 4", "undeclared-parameter", 1),
    "added to": ("x: int = 1\nx += 1", "undeclared-parameter", 2),
    "attribute": ("import os\nos.x: int = 3", "undeclared-parameter", 2),
    "calls something": ("x: int = 1\nprint(x)", "statement-in-parameters", 2),
    "loops": ("for y in []: pass", "statement-in-parameters", 1),
    "defines a function": ("def f(): pass", "statement-in-parameters", 1),
    "declared twice": ("x: int = 1\nx: int = 2", "duplicate-parameter", 2),
    "hides an import": ("import swath\nswath: int = 1", "bad-parameter-name", 2),
    "hides a builtin": ("print: int = 1", "bad-parameter-name", 1),
    "begins with an underscore": ("_x: int = 1", "bad-parameter-name", 1),
    "dunder": ("__name__: str = 'x'", "bad-parameter-name", 1),
    "not ASCII": ("größe: int = 1", "bad-parameter-name", 1),
    "too long a name": (f"{'a' * 64}: int = 1", "bad-parameter-name", 1),
    "dict": ("x: dict = {}", "unsupported-type", 1),
    "bare list": ("x: list = []", "unsupported-type", 1),
    "tuple": ("x: tuple[int, int] = (1, 2)", "unsupported-type", 1),
    "union of two": ("x: int | str = 1", "unsupported-type", 1),
    "None alone": ("x: None = None", "unsupported-type", 1),
    "own class": ("x: Shape = 1", "unsupported-type", 1),
    "number as a type": ("x: 3 = 1", "unsupported-type", 1),
    "text that is no type": ("x: 'int(' = 1", "unsupported-type", 1),
    "Literal of floats": ("from typing import Literal\nx: Literal[1.5] = 1.5", "unsupported-type", 2),
    "Literal of a name": ("from typing import Literal\nx: Literal[A] = 1", "unsupported-type", 2),
    "Literal of a giant": (f"from typing import Literal\nx: Literal[{hex(2**70)}]", "unsupported-type", 2),
    "lists in lists in lists": (f"x: {'list[' * 9}int{']' * 9} = []", "unsupported-type", 1),
    "not imported": ("x: Literal['a'] = 'a'", "name-not-imported", 1),
    "bound that is none": ("from typing import Annotated\nx: Annotated[int, 5] = 1", "bad-bounds", 2),
    "bound that is computed": (
        "from typing import Annotated\nfrom swath import Ge\nx: Annotated[int, Ge(N)] = 1",
        "bad-bounds",
        3,
    ),
    "bound on what has no order": (
        "from typing import Annotated\nfrom swath import Ge\nx: Annotated[str, Ge(1)] = 'a'",
        "bad-bounds",
        3,
    ),
    "length of a number": (
        "from typing import Annotated\nfrom swath import MinLen\nx: Annotated[int, MinLen(1)] = 1",
        "bad-bounds",
        3,
    ),
    "bounds that leave nothing": (
        "from typing import Annotated\nfrom swath import Gt, Lt\nx: Annotated[int, Gt(3), Lt(3)] = 3",
        "bad-bounds",
        3,
    ),
    "the same bound twice": (
        "from typing import Annotated\nfrom swath import Ge\nx: Annotated[int, Ge(1), Ge(2)] = 3",
        "bad-bounds",
        3,
    ),
    "pattern with a back-reference": (
        "from typing import Annotated\nfrom swath import Pattern\nx: Annotated[str, Pattern(r'(a)\\1')] = 'aa'",
        "bad-bounds",
        3,
    ),
    "default of another type": ("x: int = 'a'", "default-violates-type", 1),
    "default bool for int": ("x: int = True", "default-violates-type", 1),
    "default None": ("x: int = None", "default-violates-type", 1),
    "default infinite": ("x: float = 1e999", "default-violates-type", 1),
    "default beyond 64 bits": (f"x: int = {2**64}", "default-violates-type", 1),
    "default over its bound": (
        "from typing import Annotated\nfrom swath import Le\nx: Annotated[int, Le(3)] = 4",
        "default-violates-type",
        3,
    ),
    "default no choice": ("from typing import Literal\nx: Literal['a'] = 'b'", "default-violates-type", 2),
    "default date as text": ("from datetime import date\nx: date = '2020-01-01'", "default-violates-type", 2),
    "default moment without zone": (
        "from datetime import datetime\nx: datetime = datetime(2020, 1, 1)",
        "default-violates-type",
        2,
    ),
    "default box as list": ("from swath import BBox\nx: BBox = [1, 2, 3, 4]", "default-violates-type", 2),
    "default box upside down": (
        "from swath import BBox\nx: BBox = {'west': 1, 'south': 3, 'east': 2, 'north': 2}",
        "default-violates-type",
        2,
    ),
    "default interval both open": (
        "from swath import TemporalInterval\nx: TemporalInterval = [None, None]",
        "default-violates-type",
        2,
    ),
    "default interval of dates": (
        "from datetime import date\nfrom swath import TemporalInterval\nx: TemporalInterval = [date(2020, 1, 1), None]",
        "default-violates-type",
        3,
    ),
    "default half a character": ("x: str = '\\ud800'", "default-violates-type", 1),
    "default computed": ("x: int = 60 * 60", "default-not-literal", 1),
    "default called": ("import os\nx: str = os.getcwd()", "default-not-literal", 2),
    "default formatted": ("x: str = f'{1}'", "default-not-literal", 1),
    "default impossible date": ("from datetime import date\nx: date = date(2020, 13, 1)", "default-not-literal", 2),
    "default bytes": ("x: str = b'a'", "default-not-literal", 1),
    "a secret": ("api_token: str", "secret-parameter", 1),
    "syntax": ("x: int = (", "syntax-error", 1),
    "null character": ("x: int = 1\0", "syntax-error", None),
    "giant number": (f"x: int = {'9' * 5000}", "syntax-error", 1),
    "nested too deeply": (f"x: int = {'-' * 50_000}1", "syntax-error", None),
}


@pytest.mark.parametrize(("source", "code", "line"), IN_PARAMETERS.values(), ids=IN_PARAMETERS)
def test_finding_in_the_parameters_cell(make, source, code, line):
    reading = _read(make.build(make.markdown("# Title"), make.code(source, "parameters"), make.code("import swath")))
    found = {(finding.code, finding.cell, finding.line) for finding in reading.errors}
    assert found == {(code, 1, line)}
    assert not reading.ok
    assert reading.interface is None
    assert all(finding.message and finding.mend for finding in reading.findings)


# Source of a code cell below -> code, severity, line.
IN_CODE = {
    "same output twice": ("swath.emit('a', 1)\nswath.emit('a', 2)", "duplicate-output", "error", 2),
    "same output but for its case": ("swath.emit('a', 1)\nswath.emit('A', 2)", "duplicate-output", "error", 2),
    "output with a bad name": ("swath.emit('../a', 1)", "bad-output-name", "error", 1),
    "output called notebook": ("swath.emit('Notebook', 1)", "bad-output-name", "error", 1),
    "output with a computed name": ("swath.emit(f'a{x}', 1)", "computed-output-name", "warning", 1),
    "name that nothing defines": ("print(year)", "undeclared-name", "error", 1),
    "parameter overwritten": ("x = 3", "overwritten-parameter", "warning", 1),
    "syntax": ("a b", "syntax-error", "error", 1),
    "installs": ("a = 1\n!pip install x", "installs-packages", "warning", 2),
    "installs by magic": ("%pip install x", "installs-packages", "warning", 1),
}


@pytest.mark.parametrize(("source", "code", "severity", "line"), IN_CODE.values(), ids=IN_CODE)
def test_finding_in_another_cell(make, source, code, severity, line):
    reading = _read(
        make.build(
            make.code("x: int = 1", "parameters"), make.code("import swath\nswath.emit('t', x)"), make.code(source)
        )
    )
    assert [(found.code, found.severity, found.cell, found.line) for found in reading.findings] == [
        (code, severity, 2, line)
    ]
    assert reading.ok == (severity == "warning")


def _with(cell: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**cell, **members}


def test_no_parameters_cell(make):
    assert [found.code for found in _read(make.build(make.code(EMIT.replace("x", "1")))).findings] == [
        "no-parameters-cell"
    ]


def test_two_parameters_cells_are_both_read(make):
    reading = _read(make.build(make.code("x: int = 1", "parameters"), make.code("y: dict = 2", "parameters")))
    assert {(found.code, found.cell) for found in reading.errors} == {
        ("two-parameters-cells", 1),
        ("unsupported-type", 1),
    }


def test_parameters_tag_on_a_text_cell(make):
    tagged = _with(make.markdown("x"), metadata={"tags": ["parameters"]})
    assert {found.code for found in _read(make.build(tagged)).errors} == {"bad-parameters-cell"}


def test_no_output_is_a_warning(make):
    reading = _read(make.build(make.code("", "parameters")))
    assert [(found.code, found.severity) for found in reading.findings] == [("no-output", "warning")]
    assert reading.ok


def test_unused_parameter_is_a_warning(make):
    reading = _read(make.build(make.code("x: int = 1", "parameters"), make.code("import swath\nswath.emit('a', 1)")))
    assert [(found.code, found.severity, found.cell) for found in reading.findings] == [
        ("unused-parameter", "warning", 0)
    ]


def test_leftovers_of_a_previous_run(make):
    reading = _read(
        make.build(
            make.code("", "parameters", execution_count=3),
            make.code("x = 1", "injected-parameters"),
            make.code("x", outputs=[{"output_type": "stream", "name": "stdout", "text": "1"}]),
            make.code("1/0", "raises-exception"),
        )
    )
    assert [(found.code, found.cell) for found in reading.findings if found.cell is not None] == [
        ("stored-outputs", 0),
        ("injected-cell", 1),
        ("stored-outputs", 2),
        ("raises-exception", 3),
    ]


OTHER_KERNELS = {
    "by language": ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
    "by info": ({"language_info": {"name": "julia"}}, "julia"),
    "by name": ({"kernelspec": {"name": "bash"}}, "bash"),
}


@pytest.mark.parametrize(("metadata", "language"), OTHER_KERNELS.values(), ids=OTHER_KERNELS)
def test_not_python(make, metadata, language):
    notebook = make.build(make.code("x <- 1", "parameters"))
    notebook["metadata"] = {**metadata, "swath": make.good_metadata}
    reading = _read(notebook)
    assert [found.code for found in reading.findings] == ["not-python"]
    assert language in reading.findings[0].message


def test_a_notebook_without_kernelspec_is_python(make):
    notebook = make.build(make.code("", "parameters"))
    notebook["metadata"] = {"swath": make.good_metadata}
    assert _read(notebook).ok


# Members of the file, or raw bytes -> cell of the finding.
MALFORMED = {
    "no JSON": (b"{", None),
    "empty": (b"", None),
    "not UTF-8": (b"\xff\xfe", None),
    "byte order mark": (b"\xef\xbb\xbf{}", None),
    "a list": (b"[]", None),
    "null": (b"null", None),
    "NaN": (b'{"nbformat": NaN}', None),
    "half a character": (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"a": "\\ud800"}, "cells": []}', None),
    "deep": (b"[" * 100_000, None),
    "giant number": (b'{"nbformat": ' + b"9" * 5000 + b"}", None),
    "nbformat 3": ({"nbformat": 3, "worksheets": []}, None),
    "nbformat true": ({"nbformat": True}, None),
    "no minor": ({"nbformat_minor": None}, None),
    "no cells": ({"cells": None}, None),
    "cells an object": ({"cells": {}}, None),
    "no metadata": ({"metadata": []}, None),
    "kernelspec a text": ({"metadata": {"kernelspec": "python", "swath": {"name": "aa"}}}, None),
    "cell null": ({"cells": [None]}, 0),
    "cell of no type": ({"cells": [{"cell_type": []}]}, 0),
    "cell of another type": ({"cells": [{"cell_type": "heading", "source": ""}]}, 0),
    "source a number": ({"cells": [{"cell_type": "markdown", "metadata": {}, "source": 3, "id": "a"}]}, 0),
    "source of numbers": ({"cells": [{"cell_type": "markdown", "metadata": {}, "source": [3], "id": "a"}]}, 0),
    "cell without metadata": ({"cells": [{"cell_type": "raw", "source": "", "id": "a"}]}, 0),
    "tags a text": ({"cells": [{"cell_type": "raw", "metadata": {"tags": "a"}, "source": "", "id": "a"}]}, 0),
    "code without outputs": ({"cells": [{"cell_type": "code", "metadata": {}, "source": "", "id": "a"}]}, 0),
    "no id": ({"cells": [{"cell_type": "raw", "metadata": {}, "source": ""}]}, 0),
    "bad id": ({"cells": [{"cell_type": "raw", "metadata": {}, "source": "", "id": "a b"}]}, 0),
    "same id": ({"cells": [{"cell_type": "raw", "metadata": {}, "source": "", "id": "a"}] * 2}, 1),
}


@pytest.mark.parametrize(("broken", "cell"), MALFORMED.values(), ids=MALFORMED)
def test_invalid_nbformat(make, broken, cell):
    reading = _read(broken if isinstance(broken, bytes) else {**make.build(), **broken})
    assert ("invalid-nbformat", cell) in {(found.code, found.cell) for found in reading.findings}
    assert not reading.ok


def test_older_nbformat_4_needs_no_ids_and_takes_lists_of_lines(make):
    cell = {**make.code("", "parameters"), "source": ["x: int = 1\n", "y: int = 2\n"]}
    notebook = make.build(nbformat_minor=2, cells=[cell])
    assert [parameter.name for parameter in _read(notebook).interface.parameters] == ["x", "y"]


def test_sizes(make):
    assert {found.code for found in _read(b" " * (10 * 1024 * 1024 + 1)).findings} == {"too-large"}
    assert "too-large" in {found.code for found in _read(make.build(make.code("#" * 100_001))).findings}
    assert "too-large" in {found.code for found in _read(make.build(*[make.code("#" * 99_999)] * 5)).findings}
    assert "too-large" in {found.code for found in _read(make.build(*[make.markdown("")] * 2001)).findings}


# Change of the metadata -> code and a word of its message or mend.
METADATA = {
    "none": (None, "no-metadata", "swath"),
    "a text": ("x", "bad-metadata", "object"),
    "an empty block": ({"name": None, "title": None}, "bad-metadata", "missing"),
    "name null": ({"name": None}, "bad-metadata", "missing"),
    "name in capitals": ({"name": "NDVI"}, "bad-metadata", "lower-case"),
    "name too long": ({"name": "a" * 64}, "bad-metadata", "name"),
    "title a number": ({"title": 3}, "bad-metadata", "title"),
    "summary a list": ({"summary": []}, "bad-metadata", "summary"),
    "two-part version": ({"version": "1.0"}, "bad-metadata", "1.0.0"),
    "version with build": ({"version": "1.0.0+a"}, "bad-metadata", "version"),
    "licence in words": ({"license": "Apache 2.0"}, "bad-metadata", "Apache-2.0"),
    "licence half an expression": ({"license": "MIT OR"}, "bad-metadata", "SPDX"),
    "keywords a text": ({"keywords": "ndvi"}, "bad-metadata", "keywords"),
    "references of numbers": ({"references": [1]}, "bad-metadata", "references"),
    "unknown environment": ({"environment": "eoo"}, "unknown-environment", "'eo'"),
    "unknown member": ({"licence": "MIT"}, "unknown-metadata", "'license'"),
    "unknown resource": ({"resources": {"memory": 1}}, "unknown-metadata", "'memory_mb'"),
    "resources a number": ({"resources": 3}, "bad-metadata", "resources"),
    "too many cpus": ({"resources": {"cpus": 1e9}}, "bad-metadata", "cpus"),
    "cpus true": ({"resources": {"cpus": True}}, "bad-metadata", "cpus"),
    "half a megabyte": ({"resources": {"memory_mb": 1000.5}}, "bad-metadata", "memory_mb"),
    "a giant": ({"resources": {"wall_seconds": 10**400}}, "bad-metadata", "wall_seconds"),
    "dask a text": ({"resources": {"dask": "yes"}}, "bad-metadata", "dask"),
}


@pytest.mark.parametrize(("change", "code", "word"), METADATA.values(), ids=METADATA)
def test_metadata(make, change, code, word):
    notebook = make.build(make.code("", "parameters"))
    notebook["metadata"]["swath"] = {**make.good_metadata, **change} if isinstance(change, dict) else change
    reading = _read(notebook)
    (error,) = reading.errors
    assert error.code == code
    assert word in error.message + error.mend
    assert reading.metadata is None


def test_metadata_that_is_wanted_and_not_needed(make):
    reading = _read(
        make.build(make.markdown("text\n# The heading #\n"), make.code("", "parameters"), metadata={"name": "ab"})
    )
    assert reading.ok
    assert {found.message.split(" ")[0] for found in reading.findings if found.code == "missing-metadata"} == {
        "swath.summary",
        "swath.license",
    }
    assert reading.metadata.title == "The heading"
    assert reading.metadata.environment == "eo"
    assert reading.metadata.resources.as_dict() == {"cpus": 1.0, "memory_mb": 2048, "wall_seconds": 900, "dask": False}


def test_rare_licence_is_a_warning(make):
    reading = _read(make.build(make.code("", "parameters"), metadata={**make.good_metadata, "license": "Ruby"}))
    assert [found.code for found in reading.findings] == ["no-output", "unusual-license"]


def test_metadata_comes_back_from_its_dict(make):
    from swath.contract.metadata import AlgorithmMetadata

    metadata = {**make.good_metadata, "keywords": ["a", "a", "b"], "resources": {"cpus": 2, "dask": True}}
    read = _read(make.build(make.code("", "parameters"), metadata=metadata)).metadata
    assert AlgorithmMetadata.from_dict(json.loads(json.dumps(read.as_dict()))) == read
    assert read.keywords == ("a", "b")
    assert read.resources.dask


def test_all_findings_at_once_in_order(make):
    notebook = make.build(
        make.code("a: int = 'x'\nb = 3\nc: dict", "parameters", execution_count=1),
        make.code("swath.emit('o', undefined)\nswath.emit('o', '/home/someone/x')\npassword = 'hunter2!'"),
        make.code("def ("),
        metadata={"name": "Bad Name", "colour": 1},
    )
    found = [(finding.cell, finding.line, finding.code) for finding in _read(notebook).errors]
    assert found == [
        (None, None, "bad-metadata"),
        (None, None, "unknown-metadata"),
        (0, None, "stored-outputs"),
        (0, 1, "default-violates-type"),
        (0, 2, "undeclared-parameter"),
        (0, 3, "unsupported-type"),
        (1, 2, "absolute-path"),
        (1, 2, "duplicate-output"),
        (1, 3, "secret"),
        (2, 1, "syntax-error"),
    ]


def test_findings_are_capped_and_say_so(make):
    reading = _read(make.build(make.code("\n".join(f"x{i} = {i}" for i in range(MAX_FINDINGS + 50)), "parameters")))
    assert len(reading.findings) == MAX_FINDINGS + 1
    assert reading.findings[-1].code == "more-findings"
    assert not reading.ok


def test_a_finding_is_json(make):
    for finding in _read(make.build(make.code("b = 3", "parameters"))).findings:
        told = json.loads(json.dumps(finding.as_dict()))
        assert set(told) == {"code", "severity", "message", "mend", "cell", "line"}
