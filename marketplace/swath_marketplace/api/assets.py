"""Scripts of the pages, and what they load: built from ``marketplace/web`` at install, named by their content."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from mimetypes import guess_type

from fastapi import APIRouter, Request
from fastapi.responses import Response
from swath_service.errors import NotFound

router = APIRouter(include_in_schema=False)

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,100}")
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    # Public words, and the pages that load them have no origin.
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_TYPES = {".js": "text/javascript; charset=utf-8", ".json": "application/json", ".css": "text/css; charset=utf-8"}


@router.get("/static/assets/{name}")
def asset(request: Request, name: str) -> Response:
    """One built file; its content never changes under its name."""
    known = _NAME.fullmatch(name) and name in set(_manifest()["files"])
    if not known:
        raise NotFound(code="no-such-asset", message="there is no such file", mend="load the page again")
    suffix = f".{name.rpartition('.')[2]}"
    kind = _TYPES.get(suffix) or guess_type(name)[0] or "application/octet-stream"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_gzipped(name), media_type=kind, headers={**_HEADERS, "Content-Encoding": "gzip"})
    return Response(_bytes(name), media_type=kind, headers=_HEADERS)


def scripts_of(base: str, *names: str) -> list[str]:
    """Addresses of the modules `names` (as in ``marketplace/web/src``); those that were not built are left out."""
    entries = _manifest()["entries"]
    return [f"{base}/static/assets/{entries[name]}" for name in names if name in entries]


def assets_of(base: str) -> dict[str, str]:
    """Addresses of the data that modules load, by name."""
    return {
        name: f"{base}/static/assets/{file}" for name, file in _manifest()["entries"].items() if file.endswith(".json")
    }


@cache
def _manifest() -> dict[str, dict[str, str]]:
    try:
        built: dict[str, dict[str, str]] = json.loads(_folder().joinpath("manifest.json").read_bytes())
    except OSError:
        # Pages read and work without a script as far as they can.
        return {"entries": {}, "files": {}}
    return built


@cache
def _bytes(name: str) -> bytes:
    return _folder().joinpath(name).read_bytes()


@cache
def _gzipped(name: str) -> bytes:
    return gzip.compress(_bytes(name), mtime=0)


def _folder() -> Traversable:
    return files("swath_marketplace") / "assets"
