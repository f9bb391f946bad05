"""Jobs: listed, looked at, dismissed; their results, and where those come from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from swath.contract.times import read_date, read_datetime
from swath_service.errors import NotFound

from swath_marketplace.api.ogc import words
from swath_marketplace.api.ogc.asking import Form, form_of, wrong
from swath_marketplace.api.ogc.door import DEFAULT_LIMIT, AtDoor, Door, Limit, clamped, words_of
from swath_marketplace.api.ogc.failures import OgcRoute
from swath_marketplace.api.ogc.pages import page, told
from swath_marketplace.api.ogc.references import Resolved
from swath_marketplace.api.ogc.results import Brought, answer, failure, gone, wanted_of
from swath_marketplace.api.ogc.telling import link
from swath_marketplace.domain.executions import Execution, JobFilter, JobStatus
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.executions import job_status

router = APIRouter(route_class=OgcRoute, include_in_schema=False)

_Words = Annotated[list[str] | None, Query(max_length=50)]
_Seconds = Annotated[list[str] | None, Query(max_length=5)]


@router.get("/ogc/jobs")
def jobs(
    door: AtDoor,
    *,
    type: _Words = None,
    process_id: Annotated[list[str] | None, Query(alias="processID", max_length=50)] = None,
    status: _Words = None,
    datetime: Annotated[str | None, Query(max_length=100)] = None,
    least: Annotated[list[str] | None, Query(alias="minDuration", max_length=5)] = None,
    most: Annotated[list[str] | None, Query(alias="maxDuration", max_length=5)] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The caller's jobs, newest first: every run of theirs, whichever door it came through."""
    seconds = (_seconds("minDuration", least), _seconds("maxDuration", most))
    wanted = _wanted(status=words_of(status), process=words_of(process_id), moment=datetime, seconds=seconds)
    asked = clamped(limit)
    found: Any = ()
    following = None
    if not type or "process" in words_of(type):
        found, following = door.ogc.executions.list(door.actor, wanted, after=after, limit=asked)
    document = {
        "jobs": [door.teller.job(run, execution) for run, execution in found],
        "links": door.teller.paged(
            "jobs", door.request.query_params, following={"limit": asked, "after": following} if following else None
        ),
    }
    return told(door.request, door.services, door.actor, title="Jobs", document=document)


@router.get("/ogc/jobs/{job}")
def job(job: str, door: AtDoor) -> Response:
    """How far a job is."""
    run, execution = door.ogc.executions.get(door.actor, job)
    return told(
        door.request, door.services, door.actor, title=f"Job {run.id}", document=door.teller.job(run, execution)
    )


@router.delete("/ogc/jobs/{job}")
def dismiss(job: str, door: AtDoor) -> Response:
    """Cancel a job that goes on; take one that is over out of sight."""
    run, execution = door.ogc.executions.dismiss(door.actor, job)
    return JSONResponse(door.teller.job(run, execution))


@router.get("/ogc/jobs/{job}/results")
def results(job: str, door: AtDoor) -> Response:
    """What a job brought, in the form that was asked for when it was made."""
    run, execution = door.ogc.executions.get(door.actor, job)
    if form_of(door.request) is Form.HTML:
        return _results_page(door, run, execution)
    return results_of(door, run, execution)


@router.get("/ogc/jobs/{job}/prov")
def prov(job: str, door: AtDoor) -> Response:
    """Where the results come from: W3C PROV-JSON, from the run's signed receipt."""
    run, _ = door.ogc.executions.get(door.actor, job)
    document = door.services.trust.exports.prov(door.actor, run.id)
    if form_of(door.request) is Form.JSON:
        return JSONResponse(document)
    links = door.teller.both(f"{door.teller.job_at(run.id)}/prov", html=True)
    return page(
        door.request,
        door.services,
        door.actor,
        title=f"Provenance of job {run.id}",
        document={**document, "links": links},
    )


@router.get("/ogc/jobs/{job}/inputs")
def inputs(job: str, door: AtDoor) -> Response:
    """What a job was given, defaults filled in."""
    run, _ = door.ogc.executions.get(door.actor, job)
    here = f"{door.teller.job_at(run.id)}/inputs"
    document = {"id": words.process_id(run), "inputs": dict(run.parameters), "links": door.teller.both(here)}
    return told(door.request, door.services, door.actor, title=f"Inputs of job {run.id}", document=document)


def results_of(door: Door, run: Run, execution: Execution) -> Response:
    """The results of a job that is over.

    Raises
    ------
    Failed
        The job is not over, failed, or was dismissed.
    """
    return answer(_brought(door, run, execution), execution)


def read_output(door: Door, run_id: str, name: str) -> Resolved:
    """An output of a run of the caller's, to be an input of another."""
    output, path = door.services.runs.result(door.actor, run_id, name)
    with path.open("rb") as file:
        # One byte more than may be taken tells that it is too much.
        content = file.read((1 << 20) + 1)
    return Resolved(content=content, media_type=output.media_type)


def _brought(door: Door, run: Run, execution: Execution) -> list[Brought]:
    status = job_status(run, execution)
    if status is JobStatus.DISMISSED:
        raise gone(run.id, door.teller)
    if status is JobStatus.FAILED:
        raise failure(run)
    if status is not JobStatus.SUCCESSFUL:
        raise NotFound(code="result-not-ready", message=f"the job is {status.value}", mend="poll it until it is over")
    found = []
    for one in wanted_of(run, execution):
        output, path = door.services.runs.result(door.actor, run.id, one.name)
        href = door.teller.output_at(run.id, one.name)
        found.append(Brought(output=output, path=path, href=href, transmission=one.transmission))
    return found


def _results_page(door: Door, run: Run, execution: Execution) -> Response:
    brought = _brought(door, run, execution)
    here = f"{door.teller.job_at(run.id)}/results"
    document = {
        **{one.output.name: link(one.href, "item", type=one.output.media_type) for one in brought},
        "links": [*door.teller.both(here, html=True), link(door.teller.job_at(run.id), "up", title="The job")],
    }
    return page(door.request, door.services, door.actor, title=f"Results of job {run.id}", document=document)


def _wanted(
    *, status: tuple[str, ...], process: tuple[str, ...], moment: str | None, seconds: tuple[float | None, float | None]
) -> JobFilter:
    known = {one.value for one in JobStatus}
    if unknown := [word for word in status if word not in known]:
        raise wrong("status", f"{unknown[0][:40]!r} is no status of a job", f"send some of {', '.join(sorted(known))}")
    least, most = seconds
    timed = least is not None or most is not None
    # Of a job that waits nobody knows how long it takes (requirement 71).
    statuses = frozenset(status) or (frozenset(known - {JobStatus.ACCEPTED.value}) if timed else frozenset())
    begin, end = _interval(moment)
    return JobFilter(
        statuses=statuses,
        algorithms=_algorithms(process) if process else None,
        created_from=begin,
        created_until=end,
        least_seconds=least,
        most_seconds=most,
    )


def _algorithms(process: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Owner and name of each process; an id of a form that there is not, or of one version, is no job's."""
    found = []
    for one in process:
        try:
            owner, name, version = words.parts_of(one)
        except NotFound:
            continue
        if version is None:
            found.append((owner, name))
    return tuple(found)


def _seconds(field: str, given: list[str] | None) -> float | None:
    told = words_of(given)
    if not told:
        return None
    if len(told) > 1 or not told[0].isascii() or not told[0].isdigit() or len(told[0]) > 9:
        raise wrong(field, "it is a whole number of seconds", f"send {field}=60")
    return float(told[0])


def _interval(text: str | None) -> tuple[datetime | None, datetime | None]:
    """The two ends, both inclusive, of a moment or an interval with ``..`` or nothing where it is open."""
    if text is None:
        return None, None
    # A plus sign that nobody escaped arrives as a space.
    first, slash, last = text.replace(" ", "+").partition("/")
    begin = _moment(first)
    return (begin, _moment(last, end=True)) if slash else (begin, _moment(first, end=True))


def _moment(text: str, *, end: bool = False) -> datetime | None:
    if text in ("", ".."):
        return None
    day = read_date(text)
    at = read_datetime(f"{text}T23:59:59Z" if end else f"{text}T00:00:00Z") if day else read_datetime(text)
    if at is None:
        raise wrong("datetime", "it is no RFC 3339 moment or interval", "send 2026-12-01T00:00:00Z/..")
    return at
