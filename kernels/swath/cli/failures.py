"""The one way in which the command tells that something failed: on standard error, without a traceback."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from swath.cli.exits import Exit, exit_code
from swath.display import clean, text_table


def tell(error: Exception, *, as_json: bool) -> Exit:
    """Print `error` and return the exit code that belongs to it.

    An error with ``code`` and ``message`` (ours, or one of the servers') is told in full. Anything else is a fault of
    this command and is told by its last line; ``SWATH_DEBUG=1`` shows the traceback.
    """
    if isinstance(error, typer.Abort):
        document, code = {"code": "aborted", "message": "aborted"}, Exit.INTERRUPTED
    elif hasattr(error, "format_message"):
        document, code = _usage(error), Exit(getattr(error, "exit_code", Exit.USAGE))
    elif isinstance(getattr(error, "code", None), str) and isinstance(getattr(error, "message", None), str):
        document, code = _described(error), exit_code(error)
    else:
        document, code = _unforeseen(error), Exit.RUN_FAILED
    if os.environ.get("SWATH_DEBUG"):
        traceback.print_exception(error)
    if as_json:
        print(json.dumps({"error": {**document, "exit_code": int(code)}}), file=sys.stderr)
    else:
        print(_text(document), file=sys.stderr)
    return code


def _usage(error: Any) -> dict[str, Any]:
    context = getattr(error, "ctx", None)
    document = {"code": "usage", "message": str(error.format_message())}
    if type(error).__name__ == "NoArgsIsHelpError":
        # Its message is the whole help page.
        return {"code": "usage", "message": document["message"], "plain": True}
    if context is not None:
        document["usage"] = context.get_usage().removeprefix("Usage: ").strip()
        document["mend"] = f"see `{context.command_path} --help`"
    return document


def _described(error: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"code": error.code, "message": error.message}
    for name in ("mend", "findings", "id", "status"):
        if value := getattr(error, name, None):
            document[name] = list(value) if name == "findings" else value
    extra = getattr(error, "extra", None)
    return {**(extra if isinstance(extra, dict) else {}), **document}


def _unforeseen(error: Exception) -> dict[str, Any]:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return {"code": "operating-system", "message": f"{where}{error.strerror}"}
    return {
        "code": "unforeseen",
        "message": f"{type(error).__name__}: {error}",
        "mend": "this is a fault of the command; SWATH_DEBUG=1 shows where it arose",
    }


def _text(document: Mapping[str, Any]) -> str:
    if document.get("plain"):
        return str(document["message"])
    lines = [f"Error: {document['message']}"]
    if usage := document.get("usage"):
        lines.insert(0, f"Usage: {usage}")
    if findings := document.get("findings"):
        lines += ["", findings_table(findings), ""]
    if trace := document.get("traceback"):
        lines += ["", str(trace).rstrip(), ""]
    if mend := document.get("mend"):
        lines.append(f"What to do: {mend}")
    if document.get("id") and int(document.get("status") or 0) >= 500:
        lines.append(f"Tell the operator this id: {document['id']}")
    return clean("\n".join(lines))


def findings_table(findings: Sequence[Mapping[str, Any]]) -> str:
    """Every fault, one a line: where, what, mend. Cells are counted from 1, as a reader counts."""
    if any("field" in finding for finding in findings):
        rows = [[one.get("field", ""), one.get("message", ""), one.get("mend", "")] for one in findings]
        return text_table(["parameter", "what is wrong", "mend"], rows)
    rows = [
        [
            one["cell"] + 1 if isinstance(one.get("cell"), int) else "-",
            one.get("line") or "-",
            one.get("severity", "error"),
            one.get("message", ""),
            one.get("mend", ""),
        ]
        for one in findings
    ]
    return text_table(["cell", "line", "severity", "what is wrong", "mend"], rows)
