"""Names that an annotation may use, whatever they were imported as."""

from __future__ import annotations

import ast

from swath.contract.source import Imports

_TYPING = ("typing", "typing_extensions")
_SWATH = ("swath", "swath.types")
_LIMITS = ("Ge", "Gt", "Le", "Lt", "Interval", "MultipleOf", "MinLen", "MaxLen", "Len")
#: Word to the modules it may come from; the first is the one a mend proposes.
_MODULES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("int", "float", "bool", "str", "list"), ("builtins",)),
    **dict.fromkeys(("Literal", "Optional", "Union", "Annotated", "List", "Doc"), _TYPING),
    **dict.fromkeys(("date", "datetime"), ("datetime",)),
    **dict.fromkeys(("BBox", "GeoJSON", "TemporalInterval", "Bounds", "Pattern"), _SWATH),
    **dict.fromkeys(_LIMITS, (*_SWATH, "annotated_types")),
}


class AnnotationFault(Exception):
    """An annotation that cannot be used, as the parts of a finding."""

    def __init__(self, code: str, message: str, mend: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.mend = mend


def word_of(node: ast.expr, imports: Imports) -> str | None:
    """The word that a name stands for, or its last step when it is none of ours, or ``None`` for no name at all.

    Raises
    ------
    AnnotationFault
        For one of our words that nothing imports: the notebook itself would fail there.
    """
    last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
    if last is None:
        return None
    origin = imports.origin(node)
    if origin is None:
        if isinstance(node, ast.Name) and last in _MODULES and not imports.star:
            raise AnnotationFault(
                "name-not-imported",
                f"{last} is not imported in this cell or one above it",
                f"add 'from {_MODULES[last][0]} import {last}'",
            )
        return last
    module, _, word = origin.rpartition(".")
    return word if module in _MODULES.get(word, ()) else origin.removeprefix("builtins.")
