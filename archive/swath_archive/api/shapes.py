"""Documents of the catalogue as the API shows them: with addresses in place of paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swath_archive.domain.search import Search
from swath_archive.services.query import Page
from swath_archive.store.documents import Document

CONFORMANCE = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
)
_JSON = "application/json"
_GEOJSON = "application/geo+json"


def _link(rel: str, href: str, kind: str = _JSON, **more: Any) -> Document:
    return {"rel": rel, "href": href, "type": kind, **more}


def landing(base: str, collections: Sequence[Document]) -> Document:
    """The API's first page; `base` ends with a slash, as everywhere here."""
    return {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "swath-archive",
        "title": "Swath archive",
        "description": "Earth-observation data next to this Swath: cloud-optimised GeoTIFFs, one band a file.",
        "conformsTo": list(CONFORMANCE),
        "links": [
            _link("self", base),
            _link("root", base),
            _link("conformance", f"{base}conformance"),
            _link("data", f"{base}collections"),
            _link("search", f"{base}search", _GEOJSON, method="GET"),
            _link("search", f"{base}search", _GEOJSON, method="POST"),
            _link("service-desc", f"{base}openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
            *(
                _link("child", f"{base}collections/{one['id']}", title=one.get("title", one["id"]))
                for one in collections
            ),
        ],
    }


def collection(base: str, document: Document) -> Document:
    """A collection with links of the API."""
    here = f"{base}collections/{document['id']}"
    kept = [link for link in document["links"] if link["rel"] not in {"root", "parent", "item", "self"}]
    links = [
        _link("self", here),
        _link("root", base),
        _link("parent", base),
        _link("items", f"{here}/items", _GEOJSON),
        *kept,
    ]
    return {**document, "links": links}


def collections(base: str, documents: Sequence[Document]) -> Document:
    """All collections; there are never so many that they need pages."""
    return {
        "collections": [collection(base, document) for document in documents],
        "links": [_link("self", f"{base}collections"), _link("root", base)],
        "numberMatched": len(documents),
        "numberReturned": len(documents),
    }


def item(base: str, document: Document) -> Document:
    """An item with links of the API and assets at addresses."""
    collection_id, item_id = document["collection"], document["id"]
    parent = f"{base}collections/{collection_id}"
    assets = {
        name: {**asset, "href": f"{base}assets/{collection_id}/{item_id}/{asset['href'].removeprefix('./')}"}
        for name, asset in document["assets"].items()
    }
    links = [
        _link("self", f"{parent}/items/{item_id}", _GEOJSON),
        _link("root", base),
        _link("parent", parent),
        _link("collection", parent),
    ]
    return {**document, "assets": assets, "links": links}


def page(base: str, found: Page, *, search: Search, here: str, following: Document | None) -> Document:
    """Items as a GeoJSON feature collection; `following` is the link to the next page."""
    document: Document = {
        "type": "FeatureCollection",
        "features": [item(base, one) for one in found.items],
        "links": [_link("self", here, _GEOJSON), _link("root", base), *([following] if following else [])],
        "numberReturned": len(found.items),
        "context": {"returned": len(found.items), "limit": search.limit},
    }
    if found.matched is not None:
        document["numberMatched"] = found.matched
        document["context"]["matched"] = found.matched
    return document


def next_link(href: str, *, body: Mapping[str, Any] | None = None) -> Document:
    """A link to the next page: by GET, or by POST with the body that changes."""
    if body is None:
        return _link("next", href, _GEOJSON, method="GET")
    return _link("next", href, _GEOJSON, method="POST", merge=True, body=dict(body))
