"""Processes: listed, described, executed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from swath.contract.interface import Interface
from swath_service.cursors import decode, encode

from swath_marketplace.api.ogc import words
from swath_marketplace.api.ogc.door import DEFAULT_LIMIT, AtDoor, Door, Limit, body_of, clamped
from swath_marketplace.api.ogc.failures import Failed, OgcRoute
from swath_marketplace.api.ogc.jobs import read_output, results_of
from swath_marketplace.api.ogc.pages import told
from swath_marketplace.api.ogc.references import References
from swath_marketplace.api.ogc.requests import ExecuteRequest
from swath_marketplace.api.ogc.results import link_header
from swath_marketplace.api.ogc.values import parameters_of
from swath_marketplace.api.paging import AT_AND_ID
from swath_marketplace.api.preferences import Preferences, waited_for
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.executions import Execution
from swath_marketplace.domain.runs import Run

router = APIRouter(route_class=OgcRoute, include_in_schema=False)

_LIST = "ogc/processes"


@router.get("/ogc/processes")
def processes(
    door: AtDoor, limit: Limit = DEFAULT_LIMIT, cursor: Annotated[str | None, Query(max_length=2000)] = None
) -> Response:
    """Every algorithm that has a version to offer, the latest changed first."""
    asked = clamped(limit)
    place = decode(cursor, AT_AND_ID, of=_LIST) if cursor is not None else None
    looked_for, _ = door.services.registry.search(door.actor, limit=asked + 1, after=place)
    found = looked_for[:asked]
    following = None
    if len(looked_for) > asked:
        following = {"limit": asked, "cursor": encode((found[-1].updated_at, found[-1].id), of=_LIST)}
    document = {
        "processes": [door.teller.summary(one.latest, door.actor) for one in found if one.latest],
        "links": door.teller.paged("processes", door.request.query_params, following=following),
    }
    return told(door.request, door.services, door.actor, title="Processes", document=document)


@router.get("/ogc/processes/{process}")
def process(process: str, door: AtDoor) -> Response:
    """One process: the latest version of an algorithm, or the version that its id names."""
    version, exact = version_of(door, process)
    document = door.teller.process(version, door.actor, exact=exact)
    return told(door.request, door.services, door.actor, title=document["title"], document=document)


@router.post("/ogc/processes/{process}/execution")
async def execute(
    process: str, door: AtDoor, idempotency_key: Annotated[str | None, Header(max_length=400)] = None
) -> Response:
    """Start a run; answer with its results when they are waited for, with the job's status otherwise."""
    body = await body_of(door.request)
    asked = Preferences.parse(door.request.headers.getlist("prefer"), most=door.services.wait_seconds)
    version, run, execution = await run_in_threadpool(_start, door, process, body, key=idempotency_key)
    may_wait, at_once = door.teller.waits_for(version), asked.respond_async and asked.wait is None
    if asked.wait is not None:
        seconds = asked.wait
    else:
        seconds = door.ogc.sync_seconds if may_wait and not asked.respond_async else 0.0
    run = await waited_for(door.request, door.services, run, seconds=seconds)
    if may_wait and run.terminal and not at_once:
        # Whoever would take an answer later takes it now as well (RFC 7240, 4.1).
        return await run_in_threadpool(_results, door, run, execution)
    if may_wait and not asked.respond_async and asked.wait is None:
        raise _too_late(door, run)
    return _accepted(door, run, execution, asked)


def version_of(door: Door, process: str) -> tuple[AlgorithmVersion, bool]:
    """The version that an id stands for, and whether it names one exactly.

    Raises
    ------
    NotFound
        Also of an algorithm all of whose versions were taken back.
    """
    version = door.services.registry.version(door.actor, words.reference_of(process))
    return version, words.parts_of(process)[2] is not None


def _start(door: Door, process: str, body: Any, *, key: str | None) -> tuple[AlgorithmVersion, Run, Execution]:
    version = door.services.registry.runnable(door.actor, words.reference_of(process))
    interface = Interface.from_dict(version.interface)
    asked = ExecuteRequest.read(body, interface, origin=door.teller.origin)
    references = References(
        host=door.request.url.netloc,
        base=door.services.shapes.base,
        read_output=lambda run_id, name: read_output(door, run_id, name),
    )
    run = door.ogc.executions.execute(
        door.actor,
        f"{version.path}@{version.version}",
        parameters=parameters_of(interface, asked.inputs, references),
        execution=asked.execution,
        subscriber=asked.subscriber,
        key=key,
    )
    return version, run, asked.execution


def _results(door: Door, run: Run, execution: Execution) -> Response:
    monitor = link_header(door.teller.job_at(run.id), "monitor", type="application/json")
    try:
        response = results_of(door, run, execution)
    except Failed as error:
        error.headers["Link"] = monitor
        raise
    response.headers.append("Link", monitor)
    return response


def _accepted(door: Door, run: Run, execution: Execution, asked: Preferences) -> Response:
    headers = {"Location": door.teller.job_at(run.id), "Vary": "Prefer"}
    if asked.applied:
        headers["Preference-Applied"] = asked.applied
    return JSONResponse(door.teller.job(run, execution), status_code=201, headers=headers)


def _too_late(door: Door, run: Run) -> Failed:
    job = door.teller.job_at(run.id)
    return Failed(
        status=504,
        code="not-in-time",
        message=f"the job has not ended within {door.ogc.sync_seconds:g} s; it goes on",
        mend="poll it; next time ask with Prefer: respond-async",
        extra={"jobID": run.id},
        headers={"Link": link_header(job, "monitor", type="application/json"), "Retry-After": "10"},
    )
