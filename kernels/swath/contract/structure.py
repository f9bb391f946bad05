"""The form of a notebook file: nbformat 4, in Python, without what a previous run left in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swath.contract.findings import Findings

MAX_NOTEBOOK_BYTES = 10 * 1024 * 1024
#: Python's own parser takes time that grows with the square of a cell; beyond these a cell holds data, not code.
MAX_CELL_CHARACTERS = 100_000
MAX_CODE_CHARACTERS = 400_000
MAX_CELLS = 2000
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS = frozenset({"code", "markdown", "raw"})
_OTHER_KERNELS = re.compile(
    r"(?i)^(?:ir|julia.*|bash|sos|scala.*|javascript|java|rust|octave|matlab.*|sparkr|gophernotes)$"
)
_MEND_FILE = "open the notebook in JupyterLab and save it again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One cell, whose source is one text."""

    index: int
    kind: str
    source: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Notebook:
    """A notebook whose form is understood as far as its findings allow."""

    metadata: dict[str, Any]
    cells: tuple[Cell, ...]
    is_python: bool = True

    def code(self) -> list[Cell]:
        """The cells that hold Python."""
        return [cell for cell in self.cells if cell.kind == "code" and self.is_python]


def read_structure(raw: bytes | str | Mapping[str, Any], findings: Findings) -> Notebook | None:
    """The notebook in `raw`, or ``None`` when nothing in it can be understood."""
    data = _parsed(raw, findings)
    if data is _UNREADABLE:
        return None
    if not isinstance(data, dict):
        _invalid("the file holds JSON, but no notebook", findings)
        return None
    if data.get("nbformat") != 4 or isinstance(data["nbformat"], bool) or not _is_count(data.get("nbformat_minor")):
        _invalid(
            "this is not nbformat 4",
            findings,
            mend="convert it: jupyter nbconvert --to notebook --nbformat 4 (or open it in JupyterLab and save it)",
        )
        return None
    cells = data.get("cells")
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        _invalid("the notebook has no metadata object", findings)
        metadata = {}
    if not isinstance(cells, list):
        _invalid("the notebook has no list of cells", findings)
        return None
    if len(cells) > MAX_CELLS:
        findings.error("too-large", f"over {MAX_CELLS} cells", "split the notebook")
        return None
    is_python = _check_language(metadata, findings)
    read = [cell for cell in (_cell(index, one, findings) for index, one in enumerate(cells)) if cell]
    _check_ids(cells, data["nbformat_minor"], findings)
    if sum(len(cell.source) for cell in read if cell.kind == "code") > MAX_CODE_CHARACTERS:
        findings.error("too-large", f"over {MAX_CODE_CHARACTERS} characters of code", "move data out of the code")
        return None
    return Notebook(metadata=metadata, cells=tuple(read), is_python=is_python)


def _parsed(raw: bytes | str | Mapping[str, Any], findings: Findings) -> Any:
    try:
        # Through JSON also where an object is given: what follows then sees strings as keys, and no cycles.
        text = json.dumps(raw, allow_nan=False) if isinstance(raw, Mapping) else raw
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        if len(data) > MAX_NOTEBOOK_BYTES:
            findings.error(
                "too-large",
                f"the notebook is over {MAX_NOTEBOOK_BYTES // 1024**2} MB",
                "clear its outputs and keep data out of it",
            )
            return _UNREADABLE
        parsed = json.loads(data.decode("utf-8"), parse_constant=_refuse)
        # Lone surrogates come through JSON's escapes and cannot be stored as UTF-8.
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        _invalid(f"the file is no JSON in UTF-8: {_spoken(error)}", findings)
        return _UNREADABLE
    return parsed


_UNREADABLE = object()


def _refuse(_: str) -> Any:
    raise ValueError("NaN and infinity are not JSON")


def _spoken(error: BaseException) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} in line {error.lineno}"
    if isinstance(error, UnicodeError):
        return "some of its bytes are no text"
    return (
        "it is nested too deeply" if isinstance(error, RecursionError | MemoryError) else "it holds what JSON has not"
    )


def _invalid(message: str, findings: Findings, *, mend: str = _MEND_FILE, cell: int | None = None) -> None:
    findings.error("invalid-nbformat", message, mend, cell=cell)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _cell(index: int, cell: object, findings: Findings) -> Cell | None:
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    if not isinstance(cell, dict) or not isinstance(kind, str) or kind not in _KINDS:
        _invalid("this cell has no known type", findings, cell=index)
        return None
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        _invalid("this cell's source is no text", findings, cell=index)
        return None
    metadata = cell.get("metadata")
    if not isinstance(metadata, dict):
        _invalid("this cell has no metadata object", findings, cell=index)
        metadata = {}
    tags = metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        _invalid("this cell's tags are no list of texts", findings, cell=index)
        tags = []
    if kind == "code" and len(source) > MAX_CELL_CHARACTERS:
        findings.error(
            "too-large", f"over {MAX_CELL_CHARACTERS} characters in one cell", "move data out of the code", cell=index
        )
        return None
    if kind == "code":
        _check_outputs(index, cell, findings)
    return Cell(index=index, kind=kind, source=source, tags=frozenset(tags))


def _check_outputs(index: int, cell: dict[str, Any], findings: Findings) -> None:
    outputs, count = cell.get("outputs"), cell.get("execution_count")
    if not isinstance(outputs, list) or not (count is None or _is_count(count)):
        _invalid("this code cell has no list of outputs, or a wrong execution count", findings, cell=index)
    elif outputs or count is not None:
        findings.error(
            "stored-outputs",
            "this cell keeps the outputs of a previous run",
            "clear them: Edit > Clear Outputs of All Cells, or jupyter nbconvert --clear-output --inplace",
            cell=index,
        )


def _check_ids(cells: list[Any], minor: int, findings: Findings) -> None:
    seen: set[str] = set()
    for index, cell in enumerate(cells):
        if not isinstance(cell, dict):
            continue
        name = cell.get("id")
        if name is None and minor < 5:
            continue
        if not isinstance(name, str) or not _CELL_ID.fullmatch(name):
            _invalid("this cell has no valid id", findings, cell=index)
        elif name in seen:
            _invalid("this cell has the id of another one", findings, cell=index)
        else:
            seen.add(name)


def _check_language(metadata: dict[str, Any], findings: Findings) -> bool:
    kernelspec, info = metadata.get("kernelspec", {}), metadata.get("language_info", {})
    if not isinstance(kernelspec, dict) or not isinstance(info, dict):
        _invalid("kernelspec or language_info is no object", findings)
        return True
    told = [language for language in (kernelspec.get("language"), info.get("name")) if isinstance(language, str)]
    other = next((language for language in told if language.lower() not in ("python", "ipython", "")), None)
    name = kernelspec.get("name")
    if other is None and not told and isinstance(name, str) and _OTHER_KERNELS.match(name):
        other = name
    if other is not None:
        findings.error(
            "not-python",
            f"the notebook's kernel is for {other[:40]!a}",
            "only notebooks for a Python kernel can be published; choose one under Kernel > Change Kernel",
        )
    return other is None
