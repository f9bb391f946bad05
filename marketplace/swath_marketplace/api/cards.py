"""Cards of algorithms over HTTP: their facts, the outputs of their example, how they are cited."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from swath_marketplace.api.card_shapes import CardShapes
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.downloads import download_of
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.domain.citing import bibtex, citation_cff, datacite

router = APIRouter(tags=["cards"])

_VERSION = "/algorithms/{owner}/{name}/versions/{version}"
Output = Annotated[str, Path(max_length=64)]


def service_url(request: Request, base: str) -> str:
    """Scheme, host and path of this service, as its caller reaches it."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    host = request.headers.get("host", request.url.netloc)
    return f"{scheme if scheme in ('http', 'https') else 'http'}://{host}{base}"


@router.get("/algorithms/{owner}/{name}/card")
def card(
    request: Request,
    owner: Owner,
    name: Name,
    *,
    version: Annotated[str, Query(max_length=100)] = "",
    actor: Caller,
    services: Services,
) -> dict[str, Any]:
    """Everything by which somebody judges an algorithm, at its latest version or another."""
    url = service_url(request, services.shapes.base)
    made = services.judging.cards.of(actor, f"{owner}/{name}", version=version, url=url)
    return CardShapes(services.shapes).card(made)


@router.api_route(_VERSION + "/example/{output}", methods=["GET", "HEAD"])
def example(
    owner: Owner, name: Name, *, version: Version, output: Output, actor: Caller, services: Services
) -> Response:
    """One output of a version's example, which everybody may read; ranges are answered."""
    file, path = services.judging.cards.examples.output(actor, f"{owner}/{name}@{version}", output)
    return download_of(file, path)


@router.get(_VERSION + "/CITATION.cff", response_class=PlainTextResponse)
def cff(
    request: Request, owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services
) -> PlainTextResponse:
    """How a version is cited: CITATION.cff 1.2.0."""
    url = service_url(request, services.shapes.base)
    text = citation_cff(services.judging.cards.citation(actor, f"{owner}/{name}@{version}", url=url))
    return PlainTextResponse(text, headers=_saved("CITATION.cff"), media_type="application/yaml")


@router.get(_VERSION + "/citation.bib", response_class=PlainTextResponse)
def bib(
    request: Request, owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services
) -> PlainTextResponse:
    """How a version is cited: BibTeX."""
    url = service_url(request, services.shapes.base)
    text = bibtex(services.judging.cards.citation(actor, f"{owner}/{name}@{version}", url=url))
    return PlainTextResponse(text, headers=_saved("citation.bib"), media_type="application/x-bibtex")


@router.get(_VERSION + "/datacite.json")
def datacite_json(
    request: Request,
    response: Response,
    owner: Owner,
    name: Name,
    *,
    version: Version,
    actor: Caller,
    services: Services,
) -> dict[str, Any]:
    """What a repository needs to register a DOI for a version: DataCite metadata, schema 4.5."""
    response.headers.update(_saved("datacite.json"))
    url = service_url(request, services.shapes.base)
    return datacite(services.judging.cards.citation(actor, f"{owner}/{name}@{version}", url=url))


def _saved(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
