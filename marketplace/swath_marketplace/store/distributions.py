"""Installed packages as their ``.dist-info`` folders tell, held against the files that are there.

Format: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from swath_marketplace.domain.inventories import Distribution

#: What the installer writes for itself; it tells of where and when, not of what.
_BOOKKEEPING = frozenset(
    {"RECORD", "RECORD.jws", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
)
_METADATA_BYTES = 1 << 20
#: So many altered files are named; the digest is over all.
_MOST_ALTERED = 50


def distributions_of(
    sites: Sequence[Path], hashes: Mapping[str, str]
) -> tuple[Mapping[str, Distribution], Mapping[str, str]]:
    """The packages below `sites`, and the files that belong to none.

    Parameters
    ----------
    hashes
        sha256 of every file below the sites, by absolute path.
    """
    found: dict[str, Distribution] = {}
    left = {path: sha256 for path, sha256 in hashes.items() if not _is_bookkeeping(path)}
    for site in sites:
        for info in sorted(site.glob("*.dist-info")):
            named = _name_and_version(info)
            if named is None:
                continue
            owned, altered = _owned(site, info, hashes)
            for path in owned:
                left.pop(f"{site}/{path}", None)
            digest = hashlib.sha256()
            for path in sorted(owned):
                digest.update(f"{path}\0{owned[path]}\n".encode("utf-8", "surrogateescape"))
            found.setdefault(
                named[0],
                Distribution(
                    version=named[1],
                    content_sha256=digest.hexdigest(),
                    altered=tuple(sorted(altered)[:_MOST_ALTERED]),
                ),
            )
    loose = {}
    for site in sites:
        below = f"{site}/"
        loose.update({path[len(below) :]: sha256 for path, sha256 in left.items() if path.startswith(below)})
    return dict(sorted(found.items())), dict(sorted(loose.items()))


def _owned(site: Path, info: Path, hashes: Mapping[str, str]) -> tuple[Mapping[str, str], list[str]]:
    """The files that a package says are its own, as they are, and which of them it did not install like that."""
    owned, altered = {}, []
    for path, recorded in _record(info):
        # Scripts name their interpreter by its path, and other files outside are not imported.
        if path.startswith(("../", "/")) or "__pycache__" in path or _is_bookkeeping(path):
            continue
        actual = hashes.get(f"{site}/{path}")
        if actual is not None:
            owned[path] = actual
        if recorded is not None and recorded != actual:
            altered.append(path)
    return owned, altered


def _record(info: Path) -> Sequence[tuple[str, str | None]]:
    try:
        text = (info / "RECORD").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ()
    rows = []
    for row in csv.reader(text.splitlines()):
        if not row or not row[0]:
            continue
        rows.append((posixpath.normpath(row[0]), _hex(row[1]) if len(row) > 1 else None))
    return rows


def _hex(recorded: str) -> str | None:
    """``sha256=<urlsafe base64 without padding>`` as hexadecimal digits; other algorithms are not compared."""
    algorithm, _, value = recorded.partition("=")
    if algorithm != "sha256":
        return None
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except (binascii.Error, ValueError):
        return None


def _name_and_version(info: Path) -> tuple[str, str] | None:
    try:
        with (info / "METADATA").open("rb") as stream:
            text = stream.read(_METADATA_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    said: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        said.setdefault(key.strip().lower(), value.strip())
    if not (said.get("name") and said.get("version")):
        return None
    return re.sub(r"[-_.]+", "-", said["name"]).lower(), said["version"]


def _is_bookkeeping(path: str) -> bool:
    return os.path.basename(path) in _BOOKKEEPING and os.path.dirname(path).endswith(".dist-info")
