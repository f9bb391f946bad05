"""What a criterion is: a small frozen class whose fields are its settings, known by its key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from swath_marketplace.domain.evidence import Evidence

#: So many single things are named in a finding; the others are counted.
NAMED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a criterion says of a version."""

    met: bool
    told: str
    """One sentence for people: what was found."""
    mend: str = ""
    """What its author can do; empty when it is met."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What it was judged by: JSON values, and ids that lead on."""


class Criterion(Protocol):
    """One thing that a level asks for.

    Promises: `check` is pure, asks nobody and never raises for any evidence; the same evidence has the same finding.
    """

    key: ClassVar[str]
    """In a criteria file: lower-case letters and hyphens; never given to another criterion."""
    title: ClassVar[str]
    """What is asked, a few words."""

    def check(self, evidence: Evidence) -> Finding:
        """Whether `evidence` has what is asked."""
        ...


class SettingsInvalid(ValueError):
    """A criterion that nobody knows, or settings that are not its own; the message names the setting."""


REGISTRY: dict[str, type[Criterion]] = {}
Known = TypeVar("Known", bound=type[Criterion])


def criterion(kind: Known) -> Known:
    """Make a class known under its key; a decorator."""
    if kind.key in REGISTRY:
        raise ValueError(f"there are two criteria {kind.key!r}")
    REGISTRY[kind.key] = kind
    return kind


def make(key: str, settings: Mapping[str, Any]) -> Criterion:
    """The criterion `key` with `settings`.

    Raises
    ------
    SettingsInvalid
    """
    kind = REGISTRY.get(key)
    if kind is None:
        raise SettingsInvalid(f"there is no criterion {key!r}; there are {', '.join(sorted(REGISTRY))}")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type] # each is a dataclass
    if unknown := sorted(set(settings) - known.keys()):
        raise SettingsInvalid(f"{key}: {unknown[0]!r} is no setting of it; it has {', '.join(known) or 'none'}")
    if lacking := [name for name, one in known.items() if one.default is MISSING and name not in settings]:
        raise SettingsInvalid(f"{key}: {lacking[0]!r} is missing")
    types = get_type_hints(kind)
    return kind(**{name: _value(value, types[name], f"{key}.{name}") for name, value in settings.items()})


def _value(value: Any, wanted: Any, where: str) -> Any:
    if wanted == tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
            raise SettingsInvalid(f"{where}: expected a list of texts")
        return tuple(value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    if wanted is int and number and isinstance(value, int):
        return value
    if wanted is float and number and not (where.endswith("share") and value > 1):
        return float(value)
    what = "a whole number" if wanted is int else "a share from 0 to 1" if where.endswith("share") else "a number"
    raise SettingsInvalid(f"{where}: expected {what}, 0 or more")


def named(things: list[str]) -> str:
    """Some of `things`, and how many more there are."""
    rest = len(things) - NAMED
    return ", ".join(things[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
