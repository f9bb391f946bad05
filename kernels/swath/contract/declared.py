"""The cell tagged ``parameters``: what it declares, and what has no place in it."""

from __future__ import annotations

import ast
import builtins
from datetime import date, datetime
from typing import Any

from swath.contract.annotations import SUPPORTED, Annotation, read_annotation
from swath.contract.faults import Faults, is_json
from swath.contract.findings import Findings
from swath.contract.interface import Parameter, is_parameter_name
from swath.contract.kinds import Kind, ParameterType
from swath.contract.leaks import SECRET_NAME
from swath.contract.literals import NotStatic, evaluate
from swath.contract.marks import AnnotationFault
from swath.contract.source import Code, Imports, described
from swath.contract.times import write_datetime
from swath.contract.values import check_value

_OUTSIDE = "move it to a cell below: a run puts the caller's values in right after this cell"


class ParametersReader:
    """Reads one parameters cell; every fault becomes a finding and the rest is still read."""

    def __init__(self, code: Code, imports: Imports, findings: Findings) -> None:
        self._code = code
        self._imports = imports
        self._findings = findings
        self._read: list[Parameter] = []
        self._names: set[str] = set()

    def read(self) -> tuple[Parameter, ...]:
        """The parameters that are right, in the order of their lines."""
        for statement in self._code.tree.body if self._code.tree else ():
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._declaration(statement, statement.target.id)
            elif isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
                self._undeclared(statement)
            elif not _is_quiet(statement):
                self._error(
                    "statement-in-parameters",
                    "the parameters cell holds something that declares nothing",
                    _OUTSIDE,
                    statement,
                )
        return tuple(self._read)

    def _error(self, code: str, message: str, mend: str, node: ast.stmt | ast.expr) -> None:
        self._findings.error(code, message, mend, cell=self._code.cell, line=node.lineno)

    def _undeclared(self, statement: ast.Assign | ast.AugAssign | ast.AnnAssign) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        for name in names or ["?"]:
            self._error(
                "undeclared-parameter",
                f"{name} is used as a parameter and not declared as one: it has no type",
                f"write '{name}: <type> = …' with one of {SUPPORTED}, or {_OUTSIDE}",
                statement,
            )

    def _declaration(self, statement: ast.AnnAssign, name: str) -> None:
        named_well = self._named_well(name, statement)
        try:
            annotation = read_annotation(statement.annotation, self._imports)
        except AnnotationFault as fault:
            self._error(fault.code, f"{name}: {fault.message}", fault.mend, statement)
            return
        if SECRET_NAME.search(name) and _of_text(annotation.type):
            self._error(
                "secret-parameter",
                f"{name} looks like a secret, and parameters are stored and shown with every run",
                "do without it, or rename it if it is none",
                statement,
            )
        default = self._default(statement, name, annotation)
        if not named_well or default is _WRONG:
            return
        said = annotation.description or self._comment(statement)
        self._read.append(
            Parameter(
                name=name,
                type=annotation.type,
                description=said,
                required=statement.value is None,
                default=default,
            )
        )

    def _comment(self, statement: ast.AnnAssign) -> str:
        return described(self._code, statement.lineno, statement.end_lineno or statement.lineno)

    def _named_well(self, name: str, statement: ast.AnnAssign) -> bool:
        if name in self._names:
            self._error("duplicate-parameter", f"{name} is declared twice", "keep one of the declarations", statement)
            return False
        self._names.add(name)
        if not is_parameter_name(name):
            self._error(
                "bad-parameter-name",
                f"{name[:80]} is not a name a parameter can have",
                "begin with a letter and use up to 63 ASCII letters, digits and underscores",
                statement,
            )
            return False
        taken = self._imports.origins.get(name) or ("Python's own" if hasattr(builtins, name) else "")
        if taken or name in ("swath", "display"):
            self._error(
                "bad-parameter-name",
                f"{name} hides {taken or 'a name the notebook needs'}, which the cells below could no longer use",
                "choose another name",
                statement,
            )
            return False
        return True

    def _default(self, statement: ast.AnnAssign, name: str, annotation: Annotation) -> Any:
        if statement.value is None:
            return None
        try:
            written = evaluate(statement.value, self._imports)
        except NotStatic as error:
            self._error(
                "default-not-literal",
                f"{name}: the default cannot be read from the text: {error}",
                "write a literal, date(…) or datetime(…); compute what follows from it in a cell below",
                statement.value,
            )
            return _WRONG
        faults = Faults()
        value = _as_json(annotation.type, written, name, faults)
        if not faults.count and is_json(value, name, faults):
            value = check_value(annotation.type, value, name, faults)
        for fault in faults.told():
            self._error(
                "default-violates-type",
                f"{fault.field}: the default is no {annotation.type}: {fault.message}",
                fault.mend.replace("send", "write"),
                statement.value,
            )
        return _WRONG if faults.count else value


_WRONG = object()


def _is_quiet(statement: ast.stmt) -> bool:
    """Imports, ``pass`` and texts that stand alone declare nothing and harm nothing."""
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _of_text(of: ParameterType) -> bool:
    return of.kind is Kind.STR or (of.items is not None and _of_text(of.items))


def _as_json(of: ParameterType, value: Any, field: str, faults: Faults) -> Any:
    """The JSON form of a default, which must be of the very Python type that a run's value will have."""
    if value is None or _written_otherwise(of, value):
        if value is not None:
            faults.add(field, "wrong-type", "the cells below would see another type here than in a run", _written(of))
        return value
    if of.items is not None and isinstance(value, list):
        return [_as_json(of.items, item, f"{field}[{at}]", faults) for at, item in enumerate(value)]
    if isinstance(value, datetime):
        try:
            return write_datetime(value)
        except OverflowError:
            return None
    return value.isoformat() if isinstance(value, date) else value


def _written_otherwise(of: ParameterType, value: Any) -> bool:
    if of.kind is Kind.DATE:
        return not isinstance(value, date) or isinstance(value, datetime)
    if of.kind is Kind.DATETIME:
        return not isinstance(value, datetime) or value.tzinfo is None
    if of.kind is Kind.BBOX:
        return isinstance(value, list)
    if of.kind is Kind.TEMPORAL_INTERVAL and isinstance(value, list):
        return any(isinstance(end, date) for end in value)
    return isinstance(value, date)


def _written(of: ParameterType) -> str:
    return {
        Kind.DATE: "write date(2020, 1, 31)",
        Kind.DATETIME: "write datetime(2020, 1, 31, tzinfo=timezone.utc)",
        Kind.BBOX: 'write {"west": …, "south": …, "east": …, "north": …}',
        Kind.TEMPORAL_INTERVAL: 'write ["2020-01-31", "2020-03-01"], dates as text',
    }.get(of.kind, f"write {of}")
