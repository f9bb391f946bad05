"""Part 1, class core: execute requests, what they may hold, and how they are answered."""

from __future__ import annotations

import base64
import email
import json
from collections.abc import Iterator
from email.message import Message
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from swath_marketplace.domain.errors import RunRefused
from swath_marketplace.ogc_testing import NAMES, echo_notebook
from swath_marketplace.testing import PREFIX, World, user

PATH = "processes/ada.echo/execution"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
RESULTS = "http://www.opengis.net/def/rel/ogc/1.0/results"


@pytest.fixture(autouse=True)
def _nothing_held_back(world: World) -> Iterator[None]:
    yield
    world.fake.hold_back = False
    for run_id in world.fake.starts:
        world.fake.let_end(run_id)


def execute(ogc: TestClient, inputs: Any = None, *, prefer: str | None = None, **more: Any) -> httpx.Response:
    headers = {"Prefer": prefer} if prefer else {}
    return ogc.post(PATH, json={"inputs": inputs or {}, **more}, headers=headers)


def echoed(ogc: TestClient, name: str, value: Any) -> Any:
    """What comes back of one input."""
    answer = execute(ogc, {name: value}, outputs={name: {}})
    assert answer.status_code == 200, answer.text
    return answer.json() if name != "text" else answer.text


def refused(ogc: TestClient, name: str, value: Any, schemas: Any) -> str:
    """The message about an input that is wrong, which names it."""
    answer = execute(ogc, {name: value})
    assert answer.status_code == 400, answer.text
    schemas.check("exception", answer.json())
    assert any(name in finding["field"] for finding in answer.json()["findings"])
    return str(answer.json()["detail"])


def parts_of(answer: httpx.Response) -> dict[str, Message]:
    """The parts of a multipart answer by their content id, as the standard library's parser reads them."""
    assert answer.headers["content-type"].startswith("multipart/related; boundary=")
    whole = email.message_from_bytes(
        b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n" + answer.content
    )
    assert whole.is_multipart()
    assert not whole.defects
    return {str(part["Content-ID"]): part for part in whole.get_payload()}  # type: ignore[union-attr, misc]


def finished(ogc: TestClient, **more: Any) -> httpx.Response:
    """The results of a job that was executed asynchronously."""
    answer = execute(ogc, prefer="respond-async", **more)
    assert answer.status_code == 201
    job = answer.headers["location"]
    for _ in range(600):
        status = ogc.get(job).json()
        if status["status"] not in ("accepted", "running"):
            break
    assert status["status"] == "successful"
    href = next(link["href"] for link in status["links"] if link["rel"] == RESULTS)
    return ogc.get(href)


def test_req__core__process_execute_op(ogc: TestClient) -> None:
    assert execute(ogc).status_code == 200


def test_req__core__process_execute_request(ogc: TestClient, schemas: Any) -> None:
    whole = {
        "id": "ada.echo",
        "inputs": {"text": "a", "integer": 1},
        "outputs": {"text": {"format": {"mediaType": "text/plain"}, "transmissionMode": "value"}},
        "response": "document",
    }
    assert ogc.post(PATH, json=whole).status_code == 200
    bodies: list[Any] = [
        [],
        {"inputs": []},
        {"outputs": []},
        {"outputs": {"text": 1}},
        {"outputs": {"nothing": {}}},
        {"outputs": {"text": {"transmissionMode": "pigeon"}}},
        {"outputs": {"text": {"format": {"mediaType": "image/tiff"}}}},
        {"response": "cooked"},
        {"subscriber": {}},
        {"subscriber": {"successUri": "file:///etc/passwd"}},
        {"subscriber": {"successUri": "https://user:secret@example.org/"}},
        {"invalid-execute-request": "true"},
    ]
    for body in bodies:
        answer = ogc.post(PATH, json=body)
        assert answer.status_code == 400, body
        schemas.check("exception", answer.json())
        assert answer.json()["findings"][0]["field"]
    assert ogc.post(PATH, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert ogc.post(PATH, content=b"[" * 5000, headers={"Content-Type": "application/json"}).status_code == 400
    assert ogc.post(PATH, content=b"<x/>", headers={"Content-Type": "application/xml"}).status_code == 415


def test_req__core__process_execute_default_execution_mode(ogc: TestClient, world: World) -> None:
    assert execute(ogc, outputs={"text": {}}).status_code == 200
    world.registry.publish(user("ada"), echo_notebook(name="long", wall_seconds=1000))
    described = ogc.get("processes/ada.long").json()
    assert described["jobControlOptions"] == ["async-execute", "dismiss"]
    assert ogc.post("processes/ada.long/execution", json={}).status_code == 201


def test_req__core__process_execute_auto_execution_mode(ogc: TestClient) -> None:
    answer = execute(ogc, prefer="respond-async")
    assert (answer.status_code, answer.headers["preference-applied"]) == (201, "respond-async")
    # Whoever would wait a while before going away gets the results, where they are there by then (RFC 7240, 4.3).
    assert execute(ogc, prefer="respond-async, wait=20", outputs={"text": {}}).text == "hello"


def test_req__core__process_execute_default_outputs(ogc: TestClient, schemas: Any) -> None:
    told = execute(ogc, response="document").json()
    schemas.check("results", told)
    assert told.keys() == ogc.get("processes/ada.echo").json()["outputs"].keys() == {"text", *NAMES, "everything"}


def test_req__core__process_execute_inputs(ogc: TestClient, schemas: Any) -> None:
    assert echoed(ogc, "text", "by value") == "by value"
    assert echoed(ogc, "text", {"href": "data:,by%20reference"}) == "by reference"
    shape = {"type": "Point", "coordinates": [1.0, 2.0]}
    packed = base64.b64encode(json.dumps(shape).encode()).decode()
    assert (
        echoed(ogc, "shape", {"href": f"data:application/geo+json;base64,{packed}", "type": "application/geo+json"})
        == shape
    )
    # An output of one job is an input of the next.
    run = execute(ogc, {"shape": shape}, outputs={"shape": {"transmissionMode": "reference"}}, response="document")
    link = run.json()["shape"]
    assert echoed(ogc, "shape", link) == shape
    for address in (
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8001/services/quota/",
        "file:///etc/passwd",
        "https://example.org/shape.json",
        link["href"].replace("http://test", "http://elsewhere"),
    ):
        assert "opens no address" in refused(ogc, "shape", {"href": address}, schemas)
    other = ogc.post(PATH, json={"inputs": {"shape": link}}, headers={"Authorization": "Bearer cyd"})
    assert (other.status_code, other.json()["code"]) == (400, "bad-reference-input")


def test_req__core__process_execute_input_array(ogc: TestClient, schemas: Any) -> None:
    assert echoed(ogc, "texts", ["x", "y"]) == ["x", "y"]
    assert echoed(ogc, "texts", ["x"]) == ["x"]
    assert echoed(ogc, "texts", "x") == ["x"]
    assert echoed(ogc, "texts", [{"value": "x"}, {"href": "data:,y"}]) == ["x", "y"]
    refused(ogc, "texts", [1], schemas)


def test_req__core__process_execute_input_inline_object(ogc: TestClient) -> None:
    shape = {"type": "Feature", "properties": {"a": None}, "geometry": {"type": "Point", "coordinates": [1.0, 2.0]}}
    assert echoed(ogc, "shape", {"value": shape}) == shape
    assert echoed(ogc, "shape", shape) == shape


def test_req__core__process_execute_input_mixed_type(ogc: TestClient, schemas: Any) -> None:
    shape = {"type": "Point", "coordinates": [1.0, 2.0]}
    assert echoed(ogc, "shape", {"value": shape, "mediaType": "application/geo+json"}) == shape
    assert echoed(ogc, "shape", {"value": shape, "format": {"mediaType": "application/geo+json"}}) == shape
    assert echoed(ogc, "shape", {"value": json.dumps(shape), "mediaType": "application/geo+json"}) == shape
    refused(ogc, "shape", {"value": "<gml:Point/>", "mediaType": "application/gml+xml; version=3.2"}, schemas)


def test_req__core__process_execute_input_inline_binary(ogc: TestClient, schemas: Any) -> None:
    packed = base64.b64encode("grün".encode()).decode()
    assert echoed(ogc, "text", {"value": packed, "encoding": "base64", "mediaType": "text/plain"}) == "grün"
    refused(ogc, "text", {"value": "no base64", "encoding": "base64"}, schemas)
    refused(ogc, "text", {"value": base64.b64encode(b"\xff\xfe\xff").decode(), "encoding": "base64"}, schemas)
    refused(ogc, "text", {"value": packed, "encoding": "zip"}, schemas)


def test_req__core__process_execute_input_inline_bbox(ogc: TestClient, schemas: Any) -> None:
    box = {"west": 5.0, "south": 51.0, "east": 5.5, "north": 51.5}
    assert echoed(ogc, "area", {"bbox": [5.0, 51.0, 5.5, 51.5]}) == box
    assert echoed(ogc, "area", {"bbox": [5.0, 51.0, 5.5, 51.5], "crs": CRS84}) == box
    assert echoed(ogc, "area", {"value": {"bbox": [5.0, 51.0, 5.5, 51.5]}}) == box
    heights = {"bbox": [5.0, 51.0, -10.0, 5.5, 51.5, 90.0], "crs": "http://www.opengis.net/def/crs/OGC/0/CRS84h"}
    assert echoed(ogc, "area", heights) == box
    # The EPSG's degrees have latitude first.
    epsg = "http://www.opengis.net/def/crs/EPSG/0/4326"
    assert echoed(ogc, "area", {"bbox": [51.0, 5.0, 51.5, 5.5], "crs": epsg}) == box
    utm = {"bbox": [640000, 5650000, 650000, 5660000], "crs": "urn:ogc:def:crs:EPSG::32631"}
    assert echoed(ogc, "area", utm)["crs"] == 32631
    for wrong in (
        {"bbox": [1, 2, 3]},
        {"bbox": "1,2,3,4"},
        {"bbox": [5.5, 51.0, 5.0, 51.5]},
        {"bbox": [None, 51.0, 5.0, 51.5]},
        {"bbox": [5.0, 51.0, 5.5, 51.5], "crs": "http://www.opengis.net/def/crs/EPSG/0/3035"},
    ):
        refused(ogc, "area", wrong, schemas)


def test_req__core__process_execute_input_validation(ogc: TestClient, schemas: Any) -> None:
    wrong = {
        "integer": 1000,
        "number": "1",
        "flag": 1,
        "day": "2023-02-30",
        "size": 4,
        "period": ["2023-02-01"],
        "none": 1,
    }
    answer = execute(ogc, wrong)
    assert answer.status_code == 400
    schemas.check("exception", answer.json())
    assert {finding["field"] for finding in answer.json()["findings"]} == wrong.keys()
    refused(ogc, "text", {"type": "wrong/type"}, schemas)
    # By reference as inline.
    refused(ogc, "integer", {"href": "data:application/json,1000"}, schemas)
    plain = ogc.post(PATH, json={"inputs": wrong}, headers={"Accept": "application/json"})
    assert plain.headers["content-type"] == "application/json"


def test_req__core__process_execute_success_async(ogc: TestClient, schemas: Any) -> None:
    answer = execute(ogc, prefer="respond-async")
    assert answer.status_code == 201
    schemas.check("statusInfo", answer.json())
    assert answer.headers["location"].endswith(f"/ogc/jobs/{answer.json()['jobID']}")
    schemas.check("statusInfo", ogc.get(answer.headers["location"]).json())


def test_req__core__process_execute_sync_document(ogc: TestClient, schemas: Any) -> None:
    outputs = {"everything": {"transmissionMode": "value"}, "shape": {"transmissionMode": "reference"}, "text": {}}
    answer = execute(ogc, outputs=outputs, response="document")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    schemas.check("results", told)
    assert told["everything"]["value"]["text"] == "hello"
    assert told["text"] == {"value": "hello", "mediaType": "text/plain"}
    assert ogc.get(told["shape"]["href"]).json()["type"] == "Point"


def test_req__core__process_execute_sync_raw_value_one(ogc: TestClient) -> None:
    answer = execute(ogc, {"text": "<script>"}, outputs={"text": {}})
    assert (answer.status_code, answer.text) == (200, "<script>")
    assert answer.headers["content-type"].partition(";")[0] == "text/plain"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_req__core__process_execute_sync_raw_value_multi(ogc: TestClient) -> None:
    answer = execute(ogc, {"integer": 3}, outputs={"text": {}, "integer": {}})
    assert answer.status_code == 200
    parts = parts_of(answer)
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {"text": b"hello", "integer": b"3"}
    assert parts["integer"].get_content_type() == "application/json"


def test_req__core__process_execute_sync_raw_ref(ogc: TestClient) -> None:
    by_reference = {"transmissionMode": "reference"}
    answer = execute(ogc, outputs={"text": by_reference, "integer": by_reference})
    assert (answer.status_code, answer.content) == (204, b"")
    items = [link for link in answer.headers.get_list("link") if "rel=item" in link]
    assert len(items) == 2
    assert ogc.get(items[0].partition(";")[0].strip("<>")).text == "hello"


def test_req__core__process_execute_sync_raw_mixed_multi(ogc: TestClient) -> None:
    answer = execute(ogc, outputs={"text": {"transmissionMode": "reference"}, "integer": {"transmissionMode": "value"}})
    assert answer.status_code == 200
    parts = parts_of(answer)
    assert parts["integer"].get_payload(decode=True) == b"7"
    assert parts["text"].get_payload(decode=True) == b""
    assert ogc.get(parts["text"]["Content-Location"]).text == "hello"


def test_req__core__job_results_success_sync(ogc: TestClient, schemas: Any) -> None:
    answer = execute(ogc, outputs={"text": {}})
    link = next(link for link in answer.headers.get_list("link") if "rel=monitor" in link)
    status = ogc.get(link.partition(";")[0].strip("<>")).json()
    schemas.check("statusInfo", status)
    assert status["status"] == "successful"
    assert ogc.get(f"jobs/{status['jobID']}/results").text == "hello"


def test_req__core__job_results_async_document(ogc: TestClient, schemas: Any) -> None:
    answer = finished(ogc, response="document")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    schemas.check("results", answer.json())


def test_req__core__job_results_async_raw_value_one(ogc: TestClient) -> None:
    answer = finished(ogc, outputs={"integer": {}})
    assert (answer.status_code, answer.json()) == (200, 7)


def test_req__core__job_results_async_raw_value_multi(ogc: TestClient) -> None:
    assert parts_of(finished(ogc, outputs={"text": {}, "day": {}})).keys() == {"text", "day"}


def test_req__core__job_results_async_raw_ref(ogc: TestClient) -> None:
    assert finished(ogc, outputs={"text": {"transmissionMode": "reference"}}).status_code == 204


def test_req__core__job_results_async_raw_mixed_multi(ogc: TestClient) -> None:
    outputs = {"text": {"transmissionMode": "reference"}, "day": {}}
    assert parts_of(finished(ogc, outputs=outputs))["text"]["Content-Location"].startswith(f"http://test{PREFIX}runs/")


def test_a_job_that_is_not_over_in_time_goes_on(ogc: TestClient, world: World) -> None:
    world.fake.hold_back = True
    answer = execute(ogc, prefer="wait=1")
    assert (answer.status_code, answer.headers["preference-applied"]) == (201, "wait=1")
    assert ogc.get(answer.headers["location"]).json()["status"] in ("accepted", "running")


def test_the_same_key_is_the_same_job(ogc: TestClient) -> None:
    headers = {"Idempotency-Key": "once", "Prefer": "respond-async"}
    first, again = (ogc.post(PATH, json={}, headers=headers) for _ in range(2))
    assert first.json()["jobID"] == again.json()["jobID"]
    other = ogc.post(PATH, json={"inputs": {"text": "b"}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (400, "idempotency-key-reused")


def test_a_wallet_that_does_not_hold_is_a_402(
    ogc: TestClient, world: World, schemas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RunRefused(
            code="credits-exhausted", message="nothing is left", extra={"retry_at": "2027-01-01T00:00:00Z"}
        )

    monkeypatch.setattr(world.runs, "create", refuse)
    answer = execute(ogc)
    assert (answer.status_code, answer.json()["retry_at"]) == (402, "2027-01-01T00:00:00Z")
    schemas.check("exception", answer.json())
