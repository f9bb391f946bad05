"""Comparisons of runs over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse
from swath.contract.comparison import Tolerance
from swath.contract.fields import ContractError
from swath_service.errors import Invalid

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.domain.comparisons import RunComparison, ScenarioComparison, VersionComparison
from swath_marketplace.services.comparisons import ComparisonRequest

router = APIRouter(tags=["comparisons"])

RunId = Annotated[str, Path(max_length=64)]
Number = Annotated[float | None, Query()]
Names = Annotated[list[str] | None, Query(max_length=100)]


def _request(
    run_id: RunId,
    *,
    with_id: Annotated[str, Query(alias="with", max_length=64)],
    rtol: Number = None,
    atol: Number = None,
    share: Number = None,
    distance: Number = None,
    ignore: Names = None,
    scenario: Annotated[str | None, Query(max_length=64)] = None,
    name: Names = None,
) -> ComparisonRequest:
    """FastAPI dependency: what the query asks for."""
    numbers = {"rtol": rtol, "atol": atol, "share": share, "distance": distance}
    given: dict[str, Any] = {member: value for member, value in numbers.items() if value is not None}
    if ignore:
        given["ignore"] = ignore
    return ComparisonRequest(
        run_id=run_id,
        with_id=with_id,
        tolerance=_tolerance(given) if given else None,
        scenario=scenario,
        names=tuple(name or ()),
    )


def _tolerance(given: dict[str, Any]) -> Tolerance:
    try:
        return Tolerance.from_dict(given)
    except ContractError as error:
        field = str(error).removeprefix("tolerance.").partition(":")[0]
        mend = "numbers of at least 0, a share of at most 1; up to 100 texts to ignore"
        raise Invalid(
            code="tolerance-invalid",
            message=f"this is no tolerance: {error}",
            mend=mend,
            findings=[{"field": field, "message": str(error), "mend": mend}],
        ) from error


Asked = Annotated[ComparisonRequest, Depends(_request)]


@router.get("/runs/{run_id}/comparison")
def comparison(actor: Caller, asked: Asked, *, request: Request, services: Services) -> dict[str, Any]:
    """The run held against another, output by output; the answer waits until they are compared."""
    return _shaped(services.comparisons.of(actor, asked), request)


@router.get("/algorithms/{owner}/{name}/versions/{version}/comparison")
def versions(
    owner: Annotated[str, Path(max_length=255)],
    name: Annotated[str, Path(max_length=64)],
    version: Annotated[str, Path(max_length=64)],
    *,
    with_version: Annotated[str, Query(alias="with", max_length=64)],
    actor: Caller,
    services: Services,
) -> dict[str, Any]:
    """A version held against another: interface, notebook, environment, and the outputs of scenarios of both."""
    found = services.version_comparisons.of(actor, f"{owner}/{name}", version=version, with_version=with_version)
    return _versions(found)


@router.get("/runs/{run_id}/comparison/pictures/{output}")
def picture(
    actor: Caller, asked: Asked, *, output: Annotated[str, Path(max_length=64)], services: Services
) -> FileResponse:
    """A PNG of where an output differs; the query is that of the comparison."""
    path, tag = services.comparisons.picture(actor, asked, output)
    headers = {
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private",
        "ETag": f'"{tag}"',
    }
    return FileResponse(path, media_type="image/png", headers=headers)


def _shaped(compared: RunComparison, request: Request) -> dict[str, Any]:
    here, query = request.url.path, request.url.query
    base = here.rpartition("/runs/")[0]
    told = {}
    for name, one in compared.comparisons.items():
        picture = f"{here}/pictures/{name}?{query}" if one.picture else None
        told[name] = {**one.as_dict(), "picture": picture, "tolerance": compared.tolerances[name].as_dict()}
    return {
        "run": compared.found.id,
        "with": compared.expected.id,
        "verdict": compared.verdict.value,
        "scenario": compared.scenario,
        "comparisons": told,
        "links": {
            "self": f"{here}?{query}",
            "run": f"{base}/runs/{compared.found.id}",
            "with": f"{base}/runs/{compared.expected.id}",
        },
    }


def _versions(compared: VersionComparison) -> dict[str, Any]:
    return {
        "algorithm": compared.found.path,
        "version": compared.found.version,
        "with": compared.expected.version,
        "interface": compared.interface.as_dict(),
        "same_notebook": compared.same_notebook,
        "same_environment": compared.same_environment,
        "scenarios": {name: _scenario(one) for name, one in compared.scenarios.items()},
    }


def _scenario(one: ScenarioComparison) -> dict[str, Any]:
    if one.runs is None:
        return {"verdict": None, "message": one.message, "comparisons": {}}
    told = {
        # A picture is handed out to who may see the runs.
        name: {**found.as_dict(), "picture": None, "tolerance": one.runs.tolerances[name].as_dict()}
        for name, found in one.runs.comparisons.items()
    }
    return {"verdict": one.runs.verdict.value, "message": "", "comparisons": told}
