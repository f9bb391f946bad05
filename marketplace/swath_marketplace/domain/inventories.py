"""What is really installed in an environment, as it was read from outside, and what differs between two of them.

An environment's lock says what was to be installed. An inventory says what is: every file of every package by its
content, so that a package that was changed in place is another inventory under the same lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_FORMAT = "swath-inventory/1"
_SHOWN_PATHS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """One installed package."""

    version: str
    content_sha256: str
    """Over the path and the sha256 of each of its files, as they are."""
    altered: tuple[str, ...] = ()
    """Files that are not what the package's own RECORD says: changed or removed after the installation."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        told: dict[str, Any] = {"version": self.version, "content_sha256": self.content_sha256}
        return {**told, "altered": list(self.altered)} if self.altered else told


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """An environment's content. Says nothing of where it stands: the same files elsewhere are the same inventory."""

    python: str
    """Version of the interpreter, ``3.11.9``."""
    interpreter_sha256: str
    """Of the interpreter's program."""
    distributions: Mapping[str, Distribution]
    """By normalised name (PEP 503)."""
    loose: Mapping[str, str] = field(default_factory=dict)
    """Files that belong to no package: path below site-packages and sha256."""
    editable: bool = False
    """Whether packages are installed in place: their sources are elsewhere and not in this inventory."""

    @property
    def packages(self) -> Mapping[str, str]:
        """Name and version of each package."""
        return {name: distribution.version for name, distribution in self.distributions.items()}

    def content(self) -> bytes:
        """The inventory as it is stored; its sha256 is the inventory's digest."""
        document = {
            "format": _FORMAT,
            "python": self.python,
            "interpreter_sha256": self.interpreter_sha256,
            "distributions": {name: found.as_dict() for name, found in self.distributions.items()},
            "loose": dict(self.loose),
            "editable": self.editable,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def of_content(cls, content: bytes) -> Inventory:
        """The inventory that `content` wrote.

        Raises
        ------
        ValueError
            It is no inventory of a form that this program knows.
        """
        document = json.loads(content)
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f"not an inventory of the form {_FORMAT}")
        return cls(
            python=document["python"],
            interpreter_sha256=document["interpreter_sha256"],
            distributions={
                name: Distribution(
                    version=found["version"],
                    content_sha256=found["content_sha256"],
                    altered=tuple(found.get("altered", ())),
                )
                for name, found in document["distributions"].items()
            },
            loose=document["loose"],
            editable=document["editable"],
        )


class ChangeKind(StrEnum):
    """What happened to a part of an environment."""

    ADDED = "added"
    REMOVED = "removed"
    VERSION = "version"
    CONTENT = "content"
    """The same version with other files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference between two inventories."""

    name: str
    """A package, ``python``, or a file that belongs to no package."""
    kind: ChangeKind
    before: str | None
    after: str | None
    """Versions; for a content that changed the beginnings of the digests."""
    paths: tuple[str, ...] = ()
    """Files known to have been altered after the installation."""

    def __str__(self) -> str:
        """The change as one reads it: ``numpy 2.3.4 → 2.4.0``."""
        match self.kind:
            case ChangeKind.ADDED:
                return f"{self.name} {self.after} was added".replace("  ", " ")
            case ChangeKind.REMOVED:
                return f"{self.name} {self.before} was removed".replace("  ", " ")
            case ChangeKind.VERSION:
                return f"{self.name} {self.before} → {self.after}"
            case ChangeKind.CONTENT:
                more = f" and {len(self.paths) - _SHOWN_PATHS} more" if len(self.paths) > _SHOWN_PATHS else ""
                where = f": {', '.join(self.paths[:_SHOWN_PATHS])}{more}" if self.paths else ""
                return f"{self.name} has other content under the same version{where}"


def difference(before: Inventory, after: Inventory) -> Sequence[Change]:
    """What changed from one inventory to another, by name; the interpreter first. Empty when they are the same."""
    changes = []
    if before.python != after.python:
        changes.append(Change(name="python", kind=ChangeKind.VERSION, before=before.python, after=after.python))
    elif before.interpreter_sha256 != after.interpreter_sha256:
        changes.append(
            _content("python", before.interpreter_sha256, after.interpreter_sha256),
        )
    for name in sorted({*before.distributions, *after.distributions}):
        old, new = before.distributions.get(name), after.distributions.get(name)
        changes += _of_distribution(name, old, new)
    for path in sorted({*before.loose, *after.loose}):
        was, now = before.loose.get(path), after.loose.get(path)
        if was == now:
            continue
        if was is None or now is None:
            kind = ChangeKind.ADDED if was is None else ChangeKind.REMOVED
            changes.append(Change(name=path, kind=kind, before=was and was[:12], after=now and now[:12]))
        else:
            changes.append(_content(path, was, now))
    return tuple(changes)


def _of_distribution(name: str, old: Distribution | None, new: Distribution | None) -> Sequence[Change]:
    if old is None or new is None:
        kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED
        before, after = old.version if old else None, new.version if new else None
        return [Change(name=name, kind=kind, before=before, after=after)]
    if old.version != new.version:
        return [Change(name=name, kind=ChangeKind.VERSION, before=old.version, after=new.version)]
    if old.content_sha256 != new.content_sha256:
        paths = tuple(sorted({*old.altered} ^ {*new.altered}) or new.altered)
        return [_content(name, old.content_sha256, new.content_sha256, paths=paths)]
    return []


def _content(name: str, before: str, after: str, *, paths: tuple[str, ...] = ()) -> Change:
    return Change(name=name, kind=ChangeKind.CONTENT, before=before[:12], after=after[:12], paths=paths)
