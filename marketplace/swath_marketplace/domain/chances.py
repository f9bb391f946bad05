"""Where a notebook asks for chance, for the clock or for an order that nothing fixes. Read from its code, not run.

Each finding is a call that is there, named with its cell and line; whether it is what made two results differ is the
author's to judge.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from swath.contract.source import read_code, read_imports

_MOST = 20


class ChanceKind(StrEnum):
    """What a call asks for."""

    RANDOM = "random numbers without a seed"
    CLOCK = "the clock"
    ORDER = "the order of a set, which is another in each process"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chance:
    """One call."""

    kind: ChanceKind
    call: str
    cell: int
    """0-based position in the notebook."""
    line: int
    """1-based within the cell."""

    def __str__(self) -> str:
        """``cell 3, line 2: numpy.random.rand asks for random numbers without a seed``."""
        return f"cell {self.cell + 1}, line {self.line}: {self.call} asks for {self.kind.value}"


_CLOCK = frozenset(
    {
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.perf_counter",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "pandas.Timestamp.now",
        "pandas.Timestamp.today",
        "pandas.Timestamp.utcnow",
    }
)
_ALWAYS_RANDOM = frozenset({"os.urandom", "uuid.uuid1", "uuid.uuid4", "random.SystemRandom"})
#: A generator made without a seed takes one from the system.
_SEEDED_BY_ARGUMENT = frozenset({"numpy.random.default_rng", "numpy.random.RandomState", "random.Random"})
#: Of the modules whose functions share one generator: what seeds it.
_SEEDS = {"random": "random.seed", "numpy.random": "numpy.random.seed"}
#: What brings the members of a set into an order.
_ORDERING = frozenset({"builtins.list", "builtins.tuple", "builtins.enumerate", "builtins.iter", "numpy.fromiter"})


def chances_in(notebook: bytes) -> Sequence[Chance]:
    """The calls in a notebook's code, in order, a few at most; none of one that cannot be read."""
    try:
        cells = list(json.loads(notebook)["cells"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    codes = []
    for number, cell in enumerate(cells):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source")
            codes.append(read_code(number, "".join(map(str, source)) if isinstance(source, list) else str(source)))
    imports = read_imports(codes)
    trees = [(code.cell, code.tree) for code in codes if code.tree is not None]
    calls = [
        (number, node, imports.origin(node.func) or "")
        for number, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]
    seeded = {module for module, seed in _SEEDS.items() if any(name == seed for _, _, name in calls)}
    sets = _names_of_sets(trees)
    found = [*_of_calls(calls, seeded, sets), *_of_loops(trees, sets)]
    return tuple(sorted(found, key=lambda one: (one.cell, one.line, one.call))[:_MOST])


def _of_calls(calls: Sequence[tuple[int, ast.Call, str]], seeded: set[str], sets: frozenset[str]) -> Iterator[Chance]:
    for number, node, name in calls:
        module, _, _ = name.rpartition(".")
        kind, call = None, name
        if name in _CLOCK:
            kind = ChanceKind.CLOCK
        elif name in _ALWAYS_RANDOM or module == "secrets":
            kind = ChanceKind.RANDOM
        elif name in _SEEDED_BY_ARGUMENT:
            kind = None if node.args or node.keywords else ChanceKind.RANDOM
        elif module in _SEEDS and module not in seeded:
            kind = ChanceKind.RANDOM
        elif node.args and _is_set(node.args[0], sets) and (name in _ORDERING or _is_join(node.func)):
            kind, call = ChanceKind.ORDER, name or "join"
        if kind:
            yield Chance(kind=kind, call=call.removeprefix("builtins."), cell=number, line=node.lineno)


def _of_loops(trees: Sequence[tuple[int, ast.Module]], sets: frozenset[str]) -> Iterator[Chance]:
    for number, tree in trees:
        for node in ast.walk(tree):
            over = node.iter if isinstance(node, ast.For | ast.comprehension) else None
            if over is not None and _is_set(over, sets):
                yield Chance(kind=ChanceKind.ORDER, call="a loop over a set", cell=number, line=over.lineno)


def _names_of_sets(trees: Sequence[tuple[int, ast.Module]]) -> frozenset[str]:
    """Names that are only ever given sets."""
    stores, sets = Counter[str](), Counter[str]()
    for _, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                stores[node.id] += 1
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                sets[node.targets[0].id] += _is_set(node.value)
    return frozenset(name for name, count in sets.items() if count and count == stores[name])


def _is_set(node: ast.expr, names: frozenset[str] = frozenset()) -> bool:
    """Whether an expression is a set for everybody to see, or one of `names`."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")


def _is_join(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "join" and isinstance(function.value, ast.Constant)
