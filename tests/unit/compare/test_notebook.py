"""Executed notebooks, held against nbval where it has an opinion."""

from __future__ import annotations

import base64
import copy
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy
import pytest
from nbformat import v4
from nbval.plugin import IPyNbCell, coalesce_streams
from PIL import Image
from swath.compare import compare_files
from swath.contract.comparison import Comparison, Tolerance, Verdict

WriteJson = Callable[..., Path]


def _png(by: int = 0, **options: Any) -> str:
    pixels = numpy.full((4, 5, 3), 100 + by, dtype="uint8")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return base64.b64encode(stream.getvalue()).decode()


def _stream(text: str, name: str = "stdout") -> Any:
    return v4.new_output("stream", name=name, text=text)


def _shown(**data: Any) -> Any:
    return v4.new_output("display_data", data={key.replace("_", "/"): value for key, value in data.items()})


def _result(text: str, count: int = 1) -> Any:
    return v4.new_output("execute_result", data={"text/plain": text}, execution_count=count)


def _error(value: str, trace: str = "") -> Any:
    return v4.new_output("error", ename="ValueError", evalue=value, traceback=[trace])


#: What a cell had to bring, what it brought, and whether nbval finds them the same.
_CASES: list[tuple[str, list[Any], list[Any]]] = [
    ("nothing", [], []),
    ("the same text", [_stream("1\n")], [_stream("1\n")]),
    ("another text", [_stream("1\n")], [_stream("2\n")]),
    ("a stream in pieces", [_stream("1\n2\n")], [_stream("1\n"), _stream("2\n")]),
    (
        "streams that took turns",
        [_stream("a"), _stream("e", "stderr"), _stream("b")],
        [_stream("ab"), _stream("e", "stderr")],
    ),
    ("another stream", [_stream("1\n")], [_stream("1\n", "stderr")]),
    ("a progress bar", [_stream("done\n")], [_stream("10%\r50%\rdone\n")]),
    ("another execution count", [_result("7")], [_result("7", 9)]),
    ("another result", [_result("7")], [_result("8")]),
    ("a result that is missing", [_result("7")], []),
    ("a result too many", [_result("7")], [_result("7"), _shown(text_plain="7")]),
    ("results in another order", [_result("7"), _stream("x")], [_stream("x"), _result("7")]),
    (
        "displays in another order",
        [_shown(text_plain="a"), _shown(text_plain="b")],
        [_shown(text_plain="b"), _shown(text_plain="a")],
    ),
    ("another traceback", [_error("no", "at 1")], [_error("no", "at 2")]),
    ("another error", [_error("no")], [_error("yes")]),
    ("LaTeX", [_shown(text_latex="x", text_plain="x")], [_shown(text_latex="y", text_plain="x")]),
    ("a page", [_shown(text_html="<b>1</b>")], [_shown(text_html="<b>2</b>")]),
    ("the same picture", [_shown(image_png=_png())], [_shown(image_png=_png())]),
    ("another picture", [_shown(image_png=_png())], [_shown(image_png=_png(9))]),
]


@pytest.fixture
def compare(write_json: WriteJson) -> Any:
    def compare(
        expected: list[Any], found: list[Any], *, tags: tuple[str, ...] = (), source: str = "f()", **tolerance: Any
    ) -> Comparison:
        paths = []
        for name, outputs in (("a", expected), ("b", found)):
            cell = v4.new_code_cell(source, outputs=copy.deepcopy(outputs), execution_count=len(name))
            cell.metadata.tags = list(tags)
            book = v4.new_notebook(cells=[v4.new_markdown_cell("# T"), cell])
            paths.append(write_json(name, nbformat.writes(book).encode(), ".ipynb"))
        return compare_files(*paths, tolerance=Tolerance(**tolerance))

    return compare


def _nbval(expected: list[Any], found: list[Any]) -> bool:
    """Its own comparison of outputs, called as its plugin calls it."""
    skipped = ("metadata", "traceback", "text/latex", "prompt_number", "output_type", "name", "execution_count",
               "application/vnd.jupyter.widget-view+json")  # fmt: skip
    colors = SimpleNamespace(OKBLUE="", FAIL="", ENDC="")
    cell = SimpleNamespace(
        parent=SimpleNamespace(skip_compare=skipped),
        colors=colors,
        sanitize=lambda text: text,
        format_output_compare=lambda *_: None,
    )
    expected, found = ([nbformat.from_dict(one) for one in copy.deepcopy(side)] for side in (expected, found))
    return bool(IPyNbCell.compare_outputs(cell, coalesce_streams(found), coalesce_streams(expected)))


@pytest.mark.parametrize(("name", "expected", "found"), _CASES, ids=[case[0] for case in _CASES])
def test_outputs_are_the_same_where_nbval_says_so(
    compare: Any, name: str, expected: list[Any], found: list[Any]
) -> None:
    got = compare(expected, found)
    assert got.kind == "notebook"
    assert got.verdict.same == _nbval(expected, found), got
    if not got.verdict.same:
        assert got.differing == 1
        assert got.differences[0].where.startswith("cell 1, ")


def test_the_same_picture_in_other_bytes_is_the_same(compare: Any) -> None:
    got = compare([_shown(image_png=_png(compress_level=0))], [_shown(image_png=_png(compress_level=9))])
    assert got.verdict is Verdict.IDENTICAL
    near = compare([_shown(image_png=_png())], [_shown(image_png=_png(2))], atol=2)
    assert (near.verdict, near.largest) == (Verdict.WITHIN, 2.0)


def test_numbers_in_text_follow_the_rule(compare: Any) -> None:
    sides = [_stream("mean 0.500, n=12\n")], [_stream("mean 0.501, n=12\n")]
    assert compare(*sides).verdict is Verdict.DIFFERS
    got = compare(*sides, atol=0.01)
    assert got.verdict is Verdict.WITHIN
    assert got.largest == pytest.approx(0.001)
    assert compare([_stream("mean 0.5")], [_stream("median 0.5")], atol=1).verdict is Verdict.DIFFERS
    assert compare([_stream("B04")], [_stream("B08")], atol=9).verdict is Verdict.DIFFERS, "a name is no number"


def test_addresses_of_objects_do_not_count(compare: Any) -> None:
    sides = [_result("<Box at 0x7f00aa11>")], [_result("<Box at 0x7fff1234>")]
    assert compare(*sides).verdict.same


@pytest.mark.parametrize(
    ("tags", "source", "ignore", "same"),
    [
        ((), "f()", (), False),
        (("nbval-ignore-output",), "f()", (), True),
        (("noisy",), "f()", (), False),
        (("noisy",), "f()", ("noisy",), True),
        ((), "# NBVAL_IGNORE_OUTPUT\nf()", (), True),
    ],
)
def test_cells_that_are_marked_may_print_anything(
    compare: Any, tags: tuple[str, ...], source: str, ignore: tuple[str, ...], same: bool
) -> None:
    got = compare([_stream("1")], [_stream("2"), _result("3")], tags=tags, source=source, ignore=ignore)
    assert got.verdict.same is same


def test_sources_and_the_number_of_cells_count(write_json: WriteJson) -> None:
    def book(name: str, *sources: str) -> Path:
        made = v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])
        return write_json(name, nbformat.writes(made).encode(), ".ipynb")

    first = book("a", "x = 1", "y = 2")
    got = compare_files(first, book("b", "x = 1", "y = 3"))
    assert [(one.where, one.expected, one.found) for one in got.differences] == [("cell 1, source", "y = 2", "y = 3")]
    assert compare_files(first, book("c", "x = 1")).differences[0].where == "cells"
    assert compare_files(first, book("d", "x = 1", "y = 2")).verdict is Verdict.IDENTICAL, "ids of cells are random"


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b'{"nbformat": 3, "worksheets": []}', b'{"nbformat": 4, "cells": [1]}']
)
def test_what_is_no_notebook_is_incomparable(write_json: WriteJson, content: bytes) -> None:
    good = write_json("a", nbformat.writes(v4.new_notebook()).encode(), ".ipynb")
    assert compare_files(good, write_json("b", content, ".ipynb")).verdict is Verdict.INCOMPARABLE
