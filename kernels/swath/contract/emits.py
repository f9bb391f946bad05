"""Declared outputs: the calls of ``swath.emit`` that stand in the notebook, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import PurePosixPath

from swath.contract.findings import Findings
from swath.contract.interface import GIVEN_OUTPUTS, OUTPUT_NAME, Output
from swath.contract.source import Code, Imports, described

_GEOTIFF = "image/tiff; application=geotiff"
_PARQUET = ("application/vnd.apache.parquet", "table")
_JSON = ("application/json", "json")
#: What `swath.emit` records for a file, by suffix.
_SUFFIXES: dict[str, tuple[str, str]] = {
    ".tif": (_GEOTIFF, "raster"),
    ".tiff": (_GEOTIFF, "raster"),
    ".nc": ("application/x-netcdf", "raster"),
    ".csv": ("text/csv", "table"),
    ".parquet": _PARQUET,
    ".geojson": ("application/geo+json", "vector"),
    ".gpkg": ("application/geopackage+sqlite3", "vector"),
    ".png": ("image/png", "figure"),
    ".jpg": ("image/jpeg", "figure"),
    ".jpeg": ("image/jpeg", "figure"),
    ".svg": ("image/svg+xml", "figure"),
    ".json": _JSON,
    ".txt": ("text/plain", "text"),
    ".md": ("text/markdown", "text"),
    ".html": ("text/html", "text"),
    ".htm": ("text/html", "text"),
    ".xml": ("application/xml", "file"),
    ".gz": ("application/gzip", "file"),
    ".pdf": ("application/pdf", "file"),
    ".zip": ("application/zip", "file"),
}
#: What ``format=`` asks for.
_FORMATS: dict[str, tuple[str, str]] = {
    "cog": (f"{_GEOTIFF}; profile=cloud-optimized", "raster"),
    "csv": _SUFFIXES[".csv"],
    "parquet": _PARQUET,
    "geojson": _SUFFIXES[".geojson"],
    "png": _SUFFIXES[".png"],
    "json": _JSON,
}
_UNKNOWN: tuple[str | None, str] = (None, "any")
_EMIT = frozenset({"swath.emit", "swath.emit.emit"})
_PATHS = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath"})


def read_outputs(codes: Iterable[Code], imports: Imports, findings: Findings) -> tuple[Output, ...]:
    """Every output that is declared by a literal name, in the order of the cells."""
    outputs: dict[str, Output] = {}
    seen = False
    for code in codes:
        for call in _calls(code, imports):
            seen = True
            output = _output(code, call, findings)
            if output is None:
                continue
            twin = next((name for name in outputs if name.casefold() == output.name.casefold()), None)
            if twin is not None:
                findings.error(
                    "duplicate-output",
                    f"the output {output.name!r} is emitted in two places",
                    "emit it in one place, or give one of them another name",
                    cell=code.cell,
                    line=call.lineno,
                )
            else:
                outputs[output.name] = output
    if not seen:
        findings.warning(
            "no-output",
            "no output is declared; the executed notebook, as ipynb and HTML, will be the only result",
            'call swath.emit("name", value) for what a caller wants to use',
        )
    return tuple(outputs.values())


def _calls(code: Code, imports: Imports) -> list[ast.Call]:
    calls = [node for node in ast.walk(code.tree) if isinstance(node, ast.Call)] if code.tree else []
    return sorted(
        (call for call in calls if _origin(call.func, imports) in _EMIT),
        key=lambda call: (call.lineno, call.col_offset),
    )


def _origin(func: ast.expr, imports: Imports) -> str | None:
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "swath":
        # Also where the import is missing or behind a star: the intent is plain.
        return imports.origin(func) or f"swath.{func.attr}"
    return imports.origin(func)


def _output(code: Code, call: ast.Call, findings: Findings) -> Output | None:
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    node = call.args[0] if call.args else named.get("name")
    name = _text(node)
    if name is None:
        findings.warning(
            "computed-output-name",
            "the name of an output is computed, so callers cannot know that it will be there",
            "write the name as a text in the call of swath.emit",
            cell=code.cell,
            line=call.lineno,
        )
        return None
    if not OUTPUT_NAME.fullmatch(name) or name.casefold() in GIVEN_OUTPUTS:
        findings.error(
            "bad-output-name",
            f"{name[:80]!a} is not a name an output can have",
            "begin with a letter, use up to 63 letters, digits, - and _; 'notebook' and 'notebook-html' are taken",
            cell=code.cell,
            line=call.lineno,
        )
        return None
    media_type, kind = _form(call.args[1] if len(call.args) > 1 else named.get("value"), named)
    return Output(
        name=name,
        media_type=media_type,
        kind=kind,
        description=_text(named.get("description")) or described(code, call.lineno, call.end_lineno or call.lineno),
    )


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _form(value: ast.expr | None, named: dict[str, ast.expr]) -> tuple[str | None, str]:
    """Media type and kind where the text shows them; most values show theirs only in a run."""
    media_type = _text(named.get("media_type"))
    if media_type is not None:
        bare = media_type.partition(";")[0].strip().lower()
        return media_type, next((kind for known, kind in _SUFFIXES.values() if known.partition(";")[0] == bare), "file")
    asked = _text(named.get("format"))
    if asked is not None:
        return _FORMATS.get(asked.lower(), _UNKNOWN)
    if isinstance(value, _LITERALS):
        return _JSON
    file_name = _file_name(value)
    return _SUFFIXES.get(PurePosixPath(file_name[-200:]).suffix.lower(), _UNKNOWN) if file_name else _UNKNOWN


_LITERALS = (ast.Constant, ast.JoinedStr, ast.Dict, ast.List, ast.Tuple, ast.DictComp, ast.ListComp)


def _file_name(value: ast.expr | None) -> str | None:
    """The end of a path: of ``Path("a.png")``, ``Path(f"{x}.png")`` or ``folder / "a.png"``."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        last: ast.expr = value.right
    elif isinstance(value, ast.Call) and value.args and _last_step(value.func) in _PATHS:
        last = value.args[-1]
    else:
        return None
    if isinstance(last, ast.JoinedStr) and last.values:
        return f"x{_text(last.values[-1]) or ''}"
    return _text(last)


def _last_step(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
