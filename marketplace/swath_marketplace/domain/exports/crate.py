"""Metadata of a Process Run RO-Crate (profile 0.5, RO-Crate 1.1): put beside the outputs, the folder is a crate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.filenames import filename
from swath.contract.statements import StatedInput, StatedOutput, Statement

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENCE = "#licence"


def crate_metadata(statement: Statement) -> dict[str, Any]:
    """The content of ``ro-crate-metadata.json``, for a folder with the outputs under the names they are saved by."""
    files = [_file(output) for output in statement.outputs]
    inputs = _inputs(statement)
    parameters = [_parameter(name, value) for name, value in sorted(statement.parameters.items())]
    graph = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        _root(statement, files=files, inputs=inputs),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": _LICENCE,
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "The run states none for its outputs; that of the algorithm is told with the algorithm.",
        },
        _action(statement, files=files, inputs=inputs, parameters=parameters),
        *_software(statement),
        {"@id": "#caller", "@type": "Person", "name": statement.caller},
        {"@id": statement.origin, "@type": "Organization", "name": "Swath", "url": statement.origin},
        *files,
        *inputs,
        *parameters,
    ]
    return {"@context": CONTEXT, "@graph": graph}


def _root(statement: Statement, *, files: list[dict[str, Any]], inputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Outputs of {statement.algorithm} {statement.version}",
        "description": f"What run {statement.run_id} of {statement.algorithm} {statement.version} brought back. "
        "Its signed receipt is proof of it; this file is not.",
        "datePublished": _time(statement.finished_at),
        "license": {"@id": _LICENCE},
        "author": {"@id": "#caller"},
        "publisher": {"@id": statement.origin},
        "identifier": f"urn:swath:run:{statement.run_id}",
        "conformsTo": {"@id": PROFILE},
        "hasPart": _ids([*files, *inputs]),
        "mentions": {"@id": "#run"},
    }


def _action(
    statement: Statement,
    *,
    files: list[dict[str, Any]],
    inputs: list[dict[str, Any]],
    parameters: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run {statement.run_id}",
        "description": f"{statement.algorithm} {statement.version}, by the executor {statement.executor}",
        "identifier": f"urn:swath:run:{statement.run_id}",
        "instrument": {"@id": _version_id(statement)},
        "agent": {"@id": "#caller"},
        "object": _ids([*inputs, *parameters]),
        "result": _ids(files),
        "startTime": _time(statement.started_at),
        "endTime": _time(statement.finished_at),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _software(statement: Statement) -> list[dict[str, Any]]:
    environment = statement.environment
    lock = f"urn:swath:environment:{environment.name}:{environment.lock_sha256}"
    version = {
        "@id": _version_id(statement),
        "@type": "SoftwareApplication",
        "name": statement.algorithm,
        "softwareVersion": statement.version,
        "identifier": [f"sha256:{statement.version_sha256}", f"notebook sha256:{statement.notebook_sha256}"],
        "url": _version_id(statement),
        "softwareRequirements": {"@id": lock},
    }
    locked = {
        "@id": lock,
        "@type": "SoftwareApplication",
        "name": environment.name,
        "softwareVersion": environment.lock_sha256,
        "url": lock,
    }
    return [version, locked]


def _file(output: StatedOutput) -> dict[str, Any]:
    return {
        "@id": filename(output.name, output.media_type),
        "@type": "File",
        "name": output.name,
        "encodingFormat": output.media_type,
        "contentSize": str(output.bytes),
        "identifier": f"sha256:{output.sha256}",
    }


def _inputs(statement: Statement) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for read in statement.inputs:
        found.setdefault(_input_id(read), _input(read))
    return list(found.values())


def _input(read: StatedInput) -> dict[str, Any]:
    item = read.about.get("item")
    name = f"{read.about.get('collection')}/{item}/{read.about.get('asset')}" if item else read.about.get("path")
    known = {"identifier": f"sha256:{read.sha256}"} if read.sha256 else {}
    size = {"contentSize": str(read.about["bytes"])} if "bytes" in read.about else {}
    return {"@id": _input_id(read), "@type": "File", "name": str(name or read.uri), **known, **size}


def _input_id(read: StatedInput) -> str:
    if read.uri.startswith(("http://", "https://", "urn:")):
        return read.uri
    # A path is one of the installation's archive: as the name of a file it would have to lie in the crate.
    return f"urn:swath:archive:{read.uri}"


def _parameter(name: str, value: Any) -> dict[str, Any]:
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return {"@id": f"#parameter-{name}", "@type": "PropertyValue", "name": name, "value": text}


def _time(at: datetime) -> str:
    """As the profile wants times: milliseconds, and the offset in digits."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _version_id(statement: Statement) -> str:
    return f"urn:swath:version:{statement.algorithm}@{statement.version}"


def _ids(entities: list[dict[str, Any]]) -> list[Mapping[str, str]]:
    return [{"@id": str(entity["@id"])} for entity in entities]
