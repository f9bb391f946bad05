"""Which number a publication gets, and whether it may have the one it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from swath.contract.diff import InterfaceDiff, diff
from swath.contract.interface import Interface
from swath.contract.semver import Version, sufficient
from swath_service.errors import Invalid

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.catalogue import newest_first, predecessor
from swath_marketplace.domain.errors import BumpTooSmall, VersionExists, VersionRevoked, VersionYanked

#: A first version without a number: what is published is meant to be called.
_FIRST = "1.0.0"


def decide(
    made: AlgorithmVersion, *, algorithm_id: str, versions: Sequence[AlgorithmVersion], wanted: str | None
) -> AlgorithmVersion:
    """`made` with its number, or the stored version that has the same content.

    Parameters
    ----------
    versions
        All of the algorithm's, yanked ones too.
    wanted
        The number asked for; the least one that the change of the interface allows when there is none.

    Raises
    ------
    Invalid, VersionExists, VersionRevoked, VersionYanked, BumpTooSmall
    """
    same = next((version for version in versions if version.digest == made.digest), None)
    if same is not None:
        if same.revoked_at is not None:
            raise VersionRevoked(
                code="version-revoked",
                message=f"the same content was published as {same.version} and revoked: {same.revoked_reason}",
                mend="mend what it was revoked for; what was revoked is not published again",
            )
        if same.yanked_at is not None:
            raise VersionYanked(
                code="version-yanked",
                message=f"the same content was published as {same.version} and yanked: {same.yank_reason}",
                mend="change the notebook; what was yanked is not published again",
            )
        return same
    number = _number(wanted) if wanted else _next(made, versions)
    taken = next((version for version in versions if version.version == str(number)), None)
    if taken is not None:
        raise _exists(made, taken, free=_next(made, versions))
    _check_bump(made, versions, number)
    return replace(made, algorithm_id=algorithm_id, version=str(number))


def _number(text: str) -> Version:
    try:
        return Version.parse(text)
    except ValueError as error:
        mend = "write three numbers such as 1.4.0 (semver.org)"
        raise Invalid(
            code="bad-version",
            message="the version asked for is no semantic version",
            mend=mend,
            findings=[{"field": "version", "message": str(error), "mend": mend}],
        ) from error


def _change(old: AlgorithmVersion, new: AlgorithmVersion) -> InterfaceDiff:
    return diff(Interface.from_dict(old.interface), Interface.from_dict(new.interface))


def _next(made: AlgorithmVersion, versions: Sequence[AlgorithmVersion]) -> Version:
    """The least number above every one that is taken."""
    if not versions:
        return Version.parse(_FIRST)
    highest = newest_first(versions)[0]
    base = next((version for version in newest_first(versions) if version.yanked_at is None), highest)
    return Version.parse(highest.version).bumped(_change(base, made).least_bump)


def _check_bump(made: AlgorithmVersion, versions: Sequence[AlgorithmVersion], number: Version) -> None:
    before = predecessor(versions, number)
    if before is None:
        return
    change = _change(before, made)
    old = Version.parse(before.version)
    if sufficient(old, number, change.least_bump):
        return
    least = old.bumped(change.least_bump)
    breaking = [item for item in change.changes if item.breaking] or list(change.changes)
    raise BumpTooSmall(
        code="bump-too-small",
        message=f"{number} is too small a step from {before.version}: its interface asks for {least} at least",
        mend=f"publish it as {least}, or keep the interface as it was",
        findings=[
            {
                "field": item.path,
                "code": str(item.kind),
                "message": item.message,
                "mend": "keep it, or take the larger step",
            }
            for item in breaking
        ],
        extra={"least_version": str(least), "previous_version": before.version},
    )


def _exists(made: AlgorithmVersion, taken: AlgorithmVersion, *, free: Version) -> VersionExists:
    return VersionExists(
        code="version-exists",
        message=f"{taken.path} {taken.version} exists with another content, and a version never changes",
        mend=f"publish it as {free}, or leave the version out to get the least number that fits",
        findings=_differences(made, taken),
        extra={"digest": taken.digest, "least_version": str(free)},
    )


def _differences(made: AlgorithmVersion, taken: AlgorithmVersion) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    if made.notebook_sha256 != taken.notebook_sha256:
        found.append({"field": "notebook", "message": "the notebook differs", "mend": "give it another number"})
    if made.environment_lock_sha256 != taken.environment_lock_sha256:
        found.append(
            {"field": "environment", "message": "the locked environment differs", "mend": "give it another number"}
        )
    found += [
        {"field": item.path, "message": item.message, "mend": "give it another number"}
        for item in _change(taken, made).changes
    ]
    return found
