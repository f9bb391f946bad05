"""The form that runs a version: questions from its interface, filled in from a link or an earlier run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from swath.contract.interface import Interface
from swath_service.actor import Actor
from swath_service.errors import SwathError

from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.form_fields import fields_of
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.domain.algorithms import AlgorithmVersion

router = APIRouter(include_in_schema=False)

#: As a query, so that a link carries it; what is longer goes by ``from``.
_MOST_CHARACTERS = 60_000


@router.get("/algorithms/{owner}/{name}/versions/{version}/run")
def run_form(
    request: Request,
    owner: Owner,
    name: Name,
    *,
    version: Version,
    actor: Caller,
    services: Services,
    parameters: Annotated[str, Query(max_length=_MOST_CHARACTERS)] = "",
    from_run: Annotated[str, Query(alias="from", max_length=64)] = "",
    budget: Annotated[str, Query(max_length=24)] = "",
) -> Response:
    """Asks for what a version needs, says what it would cost, and starts it."""
    prefix = services.shapes.base
    try:
        found = services.registry.version(actor, f"{owner}/{name}@{version}")
        level = services.maturity.levels_of([found])[found.algorithm_id, found.digest]
        blocked = _blocked(actor, services, found)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    values, told = _filled(actor, services, parameters=parameters, from_run=from_run)
    interface = Interface.from_dict(found.interface)
    unknown = sorted(set(values) - {parameter.name for parameter in interface.parameters})
    if unknown:
        told = [*told, f"This version has no parameter {', '.join(name[:60] for name in unknown[:5])}: left out."]
    return render(
        request,
        "run_form.html",
        prefix=prefix,
        viewer=actor,
        scripts=("run-form",),
        page={"algorithm": f"{found.path}@{found.version}", "share": _share(prefix, found)},
        version=found,
        level=level.value,
        fields=fields_of(interface, values),
        outputs=interface.outputs,
        told=told,
        budget=budget,
        blocked=blocked,
    )


def _blocked(actor: Actor, services: Context, version: AlgorithmVersion) -> SwathError | None:
    """Why this version does not run any more."""
    try:
        services.registry.runnable(actor, f"{version.path}@{version.version}")
    except SwathError as error:
        return error
    return None


def _share(prefix: str, version: AlgorithmVersion) -> str:
    owner, number = quote(version.owner, safe=""), quote(version.version, safe="")
    return f"{prefix}/algorithms/{owner}/{version.name}/versions/{number}/run"


def _filled(actor: Actor, services: Context, *, parameters: str, from_run: str) -> tuple[Mapping[str, Any], list[str]]:
    """What the form is filled with, and what could not be had of it. The form itself says which answers are wrong."""
    values: dict[str, Any] = {}
    told = []
    if from_run:
        try:
            values.update(services.runs.get(actor, from_run).parameters)
        except SwathError:
            told.append("The run that this form was to be filled from is not yours, or is gone.")
    if parameters:
        try:
            given = json.loads(parameters)
        except ValueError:
            given = None
        if isinstance(given, dict):
            values.update(given)
        else:
            told.append("The link's answers can't be read: the form stands as its author filled it.")
    return values, told
