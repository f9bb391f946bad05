"""The OpenAPI document: valid, whole, true, and good enough to make a client from."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from swath_marketplace.api.openapi.document import DOORS, recorded
from swath_marketplace.testing import PREFIX, World

_NAME = "swath_tests_openapi_walk"
_SPEC = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("openapi_walk.py"))
assert _SPEC
assert _SPEC.loader
walking = importlib.util.module_from_spec(_SPEC)
sys.modules[_NAME] = walking
_SPEC.loader.exec_module(walking)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with walking.walking(tmp_path_factory.mktemp("openapi")) as made:
        yield made


@pytest.fixture(scope="module")
def document(world: World) -> dict[str, Any]:
    # As a program reads it: numbers and texts only.
    told: dict[str, Any] = json.loads(json.dumps(world.app().openapi()))
    return told


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {told["operationId"]: told for item in document["paths"].values() for told in item.values()}


def against(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with `value`, whose schema stands in the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def test_the_document_is_valid_and_its_names_are_for_programs(document: dict[str, Any]) -> None:
    validate(document)
    told = [one for item in document["paths"].values() for one in item.values()]
    assert len(operations(document)) == len(told)
    assert all(one["operationId"].isidentifier() and len(one["operationId"]) < 40 for one in told)
    assert all(one["tags"] and one["summary"] for one in told)


def test_every_door_is_described(document: dict[str, Any]) -> None:
    """A new door: a line in the table of a module under ``api/openapi`` (see docs/doors-api.md)."""
    named = {door.id for door in DOORS.values()}
    assert operations(document).keys() - named == set(), "describe these"
    assert named - operations(document).keys() == set(), "these doors are gone"
    for name, told in operations(document).items():
        for status, answer in told["responses"].items():
            if "$ref" in answer or status in ("206", "304"):
                continue
            for content in answer.get("content", {}).values():
                assert "schema" in content or is_bytes(name), (name, status)
                assert content.get("schema", {}).get("additionalProperties") is not True, (name, status)


def is_bytes(name: str) -> bool:
    return any(door.id == name and isinstance(door.answer, str) for door in DOORS.values())


@pytest.fixture(scope="module")
def taken(world: World, document: dict[str, Any]) -> list[Any]:
    """The walk, taken."""
    walked: list[Any] = asyncio.run(walking.walk(world, document))
    return walked


#: What is in the path of a door that opens one person's things alone.
PRIVATE = {"{run_id}", "{reproduction_id}", "{work_id}", "{webhook_id}"}


async def test_nobody_opens_anothers_things(world: World, taken: list[Any]) -> None:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    tried = set()
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for one in taken:
            if one.step.who != "bob" or not any(name in one.template for name in PRIVATE):
                continue
            for who in ("cyd", "ada", "robot"):
                path = one.template.format(**one.path)
                query = {name: value for name, value in one.path.items() if f"{{{name}}}" not in one.template}
                headers = {"Authorization": f"Bearer {who}"}
                answer = await client.request(one.method, path, params=query, json=one.body, headers=headers)
                assert answer.status_code in (403, 404), (one.step.door, who, answer.text[:200])
                assert one.method == "head" or answer.json()["code"].startswith(("no-such", "missing", "users-only"))
            tried.add(one.step.door)
    assert len(tried) > 25


def test_the_walk_is_as_the_document_says(taken: list[Any], document: dict[str, Any]) -> None:
    told = operations(document)
    for one in taken:
        answer = one.answer
        assert answer.is_success, (one.step.door, answer.status_code, answer.text[:300])
        said = told[one.step.door]["responses"][str(answer.status_code)]
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if one.method != "head" and said.get("content") and "*/*" not in said["content"]:
            assert kind in said["content"], (one.step.door, kind)
            if "json" in kind and "schema" in said["content"][kind]:
                assert against(document, said["content"][kind]["schema"], answer.json()) == [], one.step.door
        if one.body is not None:
            schema = told[one.step.door]["requestBody"]["content"]["application/json"]["schema"]
            assert against(document, schema, one.body) == [], one.step.door
    # What the document shows is what this walk brings, but for ids, hashes, times and costs.
    assert walking.examples(taken).keys() == recorded().keys(), "record the examples: python .../openapi_walk.py"


def test_examples_fit_what_they_are_examples_of(document: dict[str, Any]) -> None:
    seen = 0
    for name, told in operations(document).items():
        bodies = [told.get("requestBody", {}), *told["responses"].values()]
        bodies += [
            document["components"]["responses"][one["$ref"].rpartition("/")[2]] for one in bodies if "$ref" in one
        ]
        for content in (kind for body in bodies for kind in body.get("content", {}).values() if "example" in kind):
            assert against(document, content["schema"], content["example"]) == [], name
            seen += 1
        for one in told.get("parameters", ()):
            if "example" in one:
                assert against(document, one["schema"], one["example"]) == [], (name, one["name"])
    assert seen > 100
    asked = {
        name
        for name, told in operations(document).items()
        if "application/json" in told.get("requestBody", {}).get("content", {})
    }
    shown = {name for name, entry in recorded().items() if "request" in entry}
    assert asked - shown <= {"set_price", "reproduce_imported_run"}


CALLS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import httpx
from swath_marketplace_client import AuthenticatedClient
from swath_marketplace_client.api.algorithms import publish_version, search_algorithms
from swath_marketplace_client.api.runs import create_run, get_run, list_results, get_result
from swath_marketplace_client import models

def client(token):
    return AuthenticatedClient(base_url=sys.argv[2], token=token, httpx_args={"trust_env": False})

asked = json.load(open(sys.argv[3]))
ada, bob = client("ada"), client("bob")
made = publish_version.sync(client=ada, body=models.PublishBody.from_dict(asked["publish_version"]["request"]))
assert made.version == "1.0.0", made
found = search_algorithms.sync(client=bob, q="ndvi")
assert [one.name for one in found.algorithms] == ["mean-ndvi"], found
run = create_run.sync(client=bob, body=models.RunBody.from_dict(asked["create_run"]["request"]))
while not get_run.sync(run.id, client=bob).ended_at:
    pass
ended = get_run.sync(run.id, client=bob)
assert ended.status == models.RunStatus.FINISHED and ended.cost.resources_millicredits > 0, ended
(output,) = list_results.sync(run.id, client=bob)
content = get_result.sync_detailed(run.id, output.name, client=bob).content
assert len(content) == output.bytes_, output
refused = get_run.sync("none", client=bob)
assert isinstance(refused, models.Problem) and refused.code == "no-such-run" and refused.mend, refused
refused = get_run.sync(run.id, client=client("nobody"))
assert refused.status == 401, refused
print("called")
"""


def test_a_client_is_generated_and_goes_the_whole_way(tmp_path: Path, document: dict[str, Any]) -> None:
    written = tmp_path / "openapi.json"
    written.write_text(json.dumps(document))
    (tmp_path / "config.yaml").write_text("package_name_override: swath_marketplace_client\npost_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(written), "--meta", "none"]
    command += [
        "--output-path",
        str(tmp_path / "made" / "swath_marketplace_client"),
        "--config",
        str(tmp_path / "config.yaml"),
    ]
    (tmp_path / "made").mkdir()
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-2000:]
    # The generator knows no answers that are just bytes, and takes none for an error.
    warned = [line for line in made.stdout.splitlines() if line.startswith(("WARNING", "ERROR", "Cannot"))]
    warned = [line for line in warned if "Unsupported content_type" not in line and "WARNING parsing GET" not in line]
    warned = [line for line in warned if "account/imports" not in line]
    assert warned == [], made.stdout[-3000:]
    with walking.walking(tmp_path / "world") as world, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # With its lifespan: the reconciler works, as in a running service.
        server = uvicorn.Server(uvicorn.Config(world.app(), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        arguments = [str(tmp_path / "made"), address, str(walking.EXAMPLES)]
        called = subprocess.run(
            [sys.executable, "-c", CALLS, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        server.should_exit = True
        thread.join(timeout=15)
    assert called.returncode == 0, called.stderr[-3000:]
    assert called.stdout.strip() == "called"
    assert PREFIX in written.read_text()
