"""Part 1: jobs, their list, their results, callbacks and dismissal; Part 4: where results come from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from swath_marketplace.domain.runs import Stage
from swath_marketplace.hook_testing import receiving
from swath_marketplace.testing import World

PATH = "processes/ada.echo/execution"
EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


@pytest.fixture(autouse=True)
def _nothing_held_back(world: World) -> Iterator[None]:
    yield
    world.fake.hold_back = False
    for run_id in world.fake.starts:
        world.fake.let_end(run_id)


@pytest.fixture(scope="module")
def done(ogc: TestClient, world: World) -> dict[str, str]:
    """Ids of jobs that ended: one well, one badly."""
    started = {word: start(ogc, text=word) for word in ("good", "fail")}
    for run_id in started.values():
        settle(world, run_id)
    return started


def start(ogc: TestClient, *, text: str = "hello", who: str = "bob") -> str:
    headers = {"Prefer": "respond-async", "Authorization": f"Bearer {who}"}
    answer = ogc.post(PATH, json={"inputs": {"text": text}, "outputs": {"text": {}}}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["jobID"])


def settle(world: World, run_id: str) -> None:
    world.look_until(run_id, Stage.TERMINAL)


def going(ogc: TestClient, world: World) -> str:
    """Id of a job that runs until the test is over."""
    world.fake.hold_back = True
    run_id = start(ogc)
    world.look_until(run_id, Stage.RUNNING)
    return run_id


def ids(ogc: TestClient, **query: Any) -> list[str]:
    answer = ogc.get("jobs", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    return [job["jobID"] for job in answer.json()["jobs"]]


def test_req__core__job(ogc: TestClient, done: dict[str, str]) -> None:
    assert ogc.get(f"jobs/{done['good']}").status_code == 200


def test_req__core__job_success(ogc: TestClient, done: dict[str, str], world: World, schemas: Any) -> None:
    told = {word: ogc.get(f"jobs/{run_id}").json() for word, run_id in done.items()}
    told["going"] = ogc.get(f"jobs/{going(ogc, world)}").json()
    for one in told.values():
        schemas.check("statusInfo", one)
    assert {word: one["status"] for word, one in told.items()} == {
        "good": "successful",
        "fail": "failed",
        "going": "running",
    }
    assert (told["good"]["progress"], told["fail"]["message"]) == (100, "it was told to fail")
    assert {"created", "started", "finished", "updated"} <= told["good"].keys()


def test_req__core__job_exception_no_such_job(ogc: TestClient, done: dict[str, str], schemas: Any) -> None:
    missing = [("bob", "nothing"), ("bob", "a b"), ("cyd", done["good"])]
    for who, run_id in missing:
        for method in ("GET", "DELETE"):
            answer = ogc.request(method, f"jobs/{run_id}", headers={"Authorization": f"Bearer {who}"})
            assert answer.status_code == 404
            schemas.check("exception", answer.json())
            assert answer.json()["type"] == f"{EXCEPTIONS}/no-such-job"


def test_req__core__job_results(ogc: TestClient, done: dict[str, str]) -> None:
    answer = ogc.get(f"jobs/{done['good']}/results")
    assert (answer.status_code, answer.text) == (200, "good")


def test_req__core__job_results_exception__no_such_job(ogc: TestClient, done: dict[str, str], schemas: Any) -> None:
    for who, run_id in (("bob", "nothing"), ("cyd", done["good"])):
        answer = ogc.get(f"jobs/{run_id}/results", headers={"Authorization": f"Bearer {who}"})
        assert (answer.status_code, answer.json()["type"]) == (404, f"{EXCEPTIONS}/no-such-job")
        schemas.check("exception", answer.json())


def test_req__core__job_results_exception__results_not_ready(ogc: TestClient, world: World, schemas: Any) -> None:
    answer = ogc.get(f"jobs/{going(ogc, world)}/results")
    assert (answer.status_code, answer.json()["type"]) == (404, f"{EXCEPTIONS}/result-not-ready")
    schemas.check("exception", answer.json())


def test_req__core__job_results_failed(ogc: TestClient, done: dict[str, str], schemas: Any) -> None:
    answer = ogc.get(f"jobs/{done['fail']}/results")
    assert (answer.status_code, answer.json()["code"]) == (500, "cell-failed")
    schemas.check("exception", answer.json())
    synchronous = ogc.post(PATH, json={"inputs": {"text": "fail"}})
    assert (synchronous.status_code, synchronous.json()["detail"]) == (500, "it was told to fail")
    assert "rel=monitor" in synchronous.headers["link"]


def test_req__job_list__job_list_op(ogc: TestClient) -> None:
    assert ogc.get("jobs").status_code == 200


def test_req__job_list__job_list_success(ogc: TestClient, done: dict[str, str], schemas: Any) -> None:
    told = ogc.get("jobs").json()
    schemas.check("jobList", told)
    assert set(done.values()) <= {job["jobID"] for job in told["jobs"]}
    assert not ids(ogc, processID="cyd.echo")
    alien = ogc.get("jobs", headers={"Authorization": "Bearer cyd"}).json()["jobs"]
    assert not {job["jobID"] for job in alien} & set(done.values())


def test_a_run_of_another_door_is_a_job_too(ogc: TestClient, world: World, schemas: Any) -> None:
    run = ogc.post(ogc.base_url.join("../runs"), json={"algorithm": "ada/echo", "parameters": {}}).json()["id"]
    settle(world, run)
    assert run in ids(ogc)
    results = ogc.get(f"jobs/{run}/results").json()
    schemas.check("results", results)
    assert results["text"]["value"] == "hello"


def test_req__job_list__links(ogc: TestClient) -> None:
    told = ogc.get("jobs?limit=1").json()
    links = {link["rel"]: link["href"] for link in told["links"]}
    assert links["self"].endswith("jobs?limit=1")
    assert ogc.get(links["alternate"]).headers["content-type"].startswith("text/html")


def _parameter(ogc: TestClient, name: str) -> Any:
    return ogc.get("api").json()["components"]["parameters"][name]


def test_req__job_list__limit_definition(ogc: TestClient) -> None:
    assert _parameter(ogc, "limit")["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}
    assert [ogc.get("jobs", params={"limit": wrong}).status_code for wrong in ("0", "many")] == [400, 400]


def test_req__job_list__limit_response(ogc: TestClient, done: dict[str, str]) -> None:
    seen, address = [], "jobs?limit=1&status=successful,failed"
    while address:
        page = ogc.get(address).json()
        assert len(page["jobs"]) == 1
        seen += [job["jobID"] for job in page["jobs"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert len(seen) == len(set(seen))
    assert seen == ids(ogc, status="successful,failed")
    assert set(done.values()) <= set(seen)
    assert ogc.get("jobs", params={"after": "nothing"}).status_code == 404


def test_req__job_list__type_definition(ogc: TestClient) -> None:
    assert _parameter(ogc, "type")["schema"]["items"] == {"type": "string", "enum": ["process"]}


def test_req__job_list__type_response(ogc: TestClient) -> None:
    assert ids(ogc, type="process") == ids(ogc)
    assert ids(ogc, type="openeo") == []


def test_req__job_list__processid_definition(ogc: TestClient) -> None:
    schema = _parameter(ogc, "processID")["schema"]
    assert schema == {"type": "array", "items": {"type": "string"}}


def test_req__job_list__processid_mandatory(ogc: TestClient) -> None:
    assert all(job["processID"] for job in ogc.get("jobs").json()["jobs"])
    assert "processID" in ogc.get("api").json()["components"]["schemas"]["statusInfo"]["required"]


def test_req__job_list__processid_response(ogc: TestClient, done: dict[str, str]) -> None:
    assert set(done.values()) <= set(ids(ogc, processID="ada.echo"))
    assert set(done.values()) <= set(ids(ogc, processID=["ada.other", "ada.echo"]))
    assert ids(ogc, processID="ada.other") == ids(ogc, processID="of no form") == []


def test_req__job_list__status_definition(ogc: TestClient) -> None:
    schema = _parameter(ogc, "status")["schema"]
    assert (schema["type"], schema["items"]["type"]) == ("array", "string")
    assert ogc.get("jobs", params={"status": "bored"}).status_code == 400


def test_req__job_list__status_response(ogc: TestClient, done: dict[str, str], world: World) -> None:
    running = going(ogc, world)
    good, bad = done["good"], done["fail"]
    for status, there, elsewhere in (
        ("successful", good, bad),
        ("failed", bad, good),
        ("running", running, good),
        (["failed", "running"], running, good),
        ("failed,running", bad, good),
    ):
        found = ids(ogc, status=status)
        assert there in found
        assert elsewhere not in found


def test_req__job_list__datetime_definition(ogc: TestClient) -> None:
    assert _parameter(ogc, "datetime")["schema"] == {"type": "string"}
    for wrong in ("yesterday", "2026-13-01T00:00:00Z/..", "2026-01-01T00:00:00"):
        assert ogc.get("jobs", params={"datetime": wrong}).status_code == 400


def test_req__job_list__datetime_response(ogc: TestClient, done: dict[str, str]) -> None:
    created = ogc.get(f"jobs/{done['good']}").json()["created"]
    at = datetime.fromisoformat(created)
    before, after = ((at + timedelta(seconds=step)).isoformat().replace("+00:00", "Z") for step in (-1, 1))
    within = (created, f"{before}/{after}", f"../{after}", f"{before}/..", f"/{after}", f"{before}/", f"{at:%Y-%m-%d}")
    for moment in within:
        assert done["good"] in ids(ogc, datetime=moment), moment
    for moment in (before, f"../{before}", f"{after}/..", "2001-01-01T00:00:00Z/2002-01-01T00:00:00Z"):
        assert done["good"] not in ids(ogc, datetime=moment), moment


def test_req__job_list__duration_definition(ogc: TestClient) -> None:
    for name in ("minDuration", "maxDuration"):
        assert _parameter(ogc, name)["schema"]["items"] == {"type": "integer"}
        assert [ogc.get("jobs", params={name: wrong}).status_code for wrong in ("-1", "x", "1,2")] == [400, 400, 400]


def test_req__job_list__duration_response(ogc: TestClient, done: dict[str, str], world: World) -> None:
    assert set(done.values()) <= set(ids(ogc, maxDuration=3600))
    assert not set(done.values()) & set(ids(ogc, minDuration=3600))
    assert done["good"] in ids(ogc, minDuration=0, maxDuration=3600, status="successful")
    world.fake.hold_back = True
    started = [start(ogc) for _ in range(9)]
    timed = set(ids(ogc, maxDuration=3600))
    # More than may run at once: who waits now waited then.
    waiting = {run_id for run_id in started if ogc.get(f"jobs/{run_id}").json()["status"] == "accepted"}
    assert waiting
    assert not waiting & timed
    for run_id in started:
        ogc.delete(f"jobs/{run_id}")
        settle(world, run_id)


def test_req__callback__job_callback(ogc: TestClient, world: World, schemas: Any) -> None:
    deliverer = world.made.hooks.deliverer
    with receiving() as receiver:
        words = {"successUri": "good", "inProgressUri": "going", "failedUri": "bad"}
        subscriber = {name: f"{receiver.url}/{word}" for name, word in words.items()}
        for text in ("hello", "fail"):
            body = {"inputs": {"text": text}, "outputs": {"integer": {}, "text": {}}, "subscriber": subscriber}
            answer = ogc.post(PATH, json=body, headers={"Prefer": "respond-async"})
            assert answer.status_code == 201, answer.text
            settle(world, answer.json()["jobID"])
        while deliverer.look():
            pass
        told: dict[str, list[Any]] = {}
        for one in receiver.received:
            assert one.headers["content-type"] == "application/json"
            told.setdefault(one.path.rpartition("/")[2], []).append(json.loads(one.body))
    assert told.keys() == {"good", "going", "bad"}
    schemas.check("results", told["good"][0])
    assert told["good"] == [
        {
            "integer": {"value": 7, "mediaType": "application/json"},
            "text": {"value": "hello", "mediaType": "text/plain"},
        }
    ]
    for status in (*told["bad"], *told["going"]):
        schemas.check("statusInfo", status)
    assert [status["status"] for status in told["bad"]] == ["failed"]
    assert told["bad"][0]["links"][0]["href"].startswith("http://test/services/marketplace/ogc/jobs/")


def test_nothing_is_sent_to_where_nothing_may_be(ogc: TestClient, schemas: Any) -> None:
    before = ids(ogc)
    for address in ("http://169.254.169.254/latest", "https://10.0.0.1/hook", "http://[fd00::1]/hook"):
        answer = ogc.post(PATH, json={"subscriber": {"successUri": address}})
        assert answer.status_code == 400, answer.text
        schemas.check("exception", answer.json())
    assert ids(ogc) == before


def test_req__dismiss__job_dismiss_op(ogc: TestClient, world: World) -> None:
    assert ogc.delete(f"jobs/{going(ogc, world)}").status_code == 200


def test_req__dismiss__job_dismiss_success(ogc: TestClient, world: World, schemas: Any) -> None:
    running = going(ogc, world)
    told = ogc.delete(f"jobs/{running}").json()
    schemas.check("statusInfo", told)
    assert told["status"] == "dismissed"
    settle(world, running)
    assert ogc.get(f"jobs/{running}").json()["status"] == "dismissed"
    world.fake.hold_back = False
    over = start(ogc)
    settle(world, over)
    assert ogc.delete(f"jobs/{over}").json()["status"] == "dismissed"
    gone = ogc.get(f"jobs/{over}/results")
    assert (gone.status_code, gone.json()["code"]) == (410, "job-dismissed")
    assert {running, over} <= set(ids(ogc, status="dismissed"))
    assert not {running, over} & set(ids(ogc, status="successful,failed,running,accepted"))
    # The run is what it was: paid for, and with its receipt.
    assert ogc.get(ogc.base_url.join(f"../runs/{over}")).json()["status"] == "finished"


def test_req__provenance__prov_get_op(ogc: TestClient, done: dict[str, str]) -> None:
    assert ogc.get(f"jobs/{done['good']}/prov").status_code == 200
    assert ogc.get("jobs/nothing/prov").status_code == 404


def test_req__provenance__prov_response(ogc: TestClient, done: dict[str, str]) -> None:
    told = ogc.get(f"jobs/{done['good']}/prov").json()
    assert {"prefix", "activity", "entity", "wasGeneratedBy"} <= told.keys()


def test_req__provenance__inputs_get_op(ogc: TestClient, done: dict[str, str]) -> None:
    assert ogc.get(f"jobs/{done['good']}/inputs").status_code == 200


def test_req__provenance__inputs_response(ogc: TestClient, done: dict[str, str]) -> None:
    told = ogc.get(f"jobs/{done['good']}/inputs").json()
    assert (told["inputs"]["text"], told["inputs"]["integer"]) == ("good", 7)


def test_times_are_in_utc(ogc: TestClient, done: dict[str, str]) -> None:
    assert datetime.fromisoformat(ogc.get(f"jobs/{done['good']}").json()["created"]).tzinfo == UTC
