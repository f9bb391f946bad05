"""What a run is reproduced from: everything a receipt tells of it, wherever that was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.runs import Run

_ARCHIVE = "/archive/"


@dataclass(frozen=True, kw_only=True, slots=True)
class OriginInput:
    """A file that was read."""

    sha256: str | None
    path: str | None = None
    """Below the archive."""
    collection: str | None = None
    item: str | None = None
    asset: str | None = None

    @property
    def title(self) -> str:
        """A name for people: ``scene sentinel-2/S2A_… (B04)``."""
        if self.collection and self.item:
            return f"scene {self.collection}/{self.item}" + (f" ({self.asset})" if self.asset else "")
        return f"file {self.path}" if self.path else "a file without a name"

    @property
    def place(self) -> tuple[str | None, ...]:
        """What stays the same when the content is replaced."""
        if self.collection and self.item:
            return self.collection, self.item, self.asset
        return (self.path,)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "sha256": self.sha256,
            "path": self.path,
            "collection": self.collection,
            "item": self.item,
            "asset": self.asset,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class OriginOutput:
    """A file that was made."""

    name: str
    sha256: str
    media_type: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"name": self.name, "sha256": self.sha256, "media_type": self.media_type}


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A finished run, as far as it can be run again."""

    run_id: str
    algorithm: str
    """``owner/name``."""
    version: str
    digest: str
    """``sha256:<hex>`` of the version."""
    parameters: Mapping[str, Any]
    environment: str
    """Name of the environment."""
    lock_sha256: str
    inventory_sha256: str | None = None
    """Of what was installed in it; ``None`` when nobody looked."""
    inputs: tuple[OriginInput, ...] = ()
    outputs: tuple[OriginOutput, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "run_id": self.run_id,
            "algorithm": self.algorithm,
            "version": self.version,
            "digest": self.digest,
            "parameters": dict(self.parameters),
            "environment": self.environment,
            "lock_sha256": self.lock_sha256,
            "inventory_sha256": self.inventory_sha256,
            "inputs": [one.as_dict() for one in self.inputs],
            "outputs": [one.as_dict() for one in self.outputs],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Origin:
        """The origin that `as_dict` wrote."""
        inputs = tuple(OriginInput(**one) for one in data["inputs"])
        outputs = tuple(OriginOutput(**one) for one in data["outputs"])
        return cls(**{**data, "inputs": inputs, "outputs": outputs})


def origin_of_run(run: Run, version: AlgorithmVersion) -> Origin:
    """What is known of a finished run here, without its receipt."""
    environment = run.environment or {}
    return Origin(
        run_id=run.id,
        algorithm=f"{run.owner}/{run.name}",
        version=run.version,
        digest=run.digest,
        parameters=run.parameters,
        environment=version.environment,
        lock_sha256=version.environment_lock_sha256,
        inventory_sha256=environment.get("inventory_sha256"),
        inputs=inputs_of(run),
        outputs=tuple(OriginOutput(name=one.name, sha256=one.sha256, media_type=one.media_type) for one in run.outputs),
    )


def inputs_of(run: Run) -> tuple[OriginInput, ...]:
    """What a run read, each file once."""
    return tuple(dict.fromkeys(input_of(said) for said in run.inputs))


def input_of(said: Mapping[str, Any]) -> OriginInput:
    """A file as a run or a receipt tells it; members that are no texts are not there."""

    def text(name: str) -> str | None:
        value = said.get(name)
        return value if isinstance(value, str) and value else None

    href = text("href") or ""
    # Runs see the archive under that name; their own record of an address is all that older runs have.
    below = href.removeprefix(_ARCHIVE) if href.startswith(_ARCHIVE) else None
    return OriginInput(
        sha256=text("sha256"),
        path=text("path") or below,
        collection=text("collection"),
        item=text("item"),
        asset=text("asset"),
    )
