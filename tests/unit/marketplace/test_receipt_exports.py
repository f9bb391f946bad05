"""Receipts in the forms of others, each read by a program or a schema that is not ours."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.filenames import filename
from swath.contract.statements import StatedEnvironment, StatedInput, StatedOutput, Statement
from swath_marketplace.domain.exports.cdse import message_of, signed_trace, unsigned_trace
from swath_marketplace.domain.exports.crate import CONTEXT, crate_metadata
from swath_marketplace.domain.exports.prov import prov_json
from swath_marketplace.domain.exports.stac import PROCESSING, stac_item

CONTENT = {"median": b"a raster", "summary": b"{}", "notebook": b"{}"}
TYPES = {"median": "image/tiff", "summary": "application/json", "notebook": "application/x-ipynb+json"}


@pytest.fixture
def statement() -> Statement:
    return Statement(
        origin="urn:swath:installation:5e3c1b9a-0b1f-4b7e-9a55-6d2d6a3f1c11",
        run_id="a" * 32,
        algorithm="ada/bap-composite",
        version="1.2.0",
        version_sha256="1" * 64,
        notebook_sha256="2" * 64,
        environment=StatedEnvironment(name="eo", lock_sha256="3" * 64, about={"inventory_sha256": "4" * 64}),
        parameters={
            "area": {"west": 16.1, "south": 47.9, "east": 16.6, "north": 48.3},
            "period": ["2023-04-01", "2023-10-01"],
            "weights": [0.5, 1, 2e-7],
            "label": "größe",
        },
        caller="bob",
        executor="local",
        resources={"cpus": 1, "memory_mb": 2048},
        inputs=(
            StatedInput(
                sha256="5" * 64,
                about={
                    "collection": "s2",
                    "item": "T33",
                    "asset": "B04",
                    "bytes": 12,
                    "href": "/archive/s2/T33/B04.tif",
                },
            ),
            StatedInput(sha256=None, about={"collection": "s2", "item": "T33", "asset": "B08"}),
            StatedInput(sha256="6" * 64, about={"path": "s2/T33/SCL.tif", "observed": "served"}),
        ),
        outputs=tuple(
            StatedOutput(name=name, sha256=sha256_bytes(content), media_type=TYPES[name], bytes=len(content))
            for name, content in CONTENT.items()
        ),
        started_at=datetime(2026, 5, 1, 12, 0, tzinfo=UTC),
        finished_at=datetime(2026, 5, 1, 12, 3, 4, 500, tzinfo=UTC),
        usage={"cpu_seconds": 12.5, "wall_seconds": 31.25, "memory_mb": 2048, "peak_memory_bytes": 1 << 30},
        cost_millicredits=2017,
        software={"swath": "0.1.0"},
    )


# in-toto


def test_the_statement_is_one_to_in_totos_own_library(statement: Statement) -> None:
    import google.protobuf.json_format as pb_json
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement as Theirs

    for one in (statement, replace(statement, outputs=(), inputs=())):
        parsed = pb_json.Parse(one.as_bytes(), statement_pb2.Statement())
        Theirs.copy_from_pb(parsed).validate()
        predicate = json.dumps(one.as_dict()["predicate"])
        provenance = pb_json.Parse(predicate, provenance_pb2.Provenance())
        assert provenance.build_definition.build_type == "urn:swath:run:v1"
        assert provenance.run_details.builder.id == one.origin
        assert provenance.run_details.metadata.invocation_id == one.run_id
        assert provenance.run_details.metadata.finished_on.ToDatetime(UTC) == one.finished_at
        for descriptor in provenance.build_definition.resolved_dependencies:
            ResourceDescriptor.copy_from_pb(descriptor).validate()
        for descriptor in provenance.run_details.byproducts:
            ResourceDescriptor.copy_from_pb(descriptor).validate()
        assert Statement.from_dict(json.loads(one.as_bytes())) == one


# W3C PROV


def test_prov_json_is_read_by_the_prov_package(statement: Statement) -> None:
    from prov.model import ProvActivity, ProvDocument, ProvEntity, ProvGeneration, ProvUsage

    document = ProvDocument.deserialize(content=json.dumps(prov_json(statement)), format="json")
    (activity,) = document.get_records(ProvActivity)
    assert (activity.get_startTime(), activity.get_endTime()) == (statement.started_at, statement.finished_at)
    entities = {str(one.identifier) for one in document.get_records(ProvEntity)}
    assert {"r:output-median", "r:input-1", "r:version", "r:notebook", "r:environment"} <= entities
    generated = {str(one.args[0]) for one in document.get_records(ProvGeneration)}
    assert generated == {"r:output-median", "r:output-summary", "r:output-notebook"}
    used = {str(one.args[1]) for one in document.get_records(ProvUsage)}
    assert {"r:input-1", "r:input-2", "r:input-3", "r:environment"} <= used
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert again == document
    assert document.serialize(format="provn")


# RO-Crate


@pytest.fixture
def seeded(tmp_path: Path) -> Path:
    """The validator's own store of what it fetched, holding the one file that it needs: RO-Crate's own context."""
    from importlib.resources import files
    from io import BytesIO

    import requests
    from requests.adapters import BaseAdapter
    from requests_cache import CachedSession
    from urllib3 import HTTPResponse

    class FromDisk(BaseAdapter):
        def send(self, request: Any, **_: Any) -> requests.Response:
            adapter = requests.adapters.HTTPAdapter()
            body = BytesIO((files("rocrate") / "data" / "ro-crate.jsonld").read_bytes())
            headers = {"content-type": "application/ld+json"}
            raw = HTTPResponse(body=body, headers=headers, status=200, preload_content=False, request_url=request.url)
            return adapter.build_response(request, raw)

        def close(self) -> None: ...

    path = tmp_path / "validator-cache"
    session = CachedSession(cache_name=str(path), backend="sqlite", expire_after=-1)
    session.mount("https://", FromDisk())
    session.get(CONTEXT, headers={"Accept": "application/ld+json, application/json, */*;q=0.1"})
    session.close()
    return path


def validated(folder: Path, cache: Path, *, severity: str) -> list[str]:
    """What the validator has to say against a crate; nothing is skipped and nothing is fetched."""
    from rocrate_validator import services
    from rocrate_validator.models import Severity, ValidationSettings
    from rocrate_validator.utils.http import HttpRequester

    # A singleton: whoever validated before in this process may have left one with another store.
    HttpRequester._instance = None
    settings = ValidationSettings(
        rocrate_uri=str(folder),
        profile_identifier="process-run-crate",
        requirement_severity=Severity[severity],
        offline=True,
        cache_path=cache,
        cache_max_age=-1,
    )
    assert settings.skip_checks in (None, [])
    result = services.validate(settings)
    return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]


@pytest.fixture
def crate(statement: Statement, tmp_path: Path) -> Path:
    folder = tmp_path / "crate"
    folder.mkdir()
    for output in statement.outputs:
        (folder / filename(output.name, output.media_type)).write_bytes(CONTENT[output.name])
    write(folder, crate_metadata(statement))
    return folder


def write(folder: Path, metadata: dict[str, Any]) -> None:
    (folder / "ro-crate-metadata.json").write_text(json.dumps(metadata))


def test_the_crate_is_a_process_run_crate(crate: Path, seeded: Path) -> None:
    assert validated(crate, seeded, severity="REQUIRED") == []


def test_what_the_profile_only_recommends_is_there_too(crate: Path, seeded: Path) -> None:
    """All but what the validator cannot look up, as it takes no URN for an absolute URI, and the caller's employer."""
    found = validated(crate, seeded, severity="RECOMMENDED")
    assert {issue.partition(":")[0] for issue in found} <= {
        "process-run-crate-0.5_5.1",
        "ro-crate-1.1_27.1",
        "ro-crate-1.1_28.1",
        "ro-crate-1.1_30.2",
        "ro-crate-1.1_30.3",
    }, found


def test_a_crate_without_an_instrument_is_refused(crate: Path, seeded: Path, statement: Statement) -> None:
    metadata = crate_metadata(statement)
    (action,) = [one for one in metadata["@graph"] if one["@type"] == "CreateAction"]
    del action["instrument"]
    write(crate, metadata)
    found = validated(crate, seeded, severity="REQUIRED")
    assert any("instrument" in issue for issue in found), found


def test_the_validators_context_checks_are_on(crate: Path, seeded: Path, statement: Statement) -> None:
    metadata = crate_metadata(statement)
    metadata["@graph"][1]["noSuchTerm"] = "not in the context"
    write(crate, metadata)
    assert validated(crate, seeded, severity="REQUIRED")


# STAC


def _validator(schema: dict[str, Any]) -> Any:
    import jsonschema
    from pystac.validation.local_validator import get_local_schema_cache
    from referencing import Registry, Resource

    registry: Any = Registry().with_resources(
        [(uri, Resource.from_contents(known)) for uri, known in get_local_schema_cache().items()]
    )
    return jsonschema.validators.validator_for(schema)(schema, registry=registry)


def stac(statement: Statement) -> dict[str, Any]:
    return stac_item(
        statement,
        output_href=lambda output: f"/services/marketplace/runs/{statement.run_id}/results/{output.name}",
        item_href=lambda collection, item: f"/services/archive/collections/{collection}/items/{item}",
        receipt_href=f"/services/marketplace/runs/{statement.run_id}/receipt",
    )


def test_the_item_is_valid_to_the_real_schemas(statement: Statement) -> None:
    import pystac
    from pystac.validation.local_validator import get_local_schema_cache

    core = get_local_schema_cache()["https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"]
    nowhere = replace(statement, parameters={"n": 3})
    point = replace(statement, parameters={"where": {"type": "Point", "coordinates": [16.0, 48.0]}})
    for one in (statement, nowhere, point, replace(statement, outputs=(), inputs=())):
        item = stac(one)
        assert [error.message for error in _validator(core).iter_errors(item)] == []
        assert pystac.Item.from_dict(item).id == statement.run_id
    broken = stac(statement)
    del broken["geometry"]
    assert list(_validator(core).iter_errors(broken))


def test_the_processing_fields_are_read_by_pystacs_own_extension(statement: Statement) -> None:
    import pystac
    from pystac.extensions.processing import SCHEMA_URI, ProcessingExtension

    assert PROCESSING == SCHEMA_URI
    item = pystac.Item.from_dict(stac(statement))
    told = ProcessingExtension.ext(item)
    assert told.expression.to_dict() == {"format": "swath-algorithm", "expression": "ada/bap-composite@1.2.0"}
    assert told.lineage.startswith(f"Run {statement.run_id} of ada/bap-composite@1.2.0")
    assert told.facility == statement.origin
    assert told.version == "1.2.0"
    assert told.processing_datetime == statement.finished_at
    assert told.software["ada/bap-composite"] == "1.2.0"
    assert all(isinstance(version, str) for version in told.software.values())


def test_the_item_says_where_when_and_what_of(statement: Statement) -> None:
    from swath_archive.store.extensions import FIELDS

    item = stac(statement)
    assert item["bbox"] == [16.1, 47.9, 16.6, 48.3]
    assert item["properties"]["start_datetime"] == "2023-04-01T00:00:00.000000Z"
    derived = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert derived == ["/services/archive/collections/s2/items/T33"], "each scene once"
    asset = item["assets"]["median"]
    assert asset["file:checksum"] == f"1220{sha256_bytes(b'a raster')}"
    rules = FIELDS["https://stac-extensions.github.io/file/v2.1.0/schema.json"]
    for name, rule in rules.items():
        assert (
            list(_validator({"$schema": "http://json-schema.org/draft-07/schema#", **rule}).iter_errors(asset[name]))
            == []
        )
    assert stac(replace(statement, parameters={}))["properties"]["datetime"] == "2026-05-01T12:03:04.000500Z"


# CDSE


def test_the_trace_has_every_field_and_signs_all_of_them(statement: Statement) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    unsigned = unsigned_trace(statement, receipt_sha256="7" * 64)
    trace = signed_trace(unsigned, signature=private.sign(message_of(unsigned)), certificate=pem)
    assert set(trace) == {
        "id",
        "origin",
        "timestamp",
        "event",
        "obsolescence",
        "hash_algorithm",
        "product",
        "signature",
    }
    assert set(trace["product"]) == {"name", "size", "hash", "contents", "inputs"}
    assert set(trace["signature"]) == {"signature", "algorithm", "certificate", "message"}
    assert trace["event"] in {"CREATE", "COPY", "DELETE", "OBSOLETE"}
    assert {name for content in trace["product"]["contents"] for name in content} == {"path", "hash"}
    assert {name for read in trace["product"]["inputs"] for name in read} == {"name", "hash"}
    assert trace["product"]["size"] == sum(map(len, CONTENT.values()))
    assert trace["product"]["hash"] == sha256_bytes(canonical_json(trace["product"]["contents"]))
    single = unsigned_trace(replace(statement, outputs=statement.outputs[:1]), receipt_sha256="7" * 64)
    assert single["product"]["hash"] == statement.outputs[0].sha256

    import base64

    public = load_pem_public_key(trace["signature"]["certificate"].encode())
    signature = base64.b64decode(trace["signature"]["signature"])
    assert trace["signature"]["message"].encode() == message_of(trace)
    public.verify(signature, message_of(trace))  # type: ignore[call-arg, union-attr]
    for name in ("id", "origin", "timestamp", "event", "obsolescence", "hash_algorithm"):
        with pytest.raises(InvalidSignature):
            public.verify(signature, message_of({**trace, name: "other"}))  # type: ignore[call-arg, union-attr]
