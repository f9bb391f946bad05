"""Declared outputs: the calls of ``swath.emit`` that stand in the notebook, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import PurePosixPath

from swath.contract.findings import Findings
from swath.contract.interface import GIVEN_OUTPUTS, OUTPUT_NAME, Output
from swath.contract.source import Code, Imports, described

#: Suffix to media type and kind.
_SUFFIXES: dict[str, tuple[str, str]] = {
    ".tif": ("image/tiff; application=geotiff; profile=cloud-optimized", "raster"),
    ".tiff": ("image/tiff; application=geotiff; profile=cloud-optimized", "raster"),
    ".nc": ("application/x-netcdf", "raster"),
    ".csv": ("text/csv", "table"),
    ".parquet": ("application/vnd.apache.parquet", "table"),
    ".geojson": ("application/geo+json", "vector"),
    ".gpkg": ("application/geopackage+sqlite3", "vector"),
    ".png": ("image/png", "figure"),
    ".jpg": ("image/jpeg", "figure"),
    ".jpeg": ("image/jpeg", "figure"),
    ".svg": ("image/svg+xml", "figure"),
    ".json": ("application/json", "json"),
    ".txt": ("text/plain", "text"),
    ".md": ("text/markdown", "text"),
    ".html": ("text/html", "text"),
    ".pdf": ("application/pdf", "file"),
    ".zip": ("application/zip", "file"),
}
KINDS = frozenset({"raster", "table", "vector", "figure", "json", "text", "file", "any"})
_EMIT = frozenset({"swath.emit", "swath.outputs.emit"})
_VALUE_WORDS = ("value", "path", "value_or_path")


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
    value = call.args[1] if len(call.args) > 1 else next((named[word] for word in _VALUE_WORDS if word in named), None)
    media_type, kind = _guessed(value)
    media_type = _text(named.get("media_type")) or media_type
    told_kind = _text(named.get("kind"))
    return Output(
        name=name,
        media_type=media_type,
        kind=told_kind if told_kind in KINDS else _kind_of(media_type, kind),
        description=_text(named.get("description")) or described(code, call.lineno, call.end_lineno or call.lineno),
    )


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _guessed(value: ast.expr | None) -> tuple[str | None, str]:
    """Media type and kind where the text shows them: a file's suffix, or a value that can only become JSON."""
    if isinstance(value, ast.Dict | ast.DictComp) or (
        isinstance(value, ast.Constant) and isinstance(value.value, int | float)
    ):
        return _SUFFIXES[".json"]
    path = value
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        path = value.right
    elif isinstance(value, ast.Call) and len(value.args) == 1 and not isinstance(value.func, ast.Call):
        path = value.args[0]
    elif isinstance(value, ast.JoinedStr) and value.values:
        path = value.values[-1]
    text = _text(path)
    return _SUFFIXES.get(PurePosixPath(text[-200:]).suffix.lower(), (None, "any")) if text else (None, "any")


def _kind_of(media_type: str | None, otherwise: str) -> str:
    if otherwise != "any" or media_type is None:
        return otherwise
    bare = media_type.partition(";")[0].strip()
    return next((kind for known, kind in _SUFFIXES.values() if known.partition(";")[0] == bare), "file")
