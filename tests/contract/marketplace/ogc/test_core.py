"""Part 1, class core: landing page, conformance, definition, processes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.testclient import TestClient
from swath_marketplace.testing import PREFIX, World, notebook, user

REL = "http://www.opengis.net/def/rel/ogc/1.0"
EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


def rels(document: Any) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in document["links"]}


def test_req__core__http(ogc: TestClient) -> None:
    # The body of what is missing, a method that is not there, and the form of the address without its slash.
    assert ogc.get(f"http://test{PREFIX}ogc").status_code == 200
    assert ogc.post("conformance").status_code == 405
    assert ogc.get("", headers={"Authorization": ""}).status_code == 401


def test_req__core__landingpage_op(ogc: TestClient) -> None:
    assert ogc.get("").status_code == 200


def test_req__core__landingpage_success(ogc: TestClient, schemas: Any) -> None:
    page = ogc.get("").json()
    schemas.check("landingPage", page)
    links = rels(page)
    assert {"service-desc", "service-doc", f"{REL}/conformance", f"{REL}/processes", f"{REL}/job-list"} <= links.keys()
    assert all(ogc.get(href).status_code == 200 for href in links.values())


def test_req__core__api_definition_op(ogc: TestClient) -> None:
    links = rels(ogc.get("").json())
    assert [ogc.get(links[rel]).status_code for rel in ("service-desc", "service-doc")] == [200, 200]


def test_req__core__api_definition_success(ogc: TestClient) -> None:
    answer = ogc.get("api")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.0.")


def test_req__core__conformance_op(ogc: TestClient) -> None:
    assert ogc.get("conformance").status_code == 200


def test_req__core__conformance_success(ogc: TestClient, schemas: Any) -> None:
    told = ogc.get("conformance").json()
    schemas.check("confClasses", told)
    classes = ("core", "ogc-process-description", "json", "html", "oas30", "job-list", "callback", "dismiss")
    wanted = {f"http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/{name}" for name in classes}
    assert wanted <= set(told["conformsTo"])


def test_req__core__process_list(ogc: TestClient) -> None:
    assert ogc.get("processes").status_code == 200


def test_req__core__process_list_success(ogc: TestClient, schemas: Any) -> None:
    told = ogc.get("processes").json()
    schemas.check("processList", told)
    echo = next(process for process in told["processes"] if process["id"] == "ada.echo")
    assert echo["jobControlOptions"] == ["sync-execute", "async-execute", "dismiss"]
    assert (echo["version"], echo["outputTransmission"]) == ("1.0.0", ["value", "reference"])


def test_req__core__pl_limit_definition(ogc: TestClient) -> None:
    limit = ogc.get("api").json()["components"]["parameters"]["limit"]
    assert (limit["in"], limit["required"], limit["style"], limit["explode"]) == ("query", False, "form", False)
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}
    assert ogc.get("processes", params={"limit": 10}).status_code == 200
    assert [ogc.get("processes", params={"limit": wrong}).status_code for wrong in ("0", "-1", "x")] == [400, 400, 400]
    assert ogc.get("processes", params={"limit": 10_000}).status_code == 200


def test_req__core__pl_limit_response(ogc: TestClient, world: World, schemas: Any) -> None:
    for name in ("one", "two"):
        world.registry.publish(user("cyd"), notebook(name=name))
    seen, address = [], "processes?limit=1"
    while address:
        page = ogc.get(address).json()
        schemas.check("processList", page)
        assert len(page["processes"]) == 1
        seen += [process["id"] for process in page["processes"]]
        address = rels(page).get("next", "")
    assert sorted(seen) == ["ada.echo", "cyd.one", "cyd.two"]


def test_req__core__pl_links(ogc: TestClient) -> None:
    told = ogc.get("processes?limit=1").json()
    links = rels(told)
    assert links["self"].endswith("processes?limit=1")
    assert ogc.get(links["alternate"]).headers["content-type"].startswith("text/html")
    page = ogc.get(links["alternate"])
    assert f'href="{links["self"].replace("&", "&amp;")}' in page.text


def test_req__core__process(ogc: TestClient) -> None:
    assert ogc.get("processes/ada.echo").status_code == 200
    assert ogc.get("processes/ada.echo:1.0.0").json()["id"] == "ada.echo:1.0.0"


def test_req__core__process_success(ogc: TestClient, schemas: Any) -> None:
    told = ogc.get("processes/ada.echo").json()
    schemas.check("process", told)
    assert told["inputs"].keys() == {
        *(
            "text",
            "texts",
            "integer",
            "number",
            "flag",
            "maybe",
            "size",
            "day",
            "moment",
            "area",
            "shape",
            "period",
            "pause",
        )
    }
    assert rels(told)[f"{REL}/execute"].endswith("processes/ada.echo/execution")


def test_req__core__process_exception__no_such_process(ogc: TestClient, schemas: Any) -> None:
    for missing in ("ada.nothing", "ada.echo:9.9.9", "echo", "a b", "nobody.echo", "ada.echo:latest-of-all"):
        for answer in (ogc.get(f"processes/{missing}"), ogc.post(f"processes/{missing}/execution", json={})):
            assert answer.status_code == 404, missing
            schemas.check("exception", answer.json())
            assert answer.json()["type"] == f"{EXCEPTIONS}/no-such-process"
            assert answer.headers["content-type"] == "application/problem+json"


def test_req__core__test_process(ogc: TestClient) -> None:
    answer = ogc.post("processes/ada.echo/execution", json={"inputs": {"text": "ping"}, "outputs": {"text": {}}})
    assert (answer.status_code, answer.text) == (200, "ping")


def test_every_door_needs_a_token(ogc: TestClient) -> None:
    paths = ogc.get("api").json()["paths"]
    doors = [(method, path) for path, methods in paths.items() for method in methods if method != "parameters"]
    assert len(doors) > 14
    for method, path in doors:
        address = path.format(processID="ada.echo", jobID="a1").lstrip("/")
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer nobody"}):
            answer = ogc.request(method, address, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"]


def test_addresses_are_those_that_the_caller_knows(ogc: TestClient) -> None:
    headers = {"host": "eo.example.org:8443", "x-forwarded-proto": "https,http"}
    told = ogc.get("", headers=headers).json()
    assert {urlsplit(link["href"])[:2] for link in told["links"]} == {("https", "eo.example.org:8443")}
