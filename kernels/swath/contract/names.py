"""Names across all cells: used and defined nowhere, declared and never used, declared and overwritten."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Sequence

from swath.contract.findings import Findings
from swath.contract.source import Code, Imports

#: What IPython puts in a notebook's namespace.
_IPYTHON = frozenset({"In", "Out", "display", "exit", "get_ipython", "quit", "open", "__file__"})
_IPYTHON_HISTORY = re.compile(r"_{1,3}|_i{0,3}\d*|_[iod]h")
#: Calls after which nobody can tell which names there are.
_OPAQUE = frozenset({"exec", "eval", "globals", "locals", "vars", "get_ipython", "runpy"})
_CATCHES_NAME_ERROR = frozenset({"NameError", "Exception", "BaseException"})


def check_names(
    codes: Sequence[Code], declared: Iterable[str], imports: Imports, parameters_cell: int, findings: Findings
) -> None:
    """Report names that are used as if they were parameters, and parameters that no cell heeds.

    Silent where names may come from elsewhere: a star import, a magic, ``exec``, a cell that does not parse.
    """
    names = list(declared)
    _check_overwritten(codes, names, parameters_cell, findings)
    trees = [code.tree for code in codes if code.tree]
    loaded = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name) and _loads(node)}
    if imports.star or len(trees) < len(codes) or any(code.may_define_anything for code in codes) or loaded & _OPAQUE:
        return
    # IPython's lines may use a name ({name}, $name), and so may texts that pandas evaluates (@name).
    unseen = any(code.has_magics for code in codes)
    for name in names:
        if name not in loaded and not unseen and not any(f"@{name}" in code.text for code in codes):
            findings.warning(
                "unused-parameter",
                f"no cell uses the parameter {name}",
                "use it or remove it: callers will think that it matters",
                cell=parameters_cell,
            )
    known = {name for tree in trees for name in _bound(tree)} | set(names) | set(dir(builtins)) | _IPYTHON
    told: set[str] = set()
    for code in codes:
        # What stands in the parameters cell is judged where it is read.
        for node in _uses(code.tree) if code.cell != parameters_cell else ():
            if node.id not in known and node.id not in told and not _IPYTHON_HISTORY.fullmatch(node.id):
                told.add(node.id)
                _undeclared(code.cell, node, findings)


def _undeclared(cell: int, node: ast.Name, findings: Findings) -> None:
    findings.error(
        "undeclared-name",
        f"{node.id[:80]} is used, but no cell defines it and it is no parameter",
        f"declare '{node.id[:80]}: <type> = …' in the parameters cell, or define or import it",
        cell=cell,
        line=node.lineno,
    )


def _loads(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _uses(tree: ast.Module | None) -> Iterator[ast.Name]:
    """Names that are read, but for those in a ``try`` that expects them to be missing."""
    stack: list[ast.AST] = [tree] if tree else []
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and _loads(node):
            yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Try) and any(_expects_missing(handler) for handler in node.handlers):
            children = [*node.handlers, *node.orelse, *node.finalbody]
        stack.extend(reversed(children))


def _expects_missing(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in _CATCHES_NAME_ERROR for node in ast.walk(handler.type))


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that anything in any scope binds: more than are visible, so that nothing is reported falsely."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not _loads(node):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names


def _check_overwritten(codes: Sequence[Code], names: list[str], parameters_cell: int, findings: Findings) -> None:
    for code in codes:
        if code.cell <= parameters_cell or code.tree is None:
            continue
        for statement in code.tree.body:
            for name in set(_replaced(statement)).intersection(names):
                findings.warning(
                    "overwritten-parameter",
                    f"the caller's {name} is overwritten here",
                    "use another name here, or remove the line",
                    cell=code.cell,
                    line=statement.lineno,
                )


def _replaced(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement binds without having looked at them."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    source = statement.iter if isinstance(statement, ast.For) else getattr(statement, "value", None)
    if source is None or not isinstance(statement, ast.Assign | ast.AnnAssign | ast.For):
        return
    used = {node.id for node in ast.walk(source) if isinstance(node, ast.Name)}
    for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and not _loads(node) and node.id not in used:
                yield node.id
