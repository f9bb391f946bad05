"""Values that stand in a notebook's text, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from swath.contract.source import Imports

_MAX_DEPTH = 50


class NotStatic(Exception):
    """An expression whose value only a run would know; its message says which part."""


def evaluate(node: ast.expr, imports: Imports, *, depth: int = 0) -> Any:
    """The value of literals, signed numbers, containers of them, and of ``date``, ``datetime``, ``dict`` or ``BBox``.

    Raises
    ------
    NotStatic
        For anything else.
    """
    if depth > _MAX_DEPTH:
        raise NotStatic("it is nested too deeply")
    deeper = depth + 1
    if isinstance(node, ast.Constant):
        if node.value is None or isinstance(node.value, bool | int | float | str):
            return node.value
        raise NotStatic(f"a value of type {type(node.value).__name__} has no JSON form")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = evaluate(node.operand, imports, depth=deeper)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise NotStatic("a sign stands before something that is no number")
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.List | ast.Tuple):
        return [evaluate(item, imports, depth=deeper) for item in node.elts]
    if isinstance(node, ast.Dict):
        return _dict(node, imports, depth=deeper)
    if isinstance(node, ast.Call):
        return _call(node, imports, depth=deeper)
    if imports.origin(node) in ("datetime.timezone.utc", "datetime.UTC"):
        return UTC
    raise NotStatic("it is computed")


def _dict(node: ast.Dict, imports: Imports, *, depth: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        name = None if key is None else evaluate(key, imports, depth=depth)
        if not isinstance(name, str):
            raise NotStatic("a dictionary's keys are to be plain strings")
        told[name] = evaluate(value, imports, depth=depth)
    return told


def _call(node: ast.Call, imports: Imports, *, depth: int) -> Any:
    made = _CALLS.get(imports.origin(node.func) or "")
    if made is None or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise NotStatic("it calls something")
    positional = [evaluate(argument, imports, depth=depth) for argument in node.args]
    named: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise NotStatic("it unpacks something")
        named[keyword.arg] = evaluate(keyword.value, imports, depth=depth)
    try:
        return made(*positional, **named)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotStatic(f"the call would fail ({type(error).__name__})") from None


def _named(**members: Any) -> dict[str, Any]:
    return members


_CALLS: dict[str, Callable[..., Any]] = {
    "datetime.date": date,
    "datetime.date.fromisoformat": date.fromisoformat,
    "datetime.datetime": datetime,
    "datetime.datetime.fromisoformat": datetime.fromisoformat,
    "datetime.timezone": timezone,
    "datetime.timedelta": timedelta,
    "builtins.dict": _named,
    "swath.BBox": _named,
    "swath.types.BBox": _named,
}
