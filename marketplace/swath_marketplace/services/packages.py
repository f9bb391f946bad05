"""Application packages (OGC API - Processes, Part 2): notebooks deployed, replaced and taken back through that door.

A package is a wrapping; the version inside it is the same as ever: immutable, numbered by its interface, its author's.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swath.contract.digest import canonical_json
from swath_service.actor import Actor, Scope
from swath_service.errors import Conflict, Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion, Resources
from swath_marketplace.domain.clock import Clock
from swath_marketplace.services.registry import Published, Registry
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.ogc import PackageStore

#: The standard's GB; ours are of 1,048,576 bytes.
_GB_IN_MB = 1e9 / (1 << 20)
_REASON = "undeployed through OGC API - Processes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpacked:
    """What a package says, taken apart."""

    notebook: Mapping[str, Any]
    config: Mapping[str, float]
    """Of the execution unit: what of it is known (`CONFIG`)."""
    process_id: str | None = None
    version: str | None = None
    content: bytes
    """The package as it was sent."""
    media_type: str


class Packages:
    """Deploy, replace, undeploy."""

    def __init__(self, *, registry: Registry, store: PackageStore, artifacts: ArtifactStore, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._artifacts = artifacts
        self._clock = clock

    def deploy(self, actor: Actor, package: Unpacked) -> AlgorithmVersion:
        """Publish what is in `package` under a name that has no version to offer yet.

        Raises
        ------
        Conflict
            ``duplicated-process``: it has one; replace it.
        Forbidden
            ``immutable-process``: the name is another author's.
        Invalid
            As `Registry.publish`.
        """
        name = self._named(actor, package)
        existing = self._found(actor, f"{actor.name}/{name}")
        if existing is not None and existing.latest is not None:
            raise Conflict(
                code="duplicated-process",
                message=f"there is a process {actor.name}.{name} already",
                mend="PUT to its address makes a new version of it",
                extra={"process": f"{actor.name}.{name}"},
            )
        return self._publish(actor, package).version

    def replace(self, actor: Actor, owner: str, name: str, package: Unpacked) -> Published:
        """Publish what is in `package` as the next version of a process of the caller's; the one before stays.

        Raises
        ------
        NotFound, Forbidden, Invalid
        """
        actor.require(Scope.PUBLISH)
        self._registry.get(actor, f"{owner}/{name}")
        if owner != actor.name:
            raise _immutable(f"{owner}.{name} is not yours", "publish a process of your own")
        if self._named(actor, package) != name:
            raise _fault("executionUnit", f"its notebook is named otherwise than {name}", f"name it {name}")
        return self._publish(actor, package)

    def undeploy(self, actor: Actor, owner: str, name: str, version: str | None) -> None:
        """Yank one version, or every one: they start no more runs, and what ran before stays as it is.

        Raises
        ------
        NotFound, Forbidden
        """
        algorithm = self._registry.get(actor, f"{owner}/{name}")
        if not (actor.is_operator or actor.name == owner):
            raise _immutable(f"{owner}.{name} is not yours", "ask its author or an operator")
        wanted = [one for one in algorithm.versions if one.yanked_at is None and version in (None, one.version)]
        if not wanted:
            raise NotFound(code="no-such-process", message="there is no such process", mend="GET processes")
        for one in wanted:
            self._registry.yank(actor, f"{owner}/{name}@{one.version}", reason=_REASON)

    def package_of(self, actor: Actor, version: AlgorithmVersion) -> tuple[bytes, str] | None:
        """What `version` was deployed with and its media type; ``None`` when it was published otherwise."""
        actor.require(Scope.READ)
        found = self._store.of(version)
        return None if found is None else (self._artifacts.read(found[0]), found[1])

    def _publish(self, actor: Actor, package: Unpacked) -> Published:
        notebook = with_resources(package.notebook, package.config)
        published = self._registry.publish(actor, notebook, version=package.version)
        sha256 = self._artifacts.put(package.content)
        self._store.add(published.version, sha256=sha256, media_type=package.media_type, at=self._clock())
        return published

    def _named(self, actor: Actor, package: Unpacked) -> str:
        """The name in the notebook, which the id in the package, where there is one, must agree with."""
        actor.require(Scope.PUBLISH)
        block = _swath_block(package.notebook)
        name = str(block.get("name") or "")
        told = package.process_id
        if told is not None and told != f"{actor.name}.{name}":
            owner = told.rpartition(".")[0]
            if owner and owner != actor.name and self._found(actor, told.replace(f"{owner}.", f"{owner}/", 1)):
                raise _immutable(f"{told} is not yours", "deploy it under your own name")
            raise _fault(
                "processDescription.process.id",
                "it is not the author's name and the notebook's",
                f"send {actor.name}.{name or '<name in the notebook>'}, or leave it out",
            )
        return name

    def _found(self, actor: Actor, path: str) -> Algorithm | None:
        try:
            return self._registry.get(actor, path)
        except (NotFound, Invalid):
            return None


def resources_of(config: Mapping[str, float], before: Resources) -> Resources:
    """What a run gets where an execution unit's `config` says so, and `before` where it does not.

    A run gets one amount and no range: the most that is told, else the least. Cores are a half at a time, memory is
    rounded up to whole MB of 1,048,576 bytes, time up to whole seconds.

    Raises
    ------
    Invalid
        When a least is more than its most, or a number is not positive.
    """
    for name, value in config.items():
        if not (math.isfinite(value) and 0 < value < 1e9):
            raise _fault(f"executionUnit.config.{name}", "it is no positive number", "send a positive number")
    cpus = _amount(config, "cpuMin", "cpuMax")
    memory = _amount(config, "memoryMin", "memoryMax")
    timeout = config.get("jobTimeout")
    return Resources(
        cpus=before.cpus if cpus is None else max(0.5, math.ceil(cpus * 2) / 2),
        memory_mb=before.memory_mb if memory is None else math.ceil(memory * _GB_IN_MB),
        wall_seconds=before.wall_seconds if timeout is None else math.ceil(timeout),
        dask=before.dask,
    )


def config_of(resources: Resources) -> dict[str, float]:
    """The `config` from which `resources_of` makes `resources`."""
    memory = math.floor(resources.memory_mb / _GB_IN_MB * 1e6) / 1e6
    return {
        "cpuMin": resources.cpus,
        "cpuMax": resources.cpus,
        "memoryMin": memory,
        "memoryMax": memory,
        "jobTimeout": resources.wall_seconds,
    }


def with_resources(notebook: Mapping[str, Any], config: Mapping[str, float]) -> dict[str, Any]:
    """A copy of `notebook` whose ``swath`` block asks for what `config` says."""
    changed: dict[str, Any] = copy.deepcopy(dict(notebook))
    if not config:
        return changed
    block = _swath_block(changed)
    given = block.get("resources")
    asked = {**Resources().as_dict(), **(given if isinstance(given, dict) else {})}
    try:
        before = Resources.from_dict(asked)
    except (TypeError, ValueError):
        # What is wrong with them is said when it is published.
        return changed
    block["resources"] = resources_of(config, before).as_dict()
    return changed


def packed(version: AlgorithmVersion, notebook: bytes, *, description: Mapping[str, Any], media_type: str) -> bytes:
    """The package from which `version` could be deployed, for one that came another way."""
    return canonical_json(
        {
            "processDescription": {"process": dict(description)},
            "executionUnit": [
                {"type": "notebook", "config": config_of(version.resources)},
                {"value": json.loads(notebook), "mediaType": media_type},
            ],
        }
    )


def _amount(config: Mapping[str, float], least: str, most: str) -> float | None:
    low, high = config.get(least), config.get(most)
    if low is not None and high is not None and low > high:
        raise _fault(f"executionUnit.config.{least}", f"it is more than {most}", "swap them")
    return high if high is not None else low


def _swath_block(notebook: Mapping[str, Any]) -> dict[str, Any]:
    metadata = notebook.get("metadata")
    block = metadata.get("swath") if isinstance(metadata, dict) else None
    return block if isinstance(block, dict) else {}


def _immutable(message: str, mend: str) -> Forbidden:
    return Forbidden(code="immutable-process", message=message, mend=mend)


def _fault(field: str, message: str, mend: str) -> Invalid:
    return Invalid(
        code="package-invalid",
        message=f"{field}: {message}",
        mend=mend,
        findings=[{"field": field, "message": message, "mend": mend}],
    )
