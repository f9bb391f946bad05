"""Publishing and finding algorithms."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from swath.contract.digest import version_digest
from swath.contract.interface import Interface, json_schema
from swath.contract.semver import VersionRange
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion, Environment, Resources
from swath_marketplace.domain.catalogue import best
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import EnvironmentGone, VersionYanked
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.moderation import revoked_error, stopped_for
from swath_marketplace.domain.references import AlgorithmReference, parse_reference
from swath_marketplace.domain.runs import Run
from swath_marketplace.domain.visibility import viewer_of
from swath_marketplace.executors.protocol import Package
from swath_marketplace.services import numbering
from swath_marketplace.services.reading import Checked, check_notebook
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.environments import EnvironmentRegistry

log = logging.getLogger(__name__)

_MOST_WORDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The answer to a publication."""

    version: AlgorithmVersion
    created: bool
    """False when the same content was published before."""
    findings: Sequence[Mapping[str, Any]]
    """Warnings."""


class Registry:
    """Algorithms and their versions, for whoever may see or change them."""

    def __init__(
        self,
        *,
        store: AlgorithmStore,
        artifacts: ArtifactStore,
        environments: EnvironmentRegistry,
        slots: Slots,
        dask_runs: bool,
        clock: Clock,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._environments = environments
        self._slots = slots
        self._dask_runs = dask_runs
        self._clock = clock
        self._listeners: list[Callable[[AlgorithmVersion], None]] = []

    def add_listener(self, listener: Callable[[AlgorithmVersion], None]) -> None:
        """Have `listener` called after each new version is stored; what it raises goes to the log."""
        self._listeners.append(listener)

    def announce(self, version: AlgorithmVersion) -> None:
        """Tell the listeners of a version that came here otherwise than by `publish`."""
        self._tell(version)

    def environments(self, actor: Actor) -> Sequence[Environment]:
        """The environments that a notebook may name."""
        actor.require(Scope.READ)
        return self._environments.list()

    def validate(self, actor: Actor, notebook: Any) -> Checked:
        """Everything that is wrong with `notebook`, and the interface read from it, without storing anything."""
        actor.require(Scope.READ)
        return self._check(notebook)

    def publish(self, actor: Actor, notebook: Any, *, version: str | None = None) -> Published:
        """Publish `notebook` under its author's name; the same content again is the same version.

        Raises
        ------
        Invalid
            With every finding of the notebook, or a version that is no semantic version.
        VersionExists
            The number is taken; the differences are named.
        BumpTooSmall
            The interface changed more than the number says.
        """
        actor.require(Scope.PUBLISH)
        owner = _author(actor)
        checked = self._check(notebook)
        if not checked.ok:
            raise Invalid(
                code="notebook-invalid",
                message="this notebook cannot be published as it stands",
                mend="mend what the findings name; `swath validate` shows them without publishing",
                findings=checked.findings,
            )
        made, wanted = self._version(checked, owner=owner), version or checked.metadata.get("version")
        self._artifacts.put(checked.content)
        stored, created = self._store.publish(
            owner=owner,
            name=made.name,
            at=made.published_at,
            decide=lambda algorithm_id, versions: numbering.decide(
                made, algorithm_id=algorithm_id, versions=versions, wanted=wanted
            ),
        )
        if created:
            self._tell(stored)
        return Published(version=stored, created=created, findings=checked.findings)

    def algorithm(self, actor: Actor, path: str) -> Algorithm:
        """One algorithm with its versions; how often it ran is not counted.

        Raises
        ------
        NotFound
            Also when it is hidden from the caller.
        """
        actor.require(Scope.READ)
        return self._algorithm(actor, parse_reference(path))

    def get(self, actor: Actor, path: str) -> Algorithm:
        """One algorithm with its versions.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._algorithm(actor, parse_reference(path))
        return replace(found, runs_count=self._store.count_runs(found.id))

    def search(
        self, actor: Actor, *, text: str = "", owner: str | None = None, limit: int, after: Place | None = None
    ) -> tuple[Sequence[Algorithm], int]:
        """A page of algorithms in which every word of `text` occurs, and how many there are in all."""
        actor.require(Scope.READ)
        words = text.replace("\0", " ").split()[:_MOST_WORDS]
        return self._store.list(words=words, owner=owner, viewer=viewer_of(actor), limit=limit, after=after)

    def version(self, actor: Actor, path: str) -> AlgorithmVersion:
        """The version that ``owner/name@range`` stands for; an exact number finds a yanked one too.

        Raises
        ------
        NotFound
        """
        return self._find(actor, path)[1]

    def _find(self, actor: Actor, path: str) -> tuple[Algorithm, AlgorithmVersion]:
        actor.require(Scope.READ)
        reference = parse_reference(path)
        algorithm = self._algorithm(actor, reference)
        wanted = _range(reference)
        exact = next((version for version in algorithm.versions if version.version == str(wanted.exact)), None)
        found = exact or best(algorithm.versions, wanted)
        if found is None:
            raise NotFound(
                code="no-such-version",
                message=f"{reference.path} has no version that {reference.range!r} admits",
                mend="see the versions of the algorithm; a range never finds a yanked one",
            )
        return algorithm, found

    def runnable(self, actor: Actor, path: str) -> AlgorithmVersion:
        """The version to run for ``owner/name@range``.

        Raises
        ------
        NotFound, VersionRevoked, VersionYanked, EnvironmentGone
        """
        algorithm, version = self._find(actor, path)
        if version.revoked_at is not None:
            raise revoked_error(version, algorithm.versions)
        if version.yanked_at is not None:
            raise VersionYanked(
                code="version-yanked",
                message=f"{version.path} {version.version} was yanked: {version.yank_reason}",
                mend="call another version, or a range such as ^1, which passes yanked versions over",
                extra={"yank_reason": version.yank_reason},
            )
        if self._environment_of(version) is None:
            raise EnvironmentGone(
                code="environment-gone",
                message=f"the build of the environment {version.environment!r} that {version.path} {version.version} "
                "was published with is not here any more",
                mend="ask its author to publish it again, or the operator to build the environment of then again",
            )
        return version

    def has_environment(self, version: AlgorithmVersion) -> bool:
        """Whether the build that a version was published with is here."""
        return self._environment_of(version) is not None

    def notebook(self, actor: Actor, path: str) -> tuple[AlgorithmVersion, bytes]:
        """A version and its notebook as published."""
        version = self.version(actor, path)
        return version, self._artifacts.read(version.notebook_sha256)

    def schema(self, actor: Actor, path: str) -> Mapping[str, Any]:
        """JSON Schema of a version's parameters."""
        return json_schema(Interface.from_dict(self.version(actor, path).interface))

    def yank(self, actor: Actor, path: str, *, reason: str) -> AlgorithmVersion:
        """Take a version out of every range, for good; its author or an operator may.

        Raises
        ------
        Forbidden, NotFound
        """
        actor.require(Scope.PUBLISH)
        reference = parse_reference(path)
        if not (actor.is_operator or (actor.kind is ActorKind.USER and actor.name == reference.owner)):
            raise Forbidden(
                code="not-the-owner", message=f"{reference.path} is not yours", mend="ask its author or an operator"
            )
        version = self.version(actor, path)
        if _range(reference).exact is None:
            raise Invalid(code="not-a-version", message="a yank names one exact version", mend="for example 1.2.0")
        self._store.yank(version, reason=reason, at=self._clock())
        return self.version(actor, path)

    def package_of(self, run: Run) -> Package:
        """What `run` runs: its version and environment as they were when it was published.

        Raises
        ------
        ArtifactDamaged
            When the notebook or the environment is not what the version was published with.
        """
        algorithm = self._store.get(run.owner, run.name)
        versions = algorithm.versions if algorithm else ()
        version = next((version for version in versions if version.version == run.version), None)
        if version is None or version.digest != run.digest:
            raise ArtifactDamaged(f"the version of run {run.id} is gone")
        environment = self._environment_of(version)
        if environment is None:
            raise ArtifactDamaged(f"the environment of {version.path} {version.version} is gone")
        revoked = None
        if version.revoked_at is not None:
            revoked = stopped_for(version, reason=version.revoked_reason or "", versions=versions)
        notebook = self._artifacts.read(version.notebook_sha256)
        return Package(version=version, notebook=notebook, environment=environment, revoked=revoked)

    def _tell(self, version: AlgorithmVersion) -> None:
        for listener in self._listeners:
            try:
                listener(version)
            except Exception:
                # It is published, whatever others make of it.
                log.exception("what follows the publication of %s %s failed", version.path, version.version)

    def _environment_of(self, version: AlgorithmVersion) -> Environment | None:
        return self._environments.by_lock(version.environment, version.environment_lock_sha256)

    def _algorithm(self, actor: Actor, reference: AlgorithmReference) -> Algorithm:
        found = self._store.get(reference.owner, reference.name)
        if found is None or (found.hidden_at is not None and not viewer_of(actor).sees(found.owner)):
            raise NotFound(
                code="no-such-algorithm",
                message=f"there is no algorithm {reference.path}",
                mend="search for it by a word of its title",
            )
        return found

    def _check(self, notebook: Any) -> Checked:
        names = [environment.name for environment in self._environments.list()]
        return check_notebook(notebook, environments=names, slots=self._slots, dask_runs=self._dask_runs)

    def _version(self, checked: Checked, *, owner: str) -> AlgorithmVersion:
        environment = self._environments.get(checked.metadata["environment"])
        assert environment is not None
        interface = checked.interface
        assert interface is not None
        digest = version_digest(
            notebook=checked.content,
            interface=interface.as_dict(),
            environment_lock_sha256=environment.lock_sha256,
        )
        return AlgorithmVersion(
            algorithm_id="",
            owner=owner,
            name=checked.metadata["name"],
            version="",
            digest=digest,
            notebook_sha256=checked.content_sha256,
            interface=interface.as_dict(),
            metadata=checked.metadata,
            environment=environment.name,
            environment_lock_sha256=environment.lock_sha256,
            resources=Resources.from_dict(checked.metadata["resources"]),
            published_at=self._clock(),
        )


def _author(actor: Actor) -> str:
    if actor.kind is not ActorKind.USER:
        raise Forbidden(
            code="users-only",
            message="algorithms belong to users, and this token is a service's",
            mend="use a user's token",
        )
    # A name that cannot be written in owner/name could never be called.
    return parse_reference(f"{actor.name}/x1").owner


def _range(reference: AlgorithmReference) -> VersionRange:
    try:
        return VersionRange.parse(reference.range)
    except ValueError as error:
        raise Invalid(
            code="bad-range",
            message=f"{reference.range!r} is no version and no range of versions",
            mend="write 1.2.3, ^1, ~1.2, >=1,<2 or latest",
            findings=[{"field": "algorithm", "message": str(error), "mend": "write 1.2.3, ^1, ~1.2, >=1,<2 or latest"}],
        ) from error
