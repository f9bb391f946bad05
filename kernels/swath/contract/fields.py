"""Reading members of JSON objects that other programs wrote: each fault names the member and what was expected."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")
Member = TypeVar("Member", bound=StrEnum)


class ContractError(ValueError):
    """A document is not of the form this package writes.

    Programs meet it, not people: what people hand in (notebooks, parameters) is answered with findings.
    """


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The member of `known` that `name` was probably meant to be."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name[:100].lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


class Fields:
    """One JSON object, read member by member.

    Parameters
    ----------
    data
        What was parsed; anything but a mapping is refused.
    where
        Name of the object in error messages.
    """

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, Mapping):
            raise ContractError(f"{where}: expected an object, got {type(data).__name__}")
        self._data = data
        self._where = where

    def only(self, *names: str) -> None:
        """Refuse members that are not in `names`."""
        unknown = sorted(str(name) for name in self._data if name not in names)
        if unknown:
            raise ContractError(f"{self._where}: unknown member {unknown[0]!r}")

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self._data.get(name) is not None

    def raw(self, name: str) -> Any:
        """The member as parsed; absent is a fault, null is not."""
        if name not in self._data:
            raise ContractError(f"{self._where}.{name}: missing")
        return self._data[name]

    def text(self, name: str) -> str:
        """A string."""
        value = self.raw(name)
        if not isinstance(value, str):
            raise self._expected(name, "a string", value)
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        value = self.raw(name)
        if not isinstance(value, bool):
            raise self._expected(name, "true or false", value)
        return value

    def integer(self, name: str, *, least: int | None = None) -> int:
        """An integer; a boolean is none."""
        value = self.raw(name)
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            raise self._expected(name, "an integer" if least is None else f"an integer of at least {least}", value)
        return value

    def number(self, name: str, *, least: float | None = None) -> float:
        """A finite number."""
        value = self.raw(name)
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right or not abs(value) <= sys.float_info.max or (least is not None and value < least):
            raise self._expected(name, "a finite number" if least is None else f"a number of at least {least}", value)
        return float(value)

    def mapping(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self.raw(name)
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self._expected(name, "an object", value)
        return dict(value)

    def items(self, name: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        """An array, each element through `read`."""
        value = self.raw(name)
        if not isinstance(value, list | tuple):
            raise self._expected(name, "an array", value)
        return tuple(read(item) for item in value)

    def member(self, name: str, kind: type[Member]) -> Member:
        """One of an enumeration's values."""
        text = self.text(name)
        try:
            return kind(text)
        except ValueError:
            raise ContractError(f"{self._where}.{name}: {text[:40]!a} is none of {', '.join(kind)}") from None

    def maybe(self, name: str, read: Callable[[str], T]) -> T | None:
        """The member through one of the readers above, or ``None`` when it is absent or null."""
        return read(name) if self.has(name) else None

    def either(self, name: str, read: Callable[[str], T], *, otherwise: T) -> T:
        """Like `maybe`, with another value for an absent member."""
        return read(name) if self.has(name) else otherwise

    def _expected(self, name: str, what: str, value: object) -> ContractError:
        # The value itself is not told: it may be large, or a secret in the wrong place.
        return ContractError(f"{self._where}.{name}: expected {what}, got {type(value).__name__}")
