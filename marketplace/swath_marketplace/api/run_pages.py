"""Pages of runs: the list, and one run while it happens and after, with its proof and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from markupsafe import Markup
from swath.contract.envelopes import Untrusted
from swath.contract.receipts import Believed, check_bundle
from swath.signatures import verify
from swath_service.actor import Actor, Scope
from swath_service.errors import SwathError

from swath_marketplace.api.context import Context
from swath_marketplace.api.lineage_svg import picture_of
from swath_marketplace.api.rendering import render, render_error, seconds_text
from swath_marketplace.domain.fairness import Forecast
from swath_marketplace.domain.run_links import RunLink
from swath_marketplace.domain.runs import Run, RunStatus

_REPRODUCTIONS = 20
_SHOWN_AT_ONCE = 12


def run_page(request: Request, actor: Actor, services: Context, run_id: str) -> Response:
    """A run: what was asked and came out, whether its receipt holds, where it comes from, whether it reproduces."""
    try:
        return _run_page(request, actor, services, run=services.runs.get(actor, run_id))
    except SwathError as error:
        return render_error(request, error, prefix=services.shapes.base, viewer=actor)


def _run_page(request: Request, actor: Actor, services: Context, *, run: Run) -> Response:
    finished = run.status is RunStatus.FINISHED
    found, total = services.reproductions.list(actor, run_id=run.id, limit=_REPRODUCTIONS, offset=0)
    token = services.forms.issue(request, reproduce_action(run.id)) if finished else None
    here = f"runs/{run.id}"
    return _rendered(
        request,
        actor,
        services,
        run=run,
        here=here,
        share=None,
        sandboxed=token is not None,
        reproductions=found,
        reproductions_total=total,
        form_token=token,
    )


def shared_page(request: Request, actor: Actor, services: Context, *, link: RunLink, run: Run, here: str) -> Response:
    """A run that somebody shared, for whoever has the link."""
    return _rendered(
        request,
        actor,
        services,
        run=run,
        here=here,
        share=link,
        sandboxed=False,
        reproductions=[],
        reproductions_total=0,
        form_token=None,
    )


def _rendered(
    request: Request, actor: Actor, services: Context, *, run: Run, here: str, share: RunLink | None, **more: Any
) -> Response:
    finished = run.status is RunStatus.FINISHED
    base = services.shapes.base
    # What a link shows is what its maker would see.
    owner = actor if share is None else Actor(name=run.caller, scopes=frozenset({Scope.READ.value}))
    return render(
        request,
        "run.html",
        prefix=base,
        viewer=actor,
        scripts=("run",),
        page={"run": here, "terminal": run.terminal, "shares": share is None},
        here=f"{base}/{here}",
        share=share,
        run=run,
        place=_place(services.places.of(run)),
        receipt=_receipt(owner, services, run) if finished else None,
        lineage=_lineage(owner, services, run) if finished else None,
        **more,
    )


def runs_page(
    request: Request,
    actor: Actor,
    services: Context,
    *,
    answer: dict[str, Any],
    statuses: Sequence[RunStatus],
    everybody: bool,
) -> Response:
    """The list of runs, as `answer` has it."""
    return render(
        request,
        "runs.html",
        prefix=services.shapes.base,
        viewer=actor,
        operator=actor.is_operator,
        runs=[{**one, "created": datetime.fromisoformat(one["created_at"])} for one in answer["runs"]],
        total=answer["total"],
        following=answer["links"]["next"],
        statuses=[status.value for status in statuses],
        all_statuses=[status.value for status in RunStatus],
        everybody=everybody,
    )


def _place(forecast: Forecast | None) -> str:
    """Where a waiting run stands, in words."""
    if forecast is None:
        return ""
    before = "It is next" if forecast.before == 0 else f"{forecast.before} before it in the queue"
    return before + (f", about {seconds_text(forecast.wait_seconds)}." if forecast.wait_seconds is not None else ".")


def reproduce_action(run_id: str) -> str:
    return f"POST /runs/{run_id}/reproduce"


def _receipt(actor: Actor, services: Context, run: Run) -> dict[str, Any]:
    """What the checks of a run's receipt say now: made anew for each look, as `swath verify` makes them."""
    try:
        bundle = services.trust.receipts.bundle(actor, run.id)
        believed: Believed = check_bundle(bundle, services.trust.keys.current(), verify)
    except Untrusted as error:
        return {"believed": None, "why": str(error)}
    except SwathError as error:
        return {"believed": None, "why": error.message}
    return {"believed": believed, "why": ""}


def _lineage(actor: Actor, services: Context, run: Run) -> dict[str, Any] | None:
    """The picture of where a run's results come from, and how much is in it: a tall one is opened on request."""
    try:
        lineage = services.lineages.of_run(actor, run.id)
    except SwathError:
        return None
    # Written by an XML writer that escapes every word; it has no script, style sheet or address.
    picture = Markup(picture_of(lineage))  # noqa: S704 - see the line above
    return {"picture": picture, "nodes": len(lineage.nodes), "tall": len(lineage.nodes) > _SHOWN_AT_ONCE}
