"""What changed from version to version: an author's own words where there are some, else what can be computed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swath.contract.diff import InterfaceDiff, diff
from swath.contract.interface import Interface
from swath.contract.semver import Bump, Version

from swath_marketplace.domain.algorithms import AlgorithmVersion

#: The file of a dossier in which an author tells what changed.
CHANGELOG = "CHANGELOG.md"
_HEADING = re.compile(r"(#{1,4})\s+(.*)")
_NUMBER = re.compile(r"(?<![\w.])v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?![\w])")
_MOST_CHARACTERS = 20_000


def section_of(changelog: str, version: str) -> str:
    """What a changelog says under the heading of `version`, as Markdown; empty where it says nothing.

    A heading names a version as in ``## [1.2.0] - 2026-12-01``, ``## v1.2.0`` or ``# 1.2.0``. Its section ends with the
    next heading of the same rank or above. Headings within a fenced block are none.
    """
    rank, kept, fenced = 0, [], False
    for line in changelog.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if heading and rank and len(heading[1]) <= rank:
            break
        if rank:
            kept.append(line)
        elif heading and _names(heading[2], version):
            rank = len(heading[1])
    return "\n".join(kept).strip()[:_MOST_CHARACTERS]


def _names(heading: str, version: str) -> bool:
    found = _NUMBER.search(heading)
    return found is not None and found[1] == version


def between(old: AlgorithmVersion, new: AlgorithmVersion) -> InterfaceDiff:
    """How the interface changed from `old` to `new`."""
    return diff(Interface.from_dict(old.interface), Interface.from_dict(new.interface))


def bump_of(old: str, new: str) -> Bump:
    """The step that the number took from `old` to `new`, which is higher."""
    before, after = Version.parse(old), Version.parse(new)
    if after.major != before.major:
        return Bump.MAJOR
    return Bump.MINOR if after.minor != before.minor else Bump.PATCH


def computed(old: AlgorithmVersion | None, new: AlgorithmVersion, changes: InterfaceDiff | None) -> Sequence[str]:
    """What can be told of a version whose author told nothing: sentences in plain text."""
    if old is None or changes is None:
        return ("The first version.",)
    told = [f"{change.path}: {change.message}" for change in changes.changes]
    if old.notebook_sha256 != new.notebook_sha256 and not told:
        told.append("The notebook changed; what callers give and get did not.")
    if old.environment != new.environment:
        told.append(f"It runs in the environment {new.environment}, before in {old.environment}.")
    elif old.environment_lock_sha256 != new.environment_lock_sha256:
        told.append(f"It runs with other packages: the lock of {new.environment} is another one.")
    if old.resources != new.resources:
        told.append(_resources(old, new))
    for member, word in (("license", "licence"), ("title", "title"), ("summary", "summary")):
        if old.metadata.get(member) != new.metadata.get(member):
            told.append(f"It has another {word}.")
    return told or ("Nothing that callers meet.",)


def _resources(old: AlgorithmVersion, new: AlgorithmVersion) -> str:
    before, after = old.resources.as_dict(), new.resources.as_dict()
    named = {"cpus": "CPUs", "memory_mb": "MB of memory", "wall_seconds": "seconds at most", "dask": "Dask"}
    parts = [f"{before[key]} to {after[key]} {word}" for key, word in named.items() if before[key] != after[key]]
    return f"It asks for other resources: {', '.join(parts)}."
