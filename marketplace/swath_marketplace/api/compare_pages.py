"""Two versions of an algorithm beside each other as a page, with pictures of what differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from swath.contract.comparison import Comparison
from swath.contract.diff import diff
from swath.contract.interface import Interface
from swath_service.actor import Actor
from swath_service.errors import NotFound, SwathError, Unavailable
from swath_service.kept_files import KeptFile

from swath_marketplace.api import compared_shapes
from swath_marketplace.api.card_shapes import CardShapes
from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.paths import Name, Owner
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.domain.comparisons import RunComparison, VersionComparison

router = APIRouter(include_in_schema=False)


@router.get("/algorithms/{owner}/{name}/compare")
def compare_page(
    request: Request,
    owner: Owner,
    name: Name,
    *,
    old: Annotated[str, Query(alias="from", max_length=100)] = "",
    new: Annotated[str, Query(alias="to", max_length=100)] = "",
    actor: Caller,
    services: Services,
) -> Response:
    """Two versions of an algorithm beside each other: what callers meet, and what came of the same scenarios."""
    prefix, path = services.shapes.base, f"{owner}/{name}"
    try:
        algorithm = services.registry.get(actor, path)
        numbers = [one.version for one in algorithm.versions]
        new = new or (algorithm.latest or algorithm.versions[0]).version
        old = old or next(iter(numbers[numbers.index(new) + 1 :] if new in numbers else []), new)
        expected = services.registry.version(actor, f"{path}@{old}")
        found = services.registry.version(actor, f"{path}@{new}")
        compared, why = _compared(actor, services, path=path, old=expected.version, new=found.version)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    interfaces = [Interface.from_dict(one.interface) for one in (expected, found)]
    return render(
        request,
        "compare.html",
        prefix=prefix,
        viewer=actor,
        current="catalogue",
        algorithm=algorithm,
        here=CardShapes(services.shapes).algorithm_path(algorithm.owner, algorithm.name),
        numbers=numbers,
        expected=expected,
        found=found,
        changes=diff(*interfaces),
        compared=compared,
        shown=_shown(services, compared) if compared else {},
        why_not=why,
    )


@router.get("/algorithms/{owner}/{name}/compare/pictures/{scenario}/{output}")
def picture(
    owner: Owner,
    name: Name,
    *,
    scenario: Annotated[str, Path(max_length=64)],
    output: Annotated[str, Path(max_length=64)],
    old: Annotated[str, Query(alias="from", max_length=100)],
    new: Annotated[str, Query(alias="to", max_length=100)],
    actor: Caller,
    services: Services,
) -> Response:
    """Both sides of an output and their difference as one PNG, for whoever may see the page."""
    compared = services.version_comparisons.of(actor, f"{owner}/{name}", version=new, with_version=old)
    runs = found.runs if (found := compared.scenarios.get(scenario)) else None
    if runs is None:
        raise NotFound(
            code="no-such-scenario",
            message="these versions have no outputs of that scenario to hold against each other",
            mend="the page of the comparison lists the scenarios",
        )
    path, key = services.comparisons.sides(runs, output)
    headers = {
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Another round of a version may bring other results: asked each time, sent once.
        "Cache-Control": "private, no-cache",
    }
    return KeptFile(path, tag=key, media_type="image/png", headers=headers)


def _compared(
    actor: Actor, services: Context, *, path: str, old: str, new: str
) -> tuple[VersionComparison | None, str]:
    try:
        return services.version_comparisons.of(actor, path, version=new, with_version=old), ""
    except Unavailable as error:
        return None, error.message


def _shown(services: Context, compared: VersionComparison) -> Mapping[str, Mapping[str, Any]]:
    """Scenario -> output -> what is drawn of it."""
    return {
        scenario: {
            name: _output(services, compared, one.runs, scenario, name=name, found=found)
            for name, found in one.runs.comparisons.items()
        }
        for scenario, one in compared.scenarios.items()
        if one.runs
    }


def _output(
    services: Context, compared: VersionComparison, runs: RunComparison, scenario: str, *, name: str, found: Comparison
) -> Mapping[str, Any]:
    old, new = compared.expected.version, compared.found.version
    here = CardShapes(services.shapes).algorithm_path(compared.found.owner, compared.found.name)
    media_types = {output.name: output.media_type for output in runs.found.outputs}
    there = {output.name for output in runs.expected.outputs} & media_types.keys()
    plots = (
        compared_shapes.lines(
            services.comparisons.file_of(runs.expected, name),
            services.comparisons.file_of(runs.found, name),
            media_type=media_types[name],
            old=old,
            new=new,
        )
        if name in there and found.kind == "table" and found.differing
        else ()
    )
    return {
        "picture": f"{here}/compare/pictures/{quote(scenario)}/{quote(name)}?{urlencode({'from': old, 'to': new})}",
        "sides": found.sides,
        "panels": compared_shapes.panels(found, old=old, new=new),
        "changes": compared_shapes.changes(found),
        "plots": plots,
        "undrawn": found.kind in ("raster", "picture") and not found.sides and found.verdict.value != "identical",
    }
