"""What a receipt states: an in-toto Statement v1 with SLSA's provenance v1, about one run.

``subject`` are the outputs; ``buildDefinition`` is what was asked for and what it was made from (the version, its
notebook, the environment's lock, each input); ``runDetails`` is who ran it, when, and what it took and cost.
A statement that was read is written again and compared: a member that is unknown, missing or otherwise written is a
fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.fields import ContractError, Fields
from swath.contract.strict_json import read_hash
from swath.contract.times import moment, read_moment

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:swath:run:v1"
#: DSSE's type of an in-toto statement.
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedOutput:
    """One output file."""

    name: str
    sha256: str
    media_type: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """in-toto ResourceDescriptor."""
        return {
            "name": self.name,
            "digest": {"sha256": self.sha256},
            "mediaType": self.media_type,
            "annotations": {"bytes": self.bytes},
        }

    @classmethod
    def from_dict(cls, data: object) -> StatedOutput:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "subject")
        annotations = Fields(fields.raw("annotations"), "subject.annotations")
        return cls(
            name=fields.text("name"),
            sha256=_digest(fields, "subject"),
            media_type=fields.text("mediaType"),
            bytes=annotations.integer("bytes", least=0),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedInput:
    """One file that was read."""

    sha256: str | None
    """``None`` where it is not known."""
    about: Mapping[str, str | int] = field(default_factory=dict)
    """What else is known: ``collection``, ``item``, ``asset``, ``href``, ``path``, ``bytes``, ``observed``…"""

    @property
    def uri(self) -> str:
        """Where it is, or what it is."""
        if href := self.about.get("href"):
            return str(href)
        if item := self.about.get("item"):
            return f"urn:swath:item:{self.about.get('collection', '')}/{item}#{self.about.get('asset', '')}"
        return f"urn:swath:archive:{self.about.get('path', '')}"

    def as_dict(self) -> dict[str, Any]:
        """in-toto ResourceDescriptor."""
        digest = {"digest": {"sha256": self.sha256}} if self.sha256 else {}
        return {"name": "input", "uri": self.uri, "annotations": dict(self.about), **digest}

    @classmethod
    def from_dict(cls, data: object) -> StatedInput:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "input")
        about = fields.mapping("annotations")
        if not all(isinstance(value, str | int) and not isinstance(value, bool) for value in about.values()):
            raise ContractError("input.annotations: expected strings and integers")
        return cls(sha256=_digest(fields, "input") if fields.has("digest") else None, about=about)


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedEnvironment:
    """The locked environment that the run took place in."""

    name: str
    lock_sha256: str
    about: Mapping[str, str | int] = field(default_factory=dict)
    """What else is known, such as ``inventory_sha256`` and ``python``."""

    def as_dict(self) -> dict[str, Any]:
        """in-toto ResourceDescriptor."""
        return {
            "name": "environment",
            "uri": f"urn:swath:environment:{self.name}",
            "digest": {"sha256": self.lock_sha256},
            "annotations": {**self.about, "environment": self.name},
        }

    @classmethod
    def from_dict(cls, data: object) -> StatedEnvironment:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "environment")
        about = fields.mapping("annotations")
        name = about.pop("environment", None)
        if not isinstance(name, str):
            raise ContractError("environment.annotations.environment: expected its name")
        return cls(name=name, lock_sha256=_digest(fields, "environment"), about=about)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What one finished run was."""

    origin: str
    """Of the installation: ``urn:swath:installation:<uuid>``."""
    run_id: str
    algorithm: str
    """``owner/name``."""
    version: str
    version_sha256: str
    """Hexadecimal part of the version's digest."""
    notebook_sha256: str
    environment: StatedEnvironment
    parameters: Mapping[str, Any]
    caller: str
    executor: str
    """What ran it: ``local``."""
    resources: Mapping[str, Any]
    """What it was given."""
    inputs: tuple[StatedInput, ...] = ()
    outputs: tuple[StatedOutput, ...] = ()
    started_at: datetime
    finished_at: datetime
    usage: Mapping[str, Any]
    """Seconds of processor and clock, memory; as measured outside the sandbox."""
    cost_millicredits: int
    software: Mapping[str, str]
    """Names and versions of what the platform ran it with."""

    def as_bytes(self) -> bytes:
        """What is signed."""
        return canonical_json(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The in-toto Statement."""
        definition = self._definition()
        return {
            "_type": STATEMENT_TYPE,
            "subject": [output.as_dict() for output in self.outputs] or [self._no_outputs(definition)],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"buildDefinition": definition, "runDetails": self._details()},
        }

    def _definition(self) -> dict[str, Any]:
        version = f"urn:swath:version:{self.algorithm}@{self.version}"
        made_from = [
            {"name": "version", "uri": version, "digest": {"sha256": self.version_sha256}},
            {"name": "notebook", "uri": f"{version}#notebook", "digest": {"sha256": self.notebook_sha256}},
            self.environment.as_dict(),
        ]
        return {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "algorithm": self.algorithm,
                "version": self.version,
                "parameters": dict(self.parameters),
            },
            "internalParameters": {
                "caller": self.caller,
                "executor": self.executor,
                "resources": dict(self.resources),
            },
            "resolvedDependencies": [*made_from, *(read.as_dict() for read in self.inputs)],
        }

    def _details(self) -> dict[str, Any]:
        run = f"urn:swath:run:{self.run_id}"
        return {
            "builder": {"id": self.origin, "version": dict(self.software)},
            "metadata": {
                "invocationId": self.run_id,
                "startedOn": moment(self.started_at),
                "finishedOn": moment(self.finished_at),
            },
            "byproducts": [
                {"name": "usage", "uri": f"{run}#usage", "annotations": dict(self.usage)},
                {"name": "cost", "uri": f"{run}#cost", "annotations": {"millicredits": self.cost_millicredits}},
            ],
        }

    def _no_outputs(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """A statement needs a subject: of a run that brought nothing back it is what was asked, by its hash."""
        return {"name": f"urn:swath:run:{self.run_id}", "digest": {"sha256": sha256_bytes(canonical_json(definition))}}

    @classmethod
    def from_dict(cls, data: object) -> Statement:
        """Read back what `as_dict` wrote.

        Raises
        ------
        ContractError
            Naming the member that is wrong, or saying that something else than a run's statement is written there.
        """
        whole = Fields(data, "statement")
        predicate = Fields(whole.raw("predicate"), "predicate")
        definition = Fields(predicate.raw("buildDefinition"), "buildDefinition")
        asked = Fields(definition.raw("externalParameters"), "externalParameters")
        given = Fields(definition.raw("internalParameters"), "internalParameters")
        details = Fields(predicate.raw("runDetails"), "runDetails")
        builder = Fields(details.raw("builder"), "builder")
        metadata = Fields(details.raw("metadata"), "metadata")
        made_from = definition.items("resolvedDependencies", lambda one: one)
        byproducts = details.items("byproducts", lambda one: Fields(one, "byproducts").mapping("annotations"))
        subjects = whole.items("subject", lambda one: one)
        if len(made_from) < 3 or len(byproducts) != 2:
            raise ContractError("statement: something that every run has is missing")
        # A run without outputs has one subject, and that has no media type.
        stated = [one for one in subjects if len(subjects) > 1 or (isinstance(one, Mapping) and "mediaType" in one)]
        made = cls(
            origin=builder.text("id"),
            run_id=metadata.text("invocationId"),
            algorithm=asked.text("algorithm"),
            version=asked.text("version"),
            version_sha256=_digest(Fields(made_from[0], "version"), "version"),
            notebook_sha256=_digest(Fields(made_from[1], "notebook"), "notebook"),
            environment=StatedEnvironment.from_dict(made_from[2]),
            parameters=asked.mapping("parameters"),
            caller=given.text("caller"),
            executor=given.text("executor"),
            resources=given.mapping("resources"),
            inputs=tuple(StatedInput.from_dict(one) for one in made_from[3:]),
            outputs=tuple(StatedOutput.from_dict(one) for one in stated),
            started_at=read_moment(metadata.text("startedOn"), "startedOn"),
            finished_at=read_moment(metadata.text("finishedOn"), "finishedOn"),
            usage=byproducts[0],
            cost_millicredits=Fields(byproducts[1], "cost").integer("millicredits", least=0),
            software={name: str(version) for name, version in builder.mapping("version").items()},
        )
        if made.as_dict() != data:
            raise ContractError("statement: not as the statement of a run is written")
        return made


def _digest(fields: Fields, where: str) -> str:
    return read_hash(Fields(fields.raw("digest"), f"{where}.digest").raw("sha256"), f"{where}.digest.sha256").hex()
