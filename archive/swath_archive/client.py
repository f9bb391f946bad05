"""What other rooms may use of the archive: its environment variables, and a small client of its STAC API.

Importing this needs nothing beyond the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from swath_service.errors import Unavailable

if TYPE_CHECKING:
    import httpx

#: GDAL beside an archive of cloud-optimised GeoTIFFs; the same in kernels, runs and Dask workers.
_GDAL = {
    # Do not list a file's folder to look for companions of it.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32000",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
    # The default is a share of the machine's memory, which a process in a control group does not have.
    "GDAL_CACHEMAX": "128",
}


def environment(archive_root: str) -> dict[str, str]:
    """The environment variables that every kernel, run and Dask worker gets.

    Parameters
    ----------
    archive_root
        Where that process sees the archive: a folder, or the address of a STAC API.
    """
    return {"SWATH_ARCHIVE": archive_root, **_GDAL}


class ArchiveUnavailable(Unavailable):
    """The archive does not answer, or not with what was asked; the message holds no token."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(code="archive-unavailable", message=message, mend="try again in a few seconds")
        self.status = status


class ArchiveClient:
    """The archive's STAC API; read-only, so every call may be repeated.

    Parameters
    ----------
    url
        The API's landing page, ``…/services/archive/``.
    token
        A JupyterHub token with the scope to read.
    """

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 30) -> None:
        import httpx

        self._url = url.rstrip("/") + "/"
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=timeout_seconds, trust_env=False
        )

    def __enter__(self) -> ArchiveClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def collections(self) -> list[dict[str, Any]]:
        """Every collection, as STAC has it."""
        found: list[dict[str, Any]] = self._json("GET", "collections")["collections"]
        return found

    def collection(self, collection_id: str) -> dict[str, Any] | None:
        """One collection; ``None`` when there is none of that id."""
        return self._maybe(f"collections/{collection_id}")

    def item(self, collection_id: str, item_id: str) -> dict[str, Any] | None:
        """One item; ``None`` when there is none of that id."""
        return self._maybe(f"collections/{collection_id}/items/{item_id}")

    def search(
        self,
        *,
        collections: Sequence[str] = (),
        ids: Sequence[str] = (),
        bbox: Sequence[float] | None = None,
        intersects: Mapping[str, Any] | None = None,
        datetime: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Items that fit, page by page, newest first."""
        body: dict[str, Any] = {"limit": 500}
        body |= {"collections": list(collections)} if collections else {}
        body |= {"ids": list(ids)} if ids else {}
        body |= {"bbox": list(bbox)} if bbox else {}
        body |= {"intersects": dict(intersects)} if intersects else {}
        body |= {"datetime": datetime} if datetime else {}
        while True:
            page = self._json("POST", "search", json=body)
            yield from page["features"]
            following = next((link for link in page["links"] if link["rel"] == "next"), None)
            if following is None:
                return
            body = {**body, **following["body"]}

    def asset(self, href: str) -> bytes:
        """The whole content of an asset of this archive.

        Raises
        ------
        ArchiveUnavailable
            Also for an address elsewhere: the token is not sent there.
        """
        address = urljoin(self._url, href)
        if urlsplit(address)[:2] != urlsplit(self._url)[:2]:
            raise ArchiveUnavailable("this asset lies on another host, to which the token is not sent")
        return self._request("GET", address).content

    def _maybe(self, path: str) -> dict[str, Any] | None:
        try:
            return self._json("GET", path)
        except ArchiveUnavailable as error:
            if error.status == 404:
                return None
            raise

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._request(method, urljoin(self._url, path), **arguments).json()
        return document

    def _request(self, method: str, address: str, **arguments: Any) -> httpx.Response:
        import httpx

        try:
            response = self._client.request(method, address, **arguments)
        except httpx.HTTPError as error:
            raise ArchiveUnavailable(f"the archive does not answer ({type(error).__name__})") from None
        if response.status_code >= 400:
            problem = response.json() if "json" in response.headers.get("content-type", "") else {}
            detail = problem.get("detail", "no detail given")
            raise ArchiveUnavailable(
                f"the archive answered {response.status_code}: {detail}", status=response.status_code
            )
        return response
