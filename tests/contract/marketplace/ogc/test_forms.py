"""Part 1: the API definition, HTML and JSON, and what process descriptions say."""

from __future__ import annotations

import html.parser
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from starlette.testclient import TestClient
from swath_marketplace.ogc_testing import NAMES
from swath_marketplace.testing import World, notebook, user

DOORS = ("", "conformance", "api", "processes", "processes/ada.echo", "processes/ada.echo/package", "jobs")


@pytest.fixture(scope="module")
def job(ogc: TestClient) -> str:
    """A job that has finished."""
    answer = ogc.post("processes/ada.echo/execution", json={"inputs": {"text": "<b>"}, "outputs": {"text": {}}})
    assert answer.status_code == 200
    return str(ogc.get("jobs").json()["jobs"][0]["jobID"])


def doors(job: str) -> tuple[str, ...]:
    return (*DOORS, f"jobs/{job}", f"jobs/{job}/results", f"jobs/{job}/prov", f"jobs/{job}/inputs")


class Page(html.parser.HTMLParser):
    """The text and the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.words = ""
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if tag == "a" and name == "href"}

    def handle_data(self, data: str) -> None:
        self.words += data


def _leaves(thing: Any) -> list[Any]:
    if isinstance(thing, dict):
        return [leaf for inner in thing.values() for leaf in _leaves(inner)]
    if isinstance(thing, list):
        return [leaf for inner in thing for leaf in _leaves(inner)]
    return [thing]


def test_req__html__definition(ogc: TestClient, job: str) -> None:
    for path in doors(job):
        by_query = ogc.get(path, params={"f": "html"})
        by_header = ogc.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        for answer in (by_query, by_header):
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].startswith("text/html"), path
    assert ogc.get("processes", params={"f": "xml"}).status_code == 400


def test_req__html__content(ogc: TestClient, job: str) -> None:
    for path in ("", "conformance", "processes", "processes/ada.echo", "jobs", f"jobs/{job}", f"jobs/{job}/inputs"):
        document, page = ogc.get(path).json(), Page(ogc.get(path, params={"f": "html"}).text)
        assert page.tags >= {"html", "body", "main", "h1"}
        links = {one["href"] for one in document["links"] if one["rel"] not in ("self", "alternate")}
        assert links <= page.links, path
        told = [leaf for name, part in document.items() if name != "links" for leaf in _leaves(part)]
        for leaf in told:
            assert not isinstance(leaf, str) or leaf in page.words or leaf in page.links, (path, leaf)


def test_nothing_that_a_user_writes_acts_in_a_page(ogc: TestClient, world: World, job: str) -> None:
    mean = "<img src=x onerror=alert(1)>"
    world.registry.publish(user("cyd"), notebook(name="mean", references=["javascript:alert(1)"], title=mean))
    for path in ("processes", "processes/cyd.mean", f"jobs/{job}/inputs"):
        answer = ogc.get(path, params={"f": "html"})
        page = Page(answer.text)
        assert not page.tags & {"img", "script", "b"}
        assert not any(link.lower().startswith("javascript") for link in page.links)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    missing = ogc.get("jobs/nothing", headers={"Accept": "text/html"})
    assert (missing.status_code, missing.headers["content-type"].partition(";")[0]) == (404, "text/html")


def test_req__json__definition(ogc: TestClient, job: str) -> None:
    for path in doors(job):
        answer = ogc.get(path, headers={"Accept": "application/json"})
        assert answer.status_code == 200
        if not path.endswith("results"):
            assert "json" in answer.headers["content-type"], path
            answer.json()


def test_req__oas30__oas_definition_1(ogc: TestClient) -> None:
    assert ogc.get("api").headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
    page = ogc.get("api", headers={"Accept": "text/html"})
    assert "POST /processes/{processID}/execution" in Page(page.text).words


def test_req__oas30__oas_definition_2(ogc: TestClient) -> None:
    definition = ogc.get("api").json()
    OpenAPIV30SpecValidator(definition).validate()
    assert definition["servers"] == [{"url": str(ogc.base_url).rstrip("/")}]


def test_req__oas30__oas_impl(ogc: TestClient, job: str) -> None:
    for path, methods in ogc.get("api").json()["paths"].items():
        address = path.format(processID="ada.echo", jobID=job).lstrip("/")
        for method in methods.keys() - {"parameters", "delete"}:
            answer = ogc.request(method, address, headers={"Content-Type": "text/nothing"})
            assert answer.status_code == (200 if method == "get" else 415), (method, path)


def test_req__oas30__completeness(ogc: TestClient, job: str) -> None:
    paths = ogc.get("api").json()["paths"]
    met = {
        ("/processes/{processID}/execution", "post"): [
            ogc.post("processes/ada.echo/execution", json=body, headers=headers)
            for body, headers in (
                ({}, {}),
                ({}, {"Prefer": "respond-async"}),
                ({"outputs": {"text": {"transmissionMode": "reference"}}}, {}),
                ({"inputs": 1}, {}),
            )
        ],
        ("/jobs/{jobID}/results", "get"): [ogc.get(f"jobs/{job}/results"), ogc.get("jobs/nothing/results")],
        ("/jobs", "get"): [ogc.get("jobs"), ogc.get("jobs?status=x"), ogc.get("jobs?after=nothing")],
    }
    for (path, method), answers in met.items():
        described = paths[path][method]["responses"]
        assert {str(answer.status_code) for answer in answers} <= described.keys()
    assert {str(answer.status_code) for answer in met["/processes/{processID}/execution", "post"]} == {
        *("200", "201", "204", "400")
    }


def test_req__oas30__exceptions_codes(ogc: TestClient) -> None:
    definition = ogc.get("api").json()
    for methods in definition["paths"].values():
        for method, operation in methods.items():
            if method != "parameters":
                assert {"400", "401", "403", "429", "500", "503"} <= operation["responses"].keys()
    for response in definition["components"]["responses"].values():
        assert response["content"]["application/problem+json"]["schema"]["$ref"].endswith("/exception")


def test_req__oas30__security(ogc: TestClient) -> None:
    definition = ogc.get("api").json()
    assert definition["security"] == [{"token": []}]
    assert definition["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.fixture(scope="module")
def described(ogc: TestClient) -> Any:
    """The description of the echo."""
    return ogc.get("processes/ada.echo").json()


def test_req__ogc_process_description__json_encoding(described: Any, schemas: Any) -> None:
    schemas.check("process", described)


def test_req__ogc_process_description__inputs_def(described: Any) -> None:
    assert described["inputs"]["text"]["description"] == "Any text"
    assert {name: one["minOccurs"] for name, one in described["inputs"].items()} == dict.fromkeys(
        described["inputs"], 0
    )


def test_a_parameter_without_a_default_occurs_once(ogc: TestClient, world: World) -> None:
    world.registry.publish(user("cyd"), notebook(name="needs", parameters="n: int"))
    told = ogc.get("processes/cyd.needs").json()["inputs"]["n"]
    assert (told["minOccurs"], told["maxOccurs"], told["schema"]) == (1, 1, {"type": "integer"})


def test_req__ogc_process_description__input_def(described: Any) -> None:
    schemas = {name: one["schema"] for name, one in described["inputs"].items()}
    assert schemas["integer"] == {
        **{"type": "integer", "minimum": 0, "maximum": 1000, "exclusiveMaximum": True, "default": 7}
    }
    assert schemas["maybe"] == {"type": "integer", "nullable": True}
    assert schemas["size"] == {"type": "integer", "enum": [1, 2, 3], "default": 2}
    assert schemas["texts"] == {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]}
    assert schemas["day"] == {"type": "string", "format": "date", "default": "2023-04-02"}
    assert schemas["area"]["allOf"][0] == {"format": "ogc-bbox"}
    assert (schemas["period"]["type"], schemas["period"]["maxItems"]) == ("array", 2)


def test_req__ogc_process_description__input_mixed_type(described: Any) -> None:
    choices = [one["allOf"][0] for one in described["inputs"]["shape"]["schema"]["oneOf"]]
    assert [one["format"] for one in choices] == ["geojson-geometry", "geojson-feature", "geojson-feature-collection"]
    assert {one["contentMediaType"] for one in choices} == {"application/geo+json"}


def test_req__ogc_process_description__input_binary(ogc: TestClient) -> None:
    # A string of base64, as the one schema of binary values says; for any input whose bytes they are.
    inputs = {"integer": {"value": "MTI=", "encoding": "base64", "mediaType": "application/json"}}
    answer = ogc.post("processes/ada.echo/execution", json={"inputs": inputs, "outputs": {"integer": {}}})
    assert answer.json() == 12


def test_req__ogc_process_description__outputs_def(described: Any) -> None:
    assert described["outputs"].keys() == {"text", *NAMES, "everything"}
    assert described["outputs"]["text"]["description"] == "The text"


def test_req__ogc_process_description__output_def(described: Any) -> None:
    assert described["outputs"]["text"]["schema"] == {"type": "string", "contentMediaType": "text/plain"}
    assert described["outputs"]["area"]["schema"] == {"contentMediaType": "application/json"}


def test_req__ogc_process_description__output_mixed_type(ogc: TestClient, world: World) -> None:
    # An output of ours has one media type, or one that only a run tells; none has several to choose from.
    book = notebook("import swath\nx = n\nswath.emit('double', x)", name="unknown")
    world.registry.publish(user("cyd"), book)
    outputs = ogc.get("processes/cyd.unknown").json()["outputs"]
    assert "oneOf" not in str(outputs)
    assert outputs["double"]["schema"].keys() == {"description"}
