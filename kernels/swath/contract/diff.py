"""What changed between two interfaces, and how far the version must move for it.

Seen from a caller who wrote against the old version:

- major: a request that was right may now be refused, or a result that was used is gone or of another form;
- minor: everything that was right still is; there is more, or something else happens by default;
- patch: words.

A changed default is minor, not major: the request is still right, but what comes back may differ, so a caller who
pinned ``~1.2`` shall not get it unasked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.interface import Interface, Output, Parameter
from swath.contract.kinds import Bounds, Kind, ParameterType
from swath.contract.semver import Bump
from swath.contract.times import read_either

__all__ = ["Bump", "Change", "ChangeKind", "InterfaceDiff", "diff"]


class ChangeKind(StrEnum):
    """What happened to a parameter or an output."""

    PARAMETER_REMOVED = "parameter-removed"
    PARAMETER_ADDED = "parameter-added"
    PARAMETER_REQUIRED = "parameter-required"
    PARAMETER_OPTIONAL = "parameter-optional"
    TYPE_CHANGED = "type-changed"
    TYPE_NARROWED = "type-narrowed"
    TYPE_WIDENED = "type-widened"
    DEFAULT_CHANGED = "default-changed"
    OUTPUT_REMOVED = "output-removed"
    OUTPUT_ADDED = "output-added"
    OUTPUT_CHANGED = "output-changed"
    OUTPUT_SPECIFIED = "output-specified"
    DESCRIPTION_CHANGED = "description-changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference."""

    kind: ChangeKind
    path: str
    """``parameters.year``, ``parameters.bands[]``, ``outputs.ndvi``."""
    bump: Bump
    message: str

    @property
    def breaking(self) -> bool:
        """Whether callers of the old version can be hurt."""
        return self.bump is Bump.MAJOR

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            "kind": self.kind.value,
            "path": self.path,
            "breaking": self.breaking,
            "bump": str(self.bump),
            "message": self.message,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class InterfaceDiff:
    """All differences, the gravest first."""

    changes: tuple[Change, ...]

    @property
    def least_bump(self) -> Bump:
        """The least that the version must move; a patch also where the interfaces are equal."""
        return max((change.bump for change in self.changes), default=Bump.PATCH)

    @property
    def breaking(self) -> tuple[Change, ...]:
        """The changes that can hurt callers of the old version."""
        return tuple(change for change in self.changes if change.breaking)

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {"least_bump": str(self.least_bump), "changes": [change.as_dict() for change in self.changes]}


def diff(old: Interface, new: Interface) -> InterfaceDiff:
    """The changes from `old` to `new`. A renamed parameter or output is one that went and one that came."""
    changes = [*_parameters(old, new), *_outputs(old, new)]
    return InterfaceDiff(changes=tuple(sorted(changes, key=lambda change: -change.bump)))


def _parameters(old: Interface, new: Interface) -> Iterator[Change]:
    for before in old.parameters:
        after = new.parameter(before.name)
        if after is None:
            yield _told(ChangeKind.PARAMETER_REMOVED, f"parameters.{before.name}", Bump.MAJOR, "the parameter is gone")
        else:
            yield from _parameter(before, after)
    for after in new.parameters:
        if old.parameter(after.name) is None:
            bump, what = (Bump.MAJOR, "required") if after.required else (Bump.MINOR, "optional")
            yield _told(ChangeKind.PARAMETER_ADDED, f"parameters.{after.name}", bump, f"a new {what} parameter")


def _parameter(before: Parameter, after: Parameter) -> Iterator[Change]:
    path = f"parameters.{after.name}"
    if after.required and not before.required:
        yield _told(ChangeKind.PARAMETER_REQUIRED, path, Bump.MAJOR, "it was optional and is required now")
    elif before.required and not after.required:
        yield _told(ChangeKind.PARAMETER_OPTIONAL, path, Bump.MINOR, "it was required and is optional now")
    elif not after.required and canonical_json(before.default) != canonical_json(after.default):
        yield _told(ChangeKind.DEFAULT_CHANGED, path, Bump.MINOR, "its default is another one")
    yield from _types(before.type, after.type, path)
    if before.description != after.description:
        yield _told(ChangeKind.DESCRIPTION_CHANGED, path, Bump.PATCH, "it is described in other words")


def _types(old: ParameterType, new: ParameterType, path: str) -> Iterator[Change]:
    if old.nullable != new.nullable:
        yield _widened(path, "null is accepted now") if new.nullable else _narrowed(path, "null is refused now")
    if old.kind is not new.kind:
        yield from _kinds(old, new, path)
        return
    if old.kind is Kind.LITERAL:
        yield from _choices(old, new, path)
    if old.items is not None and new.items is not None:
        yield from _types(old.items, new.items, f"{path}[]")
    yield from _bounds(old.bounds, new.bounds, old.kind, path)


def _kinds(old: ParameterType, new: ParameterType, path: str) -> Iterator[Change]:
    """Another kind is breaking, but for the two that take all that the old one took: int to float, texts to str."""
    texts = all(isinstance(choice, str) for choice in old.choices)
    takes_all = (old.kind, new.kind) == (Kind.INT, Kind.FLOAT) or (
        (old.kind, new.kind) == (Kind.LITERAL, Kind.STR) and texts and not new.bounds
    )
    if not takes_all:
        yield _told(ChangeKind.TYPE_CHANGED, path, Bump.MAJOR, f"its type was {old} and is {new}")
        return
    yield _widened(path, f"its type was {old} and is {new}")
    if old.kind is Kind.INT:
        yield from _bounds(old.bounds, new.bounds, Kind.FLOAT, path)


def _choices(old: ParameterType, new: ParameterType, path: str) -> Iterator[Change]:
    before = {(type(choice), choice) for choice in old.choices}
    after = {(type(choice), choice) for choice in new.choices}
    if before - after:
        yield _narrowed(path, f"no longer a choice: {_listed(before - after)}")
    if after - before:
        yield _widened(path, f"new choices: {_listed(after - before)}")


def _listed(choices: set[tuple[type, Any]]) -> str:
    return ", ".join(sorted(repr(choice) for _, choice in choices))


def _bounds(old: Bounds, new: Bounds, kind: Kind, path: str) -> Iterator[Change]:
    for least, ends in ((True, ("ge", "gt")), (False, ("le", "lt"))):
        before, after = _end(old, ends, kind), _end(new, ends, kind)
        word = "least" if least else "greatest"
        yield from _compared(before, after, path, what=f"the {word} value", smaller_is_wider=least)
    yield from _compared(old.min_length, new.min_length, path, what="the least length", smaller_is_wider=True)
    yield from _compared(old.max_length, new.max_length, path, what="the greatest length", smaller_is_wider=False)
    yield from _steps(old.multiple_of, new.multiple_of, path)
    if old.pattern != new.pattern:
        # Whether one pattern takes all that another takes is not decided here; another one counts as narrower.
        yield (
            _widened(path, "its pattern is gone") if new.pattern is None else _narrowed(path, "its pattern is another")
        )


def _end(bounds: Bounds, names: tuple[str, str], kind: Kind) -> Any:
    """The tighter of two limits at one end, as something to compare; strict ones lie just inside the others."""
    side = 1 if names[0] == "ge" else -1
    ends: list[tuple[Any, int]] = []
    for name, strict in zip(names, (0, side), strict=True):
        value = getattr(bounds, name)
        if value is None:
            continue
        place = _place(value)
        if kind is Kind.INT and strict:
            # Among integers, more than 2 is at least 3.
            floor = place.numerator // place.denominator
            ends.append((Fraction(floor + 1 if side > 0 else -(-place.numerator // place.denominator) - 1), 0))
        elif kind is Kind.INT:
            floor = place.numerator // place.denominator
            ends.append((Fraction(-(-place.numerator // place.denominator) if side > 0 else floor), 0))
        else:
            ends.append((place, strict))
    return (max(ends) if side > 0 else min(ends)) if ends else None


def _place(value: Any) -> Any:
    if not isinstance(value, str):
        return Fraction(str(value))
    read = read_either(value)
    return read[0] if read else datetime.min.replace(tzinfo=UTC)


def _compared(before: Any, after: Any, path: str, *, what: str, smaller_is_wider: bool) -> Iterator[Change]:
    if before == after:
        return
    if after is None:
        yield _widened(path, f"{what} is no longer bounded")
    elif before is None:
        yield _narrowed(path, f"{what} is bounded now")
    elif (after < before) == smaller_is_wider:
        yield _widened(path, f"{what} is wider now")
    else:
        yield _narrowed(path, f"{what} is tighter now")


def _steps(before: int | float | None, after: int | float | None, path: str) -> Iterator[Change]:
    if before == after:
        return
    if after is None or (before is not None and Fraction(str(before)) % Fraction(str(after)) == 0):
        yield _widened(path, "finer steps are accepted now")
    else:
        yield _narrowed(path, f"it must be a multiple of {after} now")


def _outputs(old: Interface, new: Interface) -> Iterator[Change]:
    for before in old.outputs:
        after = new.output(before.name)
        if after is None:
            yield _told(ChangeKind.OUTPUT_REMOVED, f"outputs.{before.name}", Bump.MAJOR, "the output is gone")
        else:
            yield from _output(before, after)
    for after in new.outputs:
        if old.output(after.name) is None:
            yield _told(ChangeKind.OUTPUT_ADDED, f"outputs.{after.name}", Bump.MINOR, "a new output")


def _output(before: Output, after: Output) -> Iterator[Change]:
    path = f"outputs.{after.name}"
    forms = ((before.media_type, after.media_type, None), (before.kind, after.kind, "any"))
    if any(was not in (now, unknown) for was, now, unknown in forms):
        yield _told(
            ChangeKind.OUTPUT_CHANGED,
            path,
            Bump.MAJOR,
            f"it was {before.media_type or before.kind} and is {after.media_type or after.kind}",
        )
    elif any(was != now for was, now, _ in forms):
        yield _told(ChangeKind.OUTPUT_SPECIFIED, path, Bump.MINOR, f"it is told to be {after.media_type or after.kind}")
    if before.description != after.description:
        yield _told(ChangeKind.DESCRIPTION_CHANGED, path, Bump.PATCH, "it is described in other words")


def _told(kind: ChangeKind, path: str, bump: Bump, message: str) -> Change:
    return Change(kind=kind, path=path, bump=bump, message=message)


def _widened(path: str, message: str) -> Change:
    return _told(ChangeKind.TYPE_WIDENED, path, Bump.MINOR, message)


def _narrowed(path: str, message: str) -> Change:
    return _told(ChangeKind.TYPE_NARROWED, path, Bump.MAJOR, message)
