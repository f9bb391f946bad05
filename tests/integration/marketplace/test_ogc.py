"""OGC API - Processes as a stranger uses it: PyPI's ogc-api-processes-client, a real service, a real sandbox."""

from __future__ import annotations

import json
import time
from typing import Any

import ogc_api_processes_client as client
import pytest
from ogc_api_processes_client.api_client_wrapper import ApiClientWrapper
from ogc_api_processes_client.exceptions import ApiException
from ogc_api_processes_client.models.execute import Execute
from swath_marketplace.ogc_testing import echo_notebook

pytestmark = pytest.mark.integration

SHAPE = {"type": "Point", "coordinates": [6.25, 51.5]}


@pytest.fixture(scope="module")
def ogc(stack: Any) -> ApiClientWrapper:
    """Bob's client; ada has published an echo."""
    published = stack.client("ada").post("algorithms", json={"notebook": echo_notebook()})
    assert published.status_code == 201, published.text
    configuration = client.Configuration(host=f"{stack.url('marketplace')}ogc")
    # The client's definition knows no security, so the header is given to it.
    return ApiClientWrapper(configuration=configuration, header_name="Authorization", header_value="Bearer bob")


def ended(ogc: ApiClientWrapper, job: str, *, seconds: float = 90) -> Any:
    """The status of a job that is over."""
    deadline = time.monotonic() + seconds
    while True:
        status = ogc.get_status(job)
        if status.status.value not in ("accepted", "running"):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.2)


def test_a_stranger_goes_the_whole_way(ogc: ApiClientWrapper, stack: Any) -> None:
    bob = stack.client("bob")
    assert any(link.rel == "service-desc" for link in ogc.get_landing_page().links)
    conforms = ogc.get_conformance_classes().conforms_to
    assert any(one.endswith("/ogcapi-processes-1/1.0/conf/core") for one in conforms)
    assert [process.id for process in ogc.get_processes().processes] == ["ada.echo"]
    described = ogc.get_process_description("ada.echo")
    assert {"text", "area", "pause"} <= described.inputs.keys()

    request = {
        # Texts and whole numbers are left out: the client's own models refuse them, each being two things at once, and
        # lose an object on the way. By reference it arrives.
        "inputs": {"number": 0.25, "flag": False, "texts": ["x", "y"], "shape": {"href": f"data:,{json.dumps(SHAPE)}"}},
        "outputs": {
            "everything": {"transmissionMode": "value"},
            "shape": {"transmissionMode": "value"},
            "texts": {"transmissionMode": "reference"},
        },
        "response": "document",
    }
    job = ogc.execute("ada.echo", Execute.from_dict(request), _headers={"Prefer": "respond-async"})
    assert [one.job_id for one in ogc.get_jobs().jobs] == [job.job_id]
    status = ended(ogc, job.job_id)
    assert (status.status.value, status.process_id, status.progress) == ("successful", "ada.echo", 100)
    results = ogc.get_result(job.job_id)
    assert results.keys() == {"everything", "shape", "texts"}
    # Objects are lost in the client's models when it reads as when it writes; what they were, the same address says.
    assert results["shape"].to_dict()["mediaType"] == "application/json"
    told = bob.get(f"ogc/jobs/{job.job_id}/results").json()
    assert told["shape"]["value"] == SHAPE
    assert told["everything"]["value"]["area"]["west"] == 5.0
    assert bob.get(results["texts"].to_dict()["href"]).json() == ["x", "y"]


def test_a_stranger_dismisses_a_job(ogc: ApiClientWrapper, stack: Any) -> None:
    body = {"inputs": {"text": "slow", "pause": 50}, "response": "document"}
    headers = {"Prefer": "respond-async", "Authorization": "Bearer bob", "Content-Type": "application/json"}
    job = ogc.execute_simple("ada.echo", body, _headers=headers)
    assert ogc.dismiss(job.job_id).status.value == "dismissed"
    with pytest.raises(ApiException) as gone:
        ogc.get_result(job.job_id)
    assert gone.value.status == 410
    bob = stack.client("bob")
    for _ in range(300):
        if bob.get(f"runs/{job.job_id}").json()["status"] == "canceled":
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the run goes on")


def test_a_synchronous_answer_is_the_output_itself(stack: Any) -> None:
    bob = stack.client("bob")
    body = {"inputs": {"text": "now", "integer": 3}, "outputs": {"text": {}}}
    answer = bob.post("ogc/processes/ada.echo/execution", json=body)
    assert (answer.status_code, answer.text) == (200, "now")
    assert answer.headers["content-type"].startswith("text/plain")
    job = answer.headers["link"].partition(">")[0].lstrip("<")
    prov = bob.get(f"{job}/prov")
    assert prov.status_code == 200, prov.text
    assert prov.json()["activity"]
