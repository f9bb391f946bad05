"""Pages by which people judge an algorithm: its card, and two of its versions beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup
from swath.contract.diff import diff
from swath.contract.interface import Interface, json_schema
from swath.contract.kinds import ParameterType
from swath_service.actor import Actor
from swath_service.errors import SwathError, Unavailable

from swath_marketplace.api.card_shapes import CardShapes
from swath_marketplace.api.cards import service_url
from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.downloads import filename_of
from swath_marketplace.api.favourites import buttons
from swath_marketplace.api.markdown import to_html
from swath_marketplace.api.paths import Name, Owner
from swath_marketplace.api.plots import histogram
from swath_marketplace.api.previews import Preview, preview_of
from swath_marketplace.api.rendering import credits_text, render, render_error, seconds_text
from swath_marketplace.domain.cards import Card, ExampleOutput, VersionNote
from swath_marketplace.domain.citing import bibtex, citation_cff, unnamed
from swath_marketplace.domain.comparisons import VersionComparison
from swath_marketplace.domain.reviews import Review, superseded
from swath_marketplace.domain.statistics import Spread

router = APIRouter(include_in_schema=False)

#: Outputs that every run has; they are shown last.
_GIVEN = ("notebook", "notebook-html")


def card_page(request: Request, actor: Actor, services: Context, *, path: str, version: str = "") -> Response:
    """The card of the algorithm ``owner/name`` at a version, by default its latest."""
    prefix = services.shapes.base
    try:
        url = service_url(request, prefix)
        card = services.judging.cards.of(actor, path, version=version, url=url)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    here = CardShapes(services.shapes).version_path(card.version.owner, card.version.name, card.version.version)
    tokens = buttons(request, services, card.version.owner, card.version.name, verbs=_verbs(card))
    shown = _outputs(services, card, here)
    return render(
        request,
        "card.html",
        prefix=prefix,
        viewer=actor,
        sandboxed=bool(tokens),
        scripts=["maps"] if any(one["preview"].on_map and one["href"] for one in shown) else [],
        current="catalogue",
        card=card,
        here=here,
        tokens=tokens,
        readme=_readme(services, card, here),
        # The author's own section says more than the bare list, which citations are made from.
        references=unnamed(card.version.metadata.get("references"), card.readme),
        parameters=_parameters(card.interface),
        schema=json_schema(card.interface),
        outputs=shown,
        reviews=_standing(card),
        notes=[_note(services, note) for note in card.versions],
        histograms=_histograms(card),
        cite={"bibtex": bibtex(card.citation), "cff": citation_cff(card.citation)},
    )


def _verbs(card: Card) -> Sequence[str]:
    return ("unfavourite" if card.favourite else "favourite", "unfollow" if card.follows else "follow")


def _standing(card: Card) -> Sequence[Review]:
    """The reviews in whose place their reviewer put no later one, the latest first."""
    late = superseded(card.reviews)
    return [one for one in reversed(card.reviews) if one.sequence not in late]


def _readme(services: Context, card: Card, here: str) -> Markup:
    def read(path: str) -> bytes | None:
        return services.judging.cards.picture(card.dossier, path)

    return to_html(card.readme, files_href=f"{here}/dossier/files", read=read, titled=True)


def _parameters(interface: Interface) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "name": one.name,
            "type": str(one.type),
            "bounds": bounds_text(one.type),
            "description": one.description,
            "required": one.required,
            "default": one.default,
        }
        for one in interface.parameters
    ]


def bounds_text(of: ParameterType) -> str:
    """The limits of a type in words; empty where it has none."""
    words = {
        "ge": "at least {}",
        "gt": "more than {}",
        "le": "at most {}",
        "lt": "less than {}",
        "multiple_of": "a multiple of {}",
        "min_length": "{} or longer",
        "max_length": "{} or shorter",
        "pattern": "matching {}",
    }
    bounds = of.bounds.as_dict()
    return ", ".join(text.format(bounds[name]) for name, text in words.items() if name in bounds)


def _outputs(services: Context, card: Card, here: str) -> Sequence[Mapping[str, Any]]:
    """The outputs of the example, those of the author first, each with what is shown of it."""
    if card.example is None:
        return []
    told = {output.name: output for output in card.interface.outputs}
    ranked = sorted(card.example.outputs, key=lambda one: one.file.name in _GIVEN)
    return [
        {
            "file": one.file,
            "description": told[one.file.name].description if one.file.name in told else one.file.description,
            "href": f"{here}/example/{one.file.name}" if one.kept else None,
            "preview": _preview(services, card, one),
            "shown": _shown(services, card, one),
        }
        for one in ranked
    ]


def _shown(services: Context, card: Card, one: ExampleOutput) -> str | None:
    """Where a picture or an executed notebook is shown by itself, with nothing in it able to act."""
    base = one.file.media_type.partition(";")[0].strip().lower()
    if card.example is None or base not in ("image/png", "image/jpeg", "text/html"):
        return None
    path = services.judging.cards.examples.file_of(card.example, one.file.name)
    if path is None:
        return None
    name = filename_of(one.file)
    return services.tickets.issue(services.shapes.base, path, media_type=base, name=name)


def _preview(services: Context, card: Card, one: ExampleOutput) -> Preview:
    assert card.example is not None
    return preview_of(one.file, services.judging.cards.examples.file_of(card.example, one.file.name))


def _note(services: Context, note: VersionNote) -> Mapping[str, Any]:
    shapes, version = CardShapes(services.shapes), note.version
    return {
        "note": note,
        "href": shapes.version_path(version.owner, version.name, version.version),
        "changelog": to_html(note.changelog) if note.changelog else None,
        "compare": f"{shapes.algorithm_path(version.owner, version.name)}/compare",
    }


def _histograms(card: Card) -> Sequence[Mapping[str, Any]]:
    statistics = card.statistics
    shown: list[tuple[str, Spread | None, Any]] = [
        ("Time", statistics.seconds, seconds_text),
        ("Cost", statistics.millicredits, lambda value: f"{credits_text(round(value))} credits"),
    ]
    return [
        {
            "name": name,
            "spread": spread,
            "median": text(spread.median),
            "p95": text(spread.p95),
            "low": text(spread.bins[0].low),
            "high": text(spread.bins[-1].high),
            "picture": histogram(
                spread,
                title=f"{name} of {spread.count} runs: half within {text(spread.median)}, 95 of 100 within"
                f" {text(spread.p95)}",
            ),
        }
        for name, spread, text in shown
        if spread is not None
    ]


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
        why_not=why,
    )


def _compared(
    actor: Actor, services: Context, *, path: str, old: str, new: str
) -> tuple[VersionComparison | None, str]:
    try:
        return services.version_comparisons.of(actor, path, version=new, with_version=old), ""
    except Unavailable as error:
        return None, error.message
