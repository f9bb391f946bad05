"""The archive's catalogue as a kernel reads it: a static STAC catalogue on disk, or a STAC API over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from swath.client.errors import Invalid, NotFound, NotSignedIn, Unreachable
from swath.extents import Interval, read_time

Document = dict[str, Any]
Bounds = tuple[float, float, float, float]


class Catalogue(Protocol):
    """Read-only view of the archive. Hrefs of the assets that it gives can be opened as they are."""

    def collections(self) -> list[Document]:
        """Every collection."""
        ...

    def items(self, collection_id: str, *, bounds: Bounds | None, interval: Interval) -> list[Document]:
        """The items of a collection that touch `bounds` (degrees) and start in `interval`, by time."""
        ...

    def asset_settings(self, items: list[Document], /) -> Mapping[str, str]:
        """GDAL's settings that opening these items' assets needs."""
        ...


@dataclass(frozen=True)
class DiskCatalogue:
    """The folder that sandboxes see as ``/archive``. Needs no network and no package beyond the standard library."""

    root: Path

    def collections(self) -> list[Document]:
        """Every collection that the root links to."""
        return [self._read(self.root / link["href"]) for link in self._links("child")]

    def items(self, collection_id: str, *, bounds: Bounds | None, interval: Interval) -> list[Document]:
        """The items that fit, with absolute paths as hrefs."""
        folder = self.root / collection_id
        found = []
        for link in _of(self._read(folder / "collection.json"), "item"):
            path = folder / link["href"]
            item = self._read(path)
            if _fits(item, bounds=bounds, interval=interval):
                assets = {
                    name: {**asset, "href": os.path.normpath(path.parent / asset["href"])}
                    for name, asset in item["assets"].items()
                }
                found.append({**item, "assets": assets})
        return sorted(found, key=lambda item: (item["properties"]["datetime"], item["id"]))

    def asset_settings(self, _: list[Document]) -> Mapping[str, str]:
        """None: they are files."""
        return {}

    def _links(self, kind: str) -> list[Document]:
        return _of(self._read(self.root / "catalog.json"), kind)

    def _read(self, path: Path) -> Document:
        try:
            document: Document = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(
                f"there is no archive in {self.root}: {path.name} is missing",
                code="no-archive",
                mend="`swath archive init` makes one; SWATH_ARCHIVE says where it is",
            ) from None
        except (OSError, ValueError) as error:
            raise Unreachable(f"{path} cannot be read: {type(error).__name__}", code="archive-unreadable") from error
        return document


@dataclass(frozen=True)
class ApiCatalogue:
    """A STAC API. `token` goes to its own origin and nowhere else."""

    url: str
    token: str | None = field(default=None, repr=False)

    def collections(self) -> list[Document]:
        """Every collection, page by page."""
        found: list[Document] = []
        address: str | None = urljoin(self.url, "collections")
        while address:
            page = self._get(address)
            found += page.get("collections", ())
            address = next((link["href"] for link in page.get("links", ()) if link["rel"] == "next"), None)
            if address and _origin(address) != _origin(self.url):
                break
        return found

    def items(self, collection_id: str, *, bounds: Bounds | None, interval: Interval) -> list[Document]:
        """The items that fit, by pystac-client's search."""
        from pystac_client import Client
        from pystac_client.exceptions import APIError

        times = (interval.start, interval.end)
        try:
            client = Client.open(self.url, headers=self._headers(), timeout=60)
            search = client.search(
                collections=[collection_id],
                bbox=list(bounds) if bounds else None,
                datetime=list(times) if any(times) else None,
            )
            found = [item for item in search.items_as_dicts() if _fits(item, bounds=bounds, interval=interval)]
        except APIError as error:
            raise Unreachable(
                f"the archive at {_origin(self.url)} refused the search", code="archive-refused"
            ) from error
        return sorted(found, key=lambda item: (item["properties"]["datetime"], item["id"]))

    def asset_settings(self, items: list[Document]) -> Mapping[str, str]:
        """The token, if every asset lies on the API's own origin; GDAL would send it to any host."""
        hrefs = [asset["href"] for item in items for asset in item["assets"].values()]
        if self.token is None or any(_origin(href) != _origin(self.url) for href in hrefs):
            return {}
        return {"GDAL_HTTP_HEADERS": f"Authorization: Bearer {self.token}"}

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _get(self, address: str) -> Document:
        import httpx

        try:
            response = httpx.get(address, headers=self._headers(), timeout=60)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"the archive at {_origin(self.url)} does not answer ({type(error).__name__})",
                code="archive-unreachable",
            ) from None
        if response.status_code in {401, 403}:
            raise NotSignedIn(f"the archive at {_origin(self.url)} does not let you in", mend="run `swath login URL`")
        if response.status_code != 200:
            raise Unreachable(
                f"the archive at {_origin(self.url)} answered {response.status_code}", code="archive-unreachable"
            )
        document: Document = response.json()
        return document


def open_catalogue(environ: Mapping[str, str] = os.environ) -> Catalogue:
    """The catalogue that ``SWATH_ARCHIVE`` names, a folder or an address; else that of the hub one is signed in to.

    Raises
    ------
    NotFound
        ``SWATH_ARCHIVE`` is not set and nobody is signed in.
    """
    place = environ.get("SWATH_ARCHIVE", "").strip()
    if place and not place.startswith(("http://", "https://")):
        return DiskCatalogue(Path(place).expanduser())
    from swath.client.credentials import find

    try:
        credentials = find(environ)
    except (NotSignedIn, Invalid) as error:
        if not place:
            raise NotFound(
                "no archive is named here",
                code="no-archive",
                mend="set SWATH_ARCHIVE to the archive's folder or STAC API, or sign in: `swath login URL`",
            ) from error
        return ApiCatalogue(place.rstrip("/") + "/")
    url = place.rstrip("/") + "/" if place else urljoin(credentials.url, "services/archive/")
    # The token is the hub's: an archive elsewhere does not get it.
    return ApiCatalogue(url, credentials.token if _origin(url) == _origin(credentials.url) else None)


def _of(document: Document, kind: str) -> list[Document]:
    return [link for link in document.get("links", ()) if link["rel"] == kind]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _fits(item: Document, *, bounds: Bounds | None, interval: Interval) -> bool:
    moment = item["properties"].get("datetime") or item["properties"].get("start_datetime")
    if moment is None or not interval.holds(read_time(moment)):
        return False
    if bounds is None or item.get("bbox") is None:
        return True
    box: list[float] = item["bbox"]
    half = len(box) // 2
    return box[0] < bounds[2] and box[half] > bounds[0] and box[1] < bounds[3] and box[half + 1] > bounds[1]
