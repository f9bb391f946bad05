"""The annotation of a parameter, read into a `ParameterType`."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import Any

from swath.contract.bounds import bounds_fault, read_bounds
from swath.contract.kinds import NO_BOUNDS, Kind, ParameterType
from swath.contract.literals import NotStatic, evaluate
from swath.contract.marks import AnnotationFault, word_of
from swath.contract.source import UNPARSABLE, Imports

SUPPORTED = (
    "int, float, bool, str, Literal[...], Optional[...] or ... | None, list[...], date, datetime, BBox, GeoJSON, "
    "TemporalInterval"
)
_MAX_DEPTH = 6
_MAX_CHOICES = 1000
_KINDS = {
    "int": Kind.INT,
    "float": Kind.FLOAT,
    "bool": Kind.BOOL,
    "str": Kind.STR,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "BBox": Kind.BBOX,
    "GeoJSON": Kind.GEOJSON,
    "TemporalInterval": Kind.TEMPORAL_INTERVAL,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A type and what its author wrote about it inside ``Annotated``."""

    type: ParameterType
    description: str = ""


def read_annotation(node: ast.expr, imports: Imports, *, depth: int = 0) -> Annotation:
    """The type that an annotation names.

    Raises
    ------
    AnnotationFault
        With the code, message and mend of a finding.
    """
    if depth > _MAX_DEPTH:
        raise AnnotationFault("unsupported-type", "this type is nested too deeply", "use a simpler type")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return read_annotation(ast.parse(node.value.strip(), mode="eval").body, imports, depth=depth + 1)
        except UNPARSABLE:
            raise _unsupported("a text that is no type") from None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(_alternatives(node), imports, depth=depth)
    if isinstance(node, ast.Subscript):
        return _subscript(node, imports, depth=depth)
    word = word_of(node, imports)
    if word in _KINDS:
        return Annotation(type=ParameterType(kind=_KINDS[word]))
    if word in ("list", "List"):
        raise _unsupported("a list that does not say of what", mend="write for example list[str]")
    raise _unsupported(f"{word!r}" if word else "this annotation")


def _unsupported(what: str, *, mend: str = "") -> AnnotationFault:
    return AnnotationFault("unsupported-type", f"{what} is not a type a parameter can have", mend or f"use {SUPPORTED}")


def _alternatives(node: ast.expr) -> list[ast.expr]:
    # A loop, since `a | b | c …` leans to the left as deep as it is long.
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        found.insert(0, node.right)
        node = node.left
    return [node, *found]


def _subscript(node: ast.Subscript, imports: Imports, *, depth: int) -> Annotation:
    word = word_of(node.value, imports)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if word == "Literal":
        return _literal(inner, imports)
    if word == "Annotated":
        return _annotated(inner, imports, depth=depth)
    if word == "Union":
        return _union(inner, imports, depth=depth)
    if word == "Optional" and len(inner) == 1:
        return _union([inner[0], ast.Constant(None)], imports, depth=depth)
    if word in ("list", "List") and len(inner) == 1:
        items = read_annotation(inner[0], imports, depth=depth + 1)
        return Annotation(type=ParameterType(kind=Kind.LIST, items=items.type))
    raise _unsupported(f"{word}[...]" if word else "this annotation")


def _union(members: list[ast.expr], imports: Imports, *, depth: int) -> Annotation:
    types = [member for member in members if not (isinstance(member, ast.Constant) and member.value is None)]
    if len(types) != 1:
        raise _unsupported(
            "a choice between types" if types else "None alone",
            mend="name one type, or one type and None; for a choice of values use Literal[...]",
        )
    read = read_annotation(types[0], imports, depth=depth + 1)
    nullable = read.type.nullable or len(types) < len(members)
    return replace(read, type=replace(read.type, nullable=nullable))


def _literal(members: list[ast.expr], imports: Imports) -> Annotation:
    choices: list[str | int | bool] = []
    nullable = False
    for member in members[: _MAX_CHOICES + 1]:
        value = _static(member, imports, "a choice")
        if value is None:
            nullable = True
        elif not isinstance(value, str | int) or (isinstance(value, int) and abs(value) >= 2**63):
            raise _unsupported("Literal of something else than text, booleans and 64-bit integers")
        elif not any(value == known and type(value) is type(known) for known in choices):
            choices.append(value)
    if not choices or len(members) > _MAX_CHOICES:
        raise _unsupported("a Literal without choices" if not choices else f"a Literal of over {_MAX_CHOICES} choices")
    return Annotation(type=ParameterType(kind=Kind.LITERAL, choices=tuple(choices), nullable=nullable))


def _annotated(members: list[ast.expr], imports: Imports, *, depth: int) -> Annotation:
    if not members:
        raise _unsupported("Annotated without a type")
    read = read_annotation(members[0], imports, depth=depth + 1)
    said: list[str] = [read.description] if read.description else []
    limits = dict(read.type.bounds.as_dict())
    for mark in members[1:]:
        if isinstance(mark, ast.Constant) and isinstance(mark.value, str):
            said.append(mark.value.strip())
            continue
        for name, value in read_bounds(mark, imports, read.type.kind).items():
            if name in limits:
                raise AnnotationFault("bad-bounds", f"the bound {name} is set twice", "keep one of them")
            limits[name] = value
    bounds = replace(NO_BOUNDS, **limits) if limits else NO_BOUNDS
    if fault := bounds_fault(read.type.kind, bounds):
        raise AnnotationFault("bad-bounds", fault, "correct the bounds inside Annotated[...]")
    return Annotation(type=replace(read.type, bounds=bounds), description=" ".join(said)[:2000])


def _static(node: ast.expr, imports: Imports, what: str) -> Any:
    try:
        return evaluate(node, imports)
    except NotStatic as error:
        raise AnnotationFault(
            "unsupported-type", f"{what} cannot be read from the text: {error}", "write it as a literal"
        ) from None
