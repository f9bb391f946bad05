"""Order and choice among the versions of one algorithm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swath.contract.semver import Version, VersionRange

from swath_marketplace.domain.algorithms import AlgorithmVersion


def newest_first(versions: Iterable[AlgorithmVersion]) -> list[AlgorithmVersion]:
    """`versions` by descending precedence of their numbers."""
    return sorted(versions, key=lambda version: Version.parse(version.version), reverse=True)


def best(versions: Sequence[AlgorithmVersion], wanted: VersionRange) -> AlgorithmVersion | None:
    """The highest version that `wanted` admits and that is not yanked."""
    offered = (version for version in newest_first(versions) if version.yanked_at is None)
    return next((version for version in offered if Version.parse(version.version) in wanted), None)


def predecessor(versions: Sequence[AlgorithmVersion], number: Version) -> AlgorithmVersion | None:
    """The version that callers of `number` come from: the highest lower one that is not yanked."""
    offered = (version for version in newest_first(versions) if version.yanked_at is None)
    return next((version for version in offered if Version.parse(version.version) < number), None)
