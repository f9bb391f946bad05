"""Semantic versions (semver.org 2.0.0) and ranges of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import total_ordering

_NUMBER = r"(0|[1-9][0-9]{0,8})"
_IDENTIFIER = r"(?:0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?")
_COMPARATOR = re.compile(
    rf"(\^|~|>=|<=|>|<|=)?\s*v?{_NUMBER}(?:\.(?:{_NUMBER}|[xX*])(?:\.(?:{_NUMBER}|[xX*])(-[0-9A-Za-z.-]+)?)?)?"
)
_MAX_LENGTH = 100


class BadVersion(ValueError):
    """A text that is no version or no range; the message says what is."""


class Bump(IntEnum):
    """How far a version must move; a greater one includes the lesser."""

    PATCH = 0
    MINOR = 1
    MAJOR = 2

    def __str__(self) -> str:
        return self.name.lower()


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """``major.minor.patch`` with an optional pre-release; build metadata, which has no order, is refused."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``1.2.3`` or ``1.2.3-rc.1``; raises `BadVersion`."""
        match = _VERSION.fullmatch(text) if len(text) <= _MAX_LENGTH else None
        if match is None:
            raise BadVersion("a version is written major.minor.patch, such as 1.0.0")
        tail = tuple(match[4].split(".")) if match[4] else ()
        return cls(int(match[1]), int(match[2]), int(match[3]), tail)

    @property
    def core(self) -> tuple[int, int, int]:
        """The three numbers."""
        return self.major, self.minor, self.patch

    def bumped(self, bump: Bump) -> Version:
        """The least release that `bump` asks for after this one.

        Before 1.0.0 each part counts one lower, as ranges do there: ``^0.2`` ends before 0.3.
        """
        if self.prerelease:
            return Version(*self.core)
        if self.major == 0:
            bump = Bump(max(bump - 1, 0))
        if bump is Bump.MAJOR:
            return Version(self.major + 1, 0, 0)
        if bump is Bump.MINOR:
            return Version(self.major, self.minor + 1, 0)
        return Version(self.major, self.minor, self.patch + 1)

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        tail = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.prerelease)
        return self.core, not self.prerelease, tail

    def __str__(self) -> str:
        tail = f"-{'.'.join(self.prerelease)}" if self.prerelease else ""
        return f"{self.major}.{self.minor}.{self.patch}{tail}"


def sufficient(old: Version, new: Version, bump: Bump) -> bool:
    """Whether `new` is far enough from `old` for a change that needs `bump`.

    A pre-release of a far enough release is far enough: 2.0.0-rc.1 may break what 1.4.0 promised.
    """
    return new > old and Version(*new.core) >= old.bumped(bump)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Versions from `low` (inclusive) to `high` (exclusive); ``None`` is open.

    Written ``1.2.3`` (exactly), ``1.2`` and ``1`` (any below the next), ``^1.2`` (compatible), ``~1.2``, comparators
    with commas (``>=1,<2``), ``*`` or ``latest``. Pre-releases are in a range only where it names one of the same three
    numbers: nobody gets a release candidate by chance.
    """

    text: str
    low: Version | None = None
    low_strict: bool = False
    high: Version | None = None
    high_closed: bool = False

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read a range; raises `BadVersion`."""
        stripped = text.strip()
        if len(text) > _MAX_LENGTH or not stripped:
            raise _bad_range()
        whole = cls(stripped)
        if stripped in ("latest", "*"):
            return whole
        for part in stripped.split(","):
            whole = whole._and(_comparator(part.strip()))
        return whole

    def _and(self, other: VersionRange) -> VersionRange:
        low, low_strict = max(
            ((self.low, self.low_strict), (other.low, other.low_strict)),
            key=lambda end: (end[0] is not None, end[0] or _ZERO, end[1]),
        )
        high, high_closed = min(
            ((self.high, self.high_closed), (other.high, other.high_closed)),
            key=lambda end: (end[0] is None, end[0] or _ZERO, end[1]),
        )
        return VersionRange(self.text, low, low_strict, high, high_closed)

    def __contains__(self, version: Version) -> bool:
        ends = (self.low, self.high)
        if version.prerelease and not any(end and end.prerelease and end.core == version.core for end in ends):
            return False
        if self.low and (version < self.low or (self.low_strict and version == self.low)):
            return False
        return not self.high or version < self.high or (self.high_closed and version == self.high)

    def best(self, versions: Iterable[Version]) -> Version | None:
        """The greatest of `versions` within the range."""
        return max((version for version in versions if version in self), default=None)

    @property
    def exact(self) -> Version | None:
        """The one version that the range allows, when it allows one."""
        if self.low is not None and self.low == self.high and self.high_closed and not self.low_strict:
            return self.low
        return None

    def __str__(self) -> str:
        return self.text


_ZERO = Version(0, 0, 0)


def _bad_range() -> BadVersion:
    return BadVersion("a range is written 1.2.3, 1.2, ^1.2, ~1.2, '>=1,<2', or latest")


def _comparator(text: str) -> VersionRange:
    match = _COMPARATOR.fullmatch(text)
    if match is None:
        raise _bad_range()
    operator, major, minor, patch, tail = match[1] or "", int(match[2]), match[3], match[4], match[5] or ""
    try:
        low = Version.parse(f"{major}.{minor or 0}.{patch or 0}{tail}")
    except BadVersion:
        raise _bad_range() from None
    if patch is not None and minor is None:
        raise _bad_range()
    above = _above(low, given=1 + (minor is not None) + (minor is not None and patch is not None), operator=operator)
    exact = patch is not None and operator in ("", "=")
    if exact:
        return VersionRange(text, low, False, low, True)
    if operator in ("", "=", "^", "~"):
        return VersionRange(text, low, False, above)
    if operator == ">=":
        return VersionRange(text, low)
    if operator == "<":
        return VersionRange(text, high=low)
    # Of a partial version, ">1.2" begins and "<=1.2" ends where 1.3 does.
    if operator == ">":
        return VersionRange(text, low, True) if patch is not None else VersionRange(text, above)
    return VersionRange(text, high=low, high_closed=True) if patch is not None else VersionRange(text, high=above)


def _above(low: Version, *, given: int, operator: str) -> Version:
    """The first version that is no longer meant."""
    if operator == "^":
        if low.major or given == 1:
            return Version(low.major + 1, 0, 0)
        return Version(0, low.minor + 1, 0) if low.minor or given == 2 else Version(0, 0, low.patch + 1)
    return Version(low.major + 1, 0, 0) if given == 1 else Version(low.major, low.minor + 1, 0)
