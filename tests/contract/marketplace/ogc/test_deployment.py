"""Part 2 (a draft): processes deployed, replaced and undeployed, over the same versions as everywhere."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.services.packages import config_of, resources_of
from swath_marketplace.testing import World, notebook
from swath_service.errors import Invalid

PACKAGE = "application/ogcapppkg+json"
NOTEBOOK = "application/x-ipynb+json"
EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-2/1.0"
OTHER = "import swath\n\nswath.emit('double', {'value': n + n})"


def package(book: dict[str, Any], *, config: Any = None, **process: Any) -> dict[str, Any]:
    unit = {"value": book, "mediaType": NOTEBOOK}
    units: Any = [{"type": "notebook", "config": config}, unit] if config else unit
    return {"processDescription": {"process": process}, "executionUnit": units}


def send(
    ogc: TestClient, body: Any, *, to: str = "processes", method: str = "POST", who: str = "ada", type: str = PACKAGE
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {who}", "Content-Type": type}
    return ogc.request(method, to, content=json.dumps(body), headers=headers)


@pytest.fixture(scope="module")
def deployed(ogc: TestClient) -> httpx.Response:
    """Ada's double, deployed."""
    config = {"cpuMin": 1, "cpuMax": 2, "memoryMax": 1, "jobTimeout": 60}
    body = package(notebook(), config=config, id="ada.double", version="1.0.0")
    answer = send(ogc, body)
    assert answer.status_code == 201, answer.text
    return answer


def test_req__deploy_replace_undeploy__deploy_post_op(deployed: httpx.Response) -> None:
    assert deployed.status_code == 201


def test_req__deploy_replace_undeploy__deploy_body(ogc: TestClient, deployed: httpx.Response, schemas: Any) -> None:
    assert "n" in ogc.get("processes/ada.double").json()["inputs"]
    bodies: list[Any] = [
        {},
        {"executionUnit": {"type": "docker", "image": "alpine"}},
        {"executionUnit": {"href": "https://example.org/a.ipynb", "type": NOTEBOOK}},
        {"executionUnit": {"value": "no notebook", "mediaType": NOTEBOOK}},
        {"executionUnit": {"value": {}, "mediaType": "application/cwl+json"}},
        package(notebook(name="other"), id="ada.another"),
        package(notebook(parameters="n = 3", name="untyped"), id="ada.untyped"),
    ]
    for body in bodies:
        answer = send(ogc, body)
        assert answer.status_code == 400, body
        schemas.check("exception", answer.json())
        assert answer.json()["findings"]


def test_req__deploy_replace_undeploy__deploy_content_type(ogc: TestClient) -> None:
    answer = send(ogc, notebook(name="bare"), type=NOTEBOOK)
    assert (answer.status_code, answer.json()["id"]) == (201, "ada.bare")


def test_req__deploy_replace_undeploy__deploy_unsupported_media_type(ogc: TestClient, schemas: Any) -> None:
    for type in ("application/cwl+json", "application/json", ""):
        answer = send(ogc, package(notebook(name="json")), type=type)
        assert (answer.status_code, answer.json()["type"]) == (415, f"{EXCEPTIONS}/unsupported-media-type")
        schemas.check("exception", answer.json())


def test_req__deploy_replace_undeploy__deploy_response_success(deployed: httpx.Response) -> None:
    assert deployed.headers["location"].endswith("/ogc/processes/ada.double")


def test_req__deploy_replace_undeploy__deploy_response_body(deployed: httpx.Response, schemas: Any) -> None:
    schemas.check("processSummary", deployed.json())


def test_req__deploy_replace_undeploy__deploy_response_pid(deployed: httpx.Response) -> None:
    assert (deployed.json()["id"], deployed.json()["version"]) == ("ada.double", "1.0.0")


def test_req__deploy_replace_undeploy__deploy_response_duplicate(
    ogc: TestClient, deployed: httpx.Response, schemas: Any
) -> None:
    for book in (notebook(), notebook(OTHER)):
        answer = send(ogc, package(book, id="ada.double"))
        assert (answer.status_code, answer.json()["type"]) == (409, f"{EXCEPTIONS}/duplicated-process")
        schemas.check("exception", answer.json())


def test_req__deploy_replace_undeploy__deploy_response_immutable(
    ogc: TestClient, deployed: httpx.Response, schemas: Any
) -> None:
    tried = [
        send(ogc, package(notebook(), id="ada.double"), who="bob"),
        send(ogc, package(notebook(OTHER)), to="processes/ada.double", method="PUT", who="bob"),
        send(ogc, package(notebook(OTHER)), to="processes/ada.double:1.0.0", method="PUT"),
        ogc.delete("processes/ada.double"),
    ]
    for answer in tried:
        assert (answer.status_code, answer.json()["type"]) == (403, f"{EXCEPTIONS}/immutable-process")
        schemas.check("exception", answer.json())


def test_req__deploy_replace_undeploy__static_indicator(ogc: TestClient, deployed: httpx.Response) -> None:
    as_ada = {"Authorization": "Bearer ada"}
    assert ogc.get("processes/ada.double", headers=as_ada).json()["mutable"] is True
    assert ogc.get("processes/ada.double").json()["mutable"] is False
    assert ogc.get("processes/ada.double:1.0.0", headers=as_ada).json()["mutable"] is False


def test_req__deploy_replace_undeploy__replace_put_op(ogc: TestClient) -> None:
    assert send(ogc, package(notebook(name="put"))).status_code == 201
    assert send(ogc, package(notebook(OTHER, name="put")), to="processes/ada.put", method="PUT").status_code == 200
    assert send(ogc, package(notebook(name="none")), to="processes/ada.none", method="PUT").status_code == 404


def test_req__deploy_replace_undeploy__replace_response(ogc: TestClient, schemas: Any) -> None:
    assert send(ogc, package(notebook(name="twice"))).status_code == 201
    answer = send(ogc, package(notebook(OTHER, name="twice")), to="processes/ada.twice", method="PUT")
    schemas.check("processSummary", answer.json())
    assert (answer.status_code, answer.json()["version"]) == (200, "1.0.1")
    # The version before is what it was, and can still be called.
    assert ogc.get("processes/ada.twice:1.0.0").json()["version"] == "1.0.0"
    again = send(ogc, package(notebook(OTHER, name="twice")), to="processes/ada.twice", method="PUT")
    assert (again.status_code, again.json()["version"]) == (200, "1.0.1")


def test_req__deploy_replace_undeploy__replace_body(ogc: TestClient, deployed: httpx.Response) -> None:
    answer = send(ogc, package(notebook(name="otherwise")), to="processes/ada.double", method="PUT")
    assert (answer.status_code, answer.json()["findings"][0]["field"]) == (400, "executionUnit")


def test_req__deploy_replace_undeploy__replace_content_type(ogc: TestClient, deployed: httpx.Response) -> None:
    assert send(ogc, {}, to="processes/ada.double", method="PUT", type="application/cwl").status_code == 415


def test_req__deploy_replace_undeploy__undeploy_delete_op(ogc: TestClient) -> None:
    assert send(ogc, package(notebook(name="leave"))).status_code == 201
    assert ogc.delete("processes/ada.leave", headers={"Authorization": "Bearer ada"}).status_code == 204


def test_req__deploy_replace_undeploy__undeploy_response(ogc: TestClient, world: World) -> None:
    as_ada = {"Authorization": "Bearer ada"}
    assert send(ogc, package(notebook(name="gone"))).status_code == 201
    assert send(ogc, package(notebook(OTHER, name="gone")), to="processes/ada.gone", method="PUT").status_code == 200
    assert ogc.delete("processes/ada.gone:1.0.1", headers=as_ada).status_code == 204
    assert ogc.get("processes/ada.gone").json()["version"] == "1.0.0"
    answer = ogc.delete("processes/ada.gone", headers=as_ada)
    assert (answer.status_code, answer.content) == (204, b"")
    assert ogc.get("processes/ada.gone").status_code == 404
    assert ogc.delete("processes/ada.gone", headers=as_ada).status_code == 404
    assert ogc.post("processes/ada.gone:1.0.0/execution", json={}).status_code == 409
    yanked = world.registry.version(world.identity.actors["ada"], "ada/gone@1.0.0")
    assert "undeployed" in yanked.yank_reason


def test_req__deploy_replace_undeploy__package_get_op(ogc: TestClient, deployed: httpx.Response) -> None:
    assert ogc.get("processes/ada.double/package").status_code == 200


def test_req__deploy_replace_undeploy__package_response_success(ogc: TestClient, deployed: httpx.Response) -> None:
    answer = ogc.get("processes/ada.double/package")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, PACKAGE)


def test_req__deploy_replace_undeploy__package_response_body(ogc: TestClient, deployed: httpx.Response) -> None:
    told = ogc.get("processes/ada.double/package").json()
    assert told["executionUnit"][1]["value"] == notebook()
    assert told["processDescription"]["process"]["id"] == "ada.double"


def test_req__ogcapppkg__body(ogc: TestClient, deployed: httpx.Response) -> None:
    assert deployed.request.headers["content-type"] == PACKAGE


def test_req__ogcapppkg__deploy_body(ogc: TestClient) -> None:
    nested = package(notebook(name="nested"), id="ada.nested")
    nested["processDescription"] = nested["processDescription"]["process"]
    assert send(ogc, nested).status_code == 201


def test_req__ogcapppkg__replace_body(ogc: TestClient, deployed: httpx.Response) -> None:
    answer = send(ogc, package(notebook(OTHER), id="ada.double"), to="processes/ada.double", method="PUT")
    assert answer.status_code == 200


def test_req__ogcapppkg__package_response_body(ogc: TestClient) -> None:
    # Also of what was published through another door: what it makes, deployed elsewhere, is the same notebook.
    told = ogc.get("processes/ada.echo/package").json()
    assert told["executionUnit"][1]["mediaType"] == NOTEBOOK
    block = told["executionUnit"][1]["value"]["metadata"]["swath"]
    assert resources_of(told["executionUnit"][0]["config"], Resources()).as_dict() == block["resources"]


def test_req__ogcapppkg__process_description(ogc: TestClient, schemas: Any) -> None:
    schemas.check("process", ogc.get("processes/ada.echo/package").json()["processDescription"]["process"])


def test_req__ogcapppkg__profile_docker(ogc: TestClient) -> None:
    # No execution unit here is a Docker image, and one that is sent is refused.
    answer = send(ogc, {"executionUnit": {"type": "docker", "image": "alpine"}})
    assert (answer.status_code, answer.json()["code"]) == (400, "no-notebook")


def test_req__ogcapppkg__schema(ogc: TestClient) -> None:
    for broken in ([], {"executionUnit": []}, {"executionUnit": None}, {"processDescription": 1, "executionUnit": {}}):
        assert send(ogc, broken).status_code == 400
    for config in ({"cpuMin": "1"}, {"cpuMin": 3, "cpuMax": 1}, {"jobTimeout": -1}, []):
        body = {
            "executionUnit": [
                {"type": "notebook", "config": config},
                {"value": notebook(name="cfg"), "mediaType": NOTEBOOK},
            ]
        }
        if config:
            assert send(ogc, body).status_code == 400, config


def test_the_configuration_becomes_what_a_run_gets(ogc: TestClient, deployed: httpx.Response, world: World) -> None:
    version = world.registry.version(world.identity.actors["ada"], "ada/double@1.0.0")
    assert version.resources == Resources(cpus=2.0, memory_mb=954, wall_seconds=60, dask=False)


@pytest.mark.parametrize("resources", [Resources(), Resources(cpus=0.5, memory_mb=954, wall_seconds=1)])
def test_configuration_and_resources_are_each_others_inverse(resources: Resources) -> None:
    assert resources_of(config_of(resources), Resources(cpus=9.0, memory_mb=9, wall_seconds=9)) == resources


def test_what_a_configuration_leaves_out_stays() -> None:
    before = Resources(cpus=3.0, memory_mb=4096, wall_seconds=100)
    assert resources_of({}, before) == before
    assert resources_of({"cpuMin": 1.2}, before).cpus == 1.5
    assert resources_of({"memoryMin": 1, "memoryMax": 2}, before).memory_mb == 1908
    with pytest.raises(Invalid):
        resources_of({"memoryMin": 2, "memoryMax": 1}, before)
