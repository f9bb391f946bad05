"""Reproductions over HTTP: a run is run again, and the verdict is looked up."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from swath.contract.comparison import Tolerance
from swath.contract.fields import ContractError
from swath_service.actor import Actor
from swath_service.errors import Invalid

from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.paging import AT_AND_ID, Page, Paging
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.reproductions import Reproduction
from swath_marketplace.services.reproductions import ReproductionRequest

router = APIRouter(tags=["reproductions"])

RunId = Annotated[str, Path(max_length=64)]
ReproductionId = Annotated[str, Path(max_length=64)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=400)]


class ReproduceBody(BaseModel):
    """How a run is to be reproduced."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tolerances: dict[str, dict[str, Any]] | None = Field(default=None, max_length=200)
    """By output, or ``*`` for all that are not named: ``rtol``, ``atol``, ``share``, ``distance``, ``ignore``.
    By default those of the version's scenarios; of an output that has none nothing may be apart."""
    budget_millicredits: int | None = Field(default=None, ge=1, le=2**53, strict=True)
    """The most that the run may cost."""

    def request(self) -> ReproductionRequest:
        """What the service is asked for.

        Raises
        ------
        Invalid
            Naming the tolerance that is wrong.
        """
        if self.tolerances is None:
            return ReproductionRequest(budget_millicredits=self.budget_millicredits)
        read, findings = {}, []
        for name, data in self.tolerances.items():
            try:
                read[name] = Tolerance.from_dict(data, f"tolerances.{name[:70]}")
            except ContractError as error:
                field, _, message = str(error).partition(": ")
                findings.append({"field": field, "message": message, "mend": "see the members of a tolerance"})
        if findings:
            raise Invalid(
                code="tolerance-invalid",
                message="these tolerances cannot be read",
                mend="mend what the findings name",
                findings=findings,
            )
        return ReproductionRequest(tolerances=read, budget_millicredits=self.budget_millicredits)


class ReceiptBody(ReproduceBody):
    """A receipt to reproduce."""

    receipt: dict[str, Any]
    """The receipt's file, as it is."""


@router.post("/runs/{run_id}/reproductions", status_code=202)
def reproduce_run(
    run_id: RunId,
    response: Response,
    actor: Caller,
    services: Services,
    *,
    body: ReproduceBody | None = None,
    key: Key = None,
) -> dict[str, Any]:
    """Run a finished run of the caller's again, and compare. 202: the verdict is at ``Location`` when it is there."""
    request = (body or ReproduceBody()).request()
    found, _ = services.reproductions.of_run(actor, run_id, request, key=key)
    return _told(found, services, response)


@router.post("/reproductions", status_code=202)
def reproduce_receipt(
    body: ReceiptBody, response: Response, actor: Caller, services: Services, *, key: Key = None
) -> dict[str, Any]:
    """The same from a receipt, whoever's run it was: it holds all that is needed."""
    found, _ = services.reproductions.of_receipt(actor, body.receipt, body.request(), key=key)
    return _told(found, services, response)


@router.get("/reproductions")
def reproductions(actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """The caller's reproductions, the latest asked for first."""
    return _page(actor, services, page)


@router.get("/runs/{run_id}/reproductions")
def reproductions_of(run_id: RunId, actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """Those of one run."""
    return _page(actor, services, page, run_id=run_id)


@router.get("/reproductions/{reproduction_id}")
def reproduction(reproduction_id: ReproductionId, actor: Caller, services: Services) -> dict[str, Any]:
    """One reproduction, with its verdict once it has one."""
    return shaped(services.reproductions.get(actor, reproduction_id), services)


@router.get("/reproductions/{reproduction_id}/pictures/{name}")
def picture(
    reproduction_id: ReproductionId, name: Annotated[str, Path(max_length=120)], actor: Caller, services: Services
) -> FileResponse:
    """Where a raster differs, as a PNG."""
    path = services.reproductions.picture(actor, reproduction_id, name)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private"}
    return FileResponse(path, media_type="image/png", headers=headers)


def _page(actor: Actor, services: Context, page: Paging, *, run_id: str | None = None) -> dict[str, Any]:
    found, total = services.reproductions.list(
        actor, run_id=run_id, limit=page.asked, offset=page.offset, after=page.after(*AT_AND_ID)
    )
    return page.answer(
        "reproductions",
        found,
        total=total,
        shape=lambda one: shaped(one, services),
        place=lambda one: (one.asked_at, one.id),
    )


def _told(found: Reproduction, services: Services, response: Response) -> dict[str, Any]:
    told = shaped(found, services)
    response.headers["Location"] = told["links"]["self"]
    return told


def shaped(found: Reproduction, services: Services) -> dict[str, Any]:
    """JSON of a reproduction."""
    base = services.shapes.base
    here = f"{base}/reproductions/{found.id}"
    return {
        "id": found.id,
        "of_run": found.origin.run_id,
        "algorithm": found.origin.algorithm,
        "version": found.origin.version,
        "digest": found.origin.digest,
        "asked_by": found.asked_by,
        "asked_at": iso(found.asked_at),
        "stage": found.stage.value,
        "run": found.run_id,
        "verdict": found.outcome.value if found.outcome else None,
        "message": found.message,
        "causes": [cause.as_dict() for cause in found.causes],
        "comparisons": {
            name: {
                **one.as_dict(),
                "picture": f"{here}/pictures/{one.picture}" if one.picture else None,
            }
            for name, one in found.comparisons.items()
        },
        "tolerances": {name: one.as_dict() for name, one in found.tolerances.items()},
        "tolerances_from": found.tolerances_from,
        "ended_at": iso(found.ended_at),
        "links": {"self": here, "run": f"{base}/runs/{found.run_id}" if found.run_id else None},
    }
