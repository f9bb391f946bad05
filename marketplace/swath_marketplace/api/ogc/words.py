"""The standard's own words: classes of conformance, relations, exceptions, ids of processes."""

from __future__ import annotations

import re

from swath_service.errors import NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.runs import Run

_PART_1 = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
_PART_2 = "http://www.opengis.net/spec/ogcapi-processes-2/1.0/conf"
_PART_4 = "http://www.opengis.net/spec/ogcapi-processes-4/1.0/conf"
CONFORMS_TO = (
    *(
        f"{_PART_1}/{name}"
        for name in (
            "core",
            "ogc-process-description",
            "json",
            "html",
            "oas30",
            "job-list",
            "callback",
            "dismiss",
        )
    ),
    f"{_PART_2}/deploy-replace-undeploy",
    f"{_PART_2}/ogcapppkg",
    f"{_PART_4}/provenance",
)
_EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
_EXCEPTIONS_2 = "http://www.opengis.net/def/exceptions/ogcapi-processes-2/1.0"
NO_SUCH_PROCESS = f"{_EXCEPTIONS}/no-such-process"
NO_SUCH_JOB = f"{_EXCEPTIONS}/no-such-job"
RESULT_NOT_READY = f"{_EXCEPTIONS}/result-not-ready"
DUPLICATED = f"{_EXCEPTIONS_2}/duplicated-process"
IMMUTABLE = f"{_EXCEPTIONS_2}/immutable-process"
UNSUPPORTED = f"{_EXCEPTIONS_2}/unsupported-media-type"

_RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
REL_CONFORMANCE = f"{_RELATIONS}/conformance"
REL_PROCESSES = f"{_RELATIONS}/processes"
REL_JOBS = f"{_RELATIONS}/job-list"
REL_EXECUTE = f"{_RELATIONS}/execute"
REL_RESULTS = f"{_RELATIONS}/results"
REL_EXCEPTIONS = f"{_RELATIONS}/exceptions"

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS84H = "http://www.opengis.net/def/crs/OGC/0/CRS84h"
PACKAGE = "application/ogcapppkg+json"
NOTEBOOK = "application/x-ipynb+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"

# Neither an owner's name nor a version holds a colon, and an algorithm's name no dot: it reads one way only.
_ID = re.compile(r"(?P<owner>[^/:]{1,128})\.(?P<name>[a-z][a-z0-9-]{1,62})(?::(?P<version>[^/:]{1,80}))?")


def process_id(of: AlgorithmVersion | Run) -> str:
    """``owner.name``: the process, whichever version it is at."""
    return f"{of.owner}.{of.name}"


def reference_of(process: str) -> str:
    """The reference that runs are asked for by: of ``owner.name`` or ``owner.name:version``.

    Raises
    ------
    NotFound
        ``no-such-process``: of another form there is none.
    """
    owner, name, version = parts_of(process)
    return f"{owner}/{name}@{version}" if version else f"{owner}/{name}"


def parts_of(process: str) -> tuple[str, str, str | None]:
    """Owner, name, and version where one is named; raises as `reference_of`."""
    match = _ID.fullmatch(process)
    if match is None:
        raise no_such_process()
    return match["owner"], match["name"], match["version"]


def no_such_process() -> NotFound:
    """What is said of a process that is not there."""
    return NotFound(
        code="no-such-process",
        message="there is no process of that id",
        mend="GET processes lists them; an id is owner.name, or owner.name:1.2.0 for one version",
    )
