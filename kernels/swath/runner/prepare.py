"""From the run's input to the notebook that is executed: the caller's parameters go into a cell of their own."""

# nbformat says it is typed and leaves half its functions without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

INJECTED = "injected-parameters"


class InputInvalid(Exception):
    """The run's folder does not hold what a run needs."""


def load_notebook(path: Path) -> NotebookNode:
    """The notebook at `path` as papermill wants it: format 4, with ``papermill`` metadata and tags on every cell.

    Raises
    ------
    InputInvalid
        There is none, or it is no notebook.
    """
    try:
        nb: NotebookNode = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise InputInvalid(f"{path.name} can't be read as a notebook: {error}") from error
    nb.metadata["papermill"] = NotebookNode(parameters={}, environment_variables={}, version=None)
    for cell in nb.cells:
        cell.metadata["tags"] = list(cell.metadata.get("tags", []))
        cell.metadata["papermill"] = NotebookNode()
    return nb


def inject(nb: NotebookNode, source: str, parameters: Mapping[str, Any]) -> tuple[tuple[int, ...], int | None]:
    """Put `source` into a cell after the one tagged ``parameters``, in place.

    Parameters
    ----------
    source
        Python assigning every parameter; empty when there are none, and then nothing is put in.
    parameters
        The same as JSON, kept in the notebook's metadata as papermill does.

    Returns
    -------
    original
        For each cell its index before the injection; the injected cell has that of the parameters cell.
    injected
        Index of the injected cell, None without one.
    """
    original = list(range(len(nb.cells)))
    if not source.strip():
        return tuple(original), None
    tagged = [index for index, cell in enumerate(nb.cells) if "parameters" in cell.metadata["tags"]]
    position = tagged[0] + 1 if tagged else 0
    cell = nbformat.v4.new_code_cell(source=source, metadata={"tags": [INJECTED], "papermill": {}})
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        cell.pop("id", None)
    nb.cells.insert(position, cell)
    nb.metadata.papermill["parameters"] = NotebookNode(parameters)
    original.insert(position, tagged[0] if tagged else 0)
    return tuple(original), position


def reports_progress(nb: NotebookNode) -> bool:
    """Whether the notebook calls `swath.progress` and so counts its own progress."""
    return any(
        cell.cell_type == "code" and ("swath.progress(" in cell.source or "import progress" in cell.source)
        for cell in nb.cells
    )


def mark_failure(nb: NotebookNode, index: int | None, code: str) -> NotebookNode:
    """A copy of `nb` that says at its top where and with which error code it stopped."""
    marked: NotebookNode = nbformat.from_dict(nb)
    text = f"> **This run ended with the error `{code}`.**"
    if index is not None:
        number = nb.cells[index].get("execution_count")
        where = f"cell `In [{number}]`" if number else f"its cell {index + 1}"
        text += f" It stopped in {where}; what follows was not executed."
    note = nbformat.v4.new_markdown_cell(text, metadata={"tags": ["run-failed"]})
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        note.pop("id", None)
    marked.cells = [note, *marked.cells]
    return marked


def save_notebook(nb: NotebookNode, path: Path) -> None:
    """Write `nb` to `path`; a reader, or a crash, never meets half a file."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(nbformat.writes(nb) + "\n", encoding="utf-8")
    os.replace(partial, path)
