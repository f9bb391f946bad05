"""A bounded store of values that expire, found by names that nobody can guess."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT = 10_000


class Kept(Generic[T]):
    """Values of one kind, in this process.

    Parameters
    ----------
    seconds
        How long each is kept; the oldest goes earlier when there are too many.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._values: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def add(self, value: T) -> str:
        """Keep `value`; answers its name."""
        name = secrets.token_urlsafe(32)
        self.put(name, value)
        return name

    def put(self, name: str, value: T) -> None:
        """Keep `value` under a name that somebody else made, as hard to guess."""
        while len(self._values) >= _KEPT:
            self._values.popitem(last=False)
        # Kept under a digest: a lookup's time then tells nothing of a name that somebody guesses at.
        self._values[_digest(name)] = (time.monotonic() + self._seconds, value)

    def shorten(self, name: str, seconds: float) -> None:
        """Keep what has that name for `seconds` more at most."""
        kept = self._values.get(_digest(name))
        if kept is not None:
            self._values[_digest(name)] = (min(kept[0], time.monotonic() + seconds), kept[1])

    def get(self, name: str) -> T | None:
        """The value of that name, while it is kept."""
        kept = self._values.get(_digest(name))
        if kept is None or kept[0] < time.monotonic():
            self._values.pop(_digest(name), None)
            return None
        return kept[1]

    def pop(self, name: str) -> T | None:
        """The value of that name, for the last time."""
        value = self.get(name)
        self._values.pop(_digest(name), None)
        return value


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
