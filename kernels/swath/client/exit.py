"""Leaving and arriving: an account's archive is fetched from one Swath, checked here, and brought to another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from swath.client.errors import Conflict, Invalid, SwathError, Unreachable
from swath.client.http import MARKETPLACE, Api, segment
from swath.contract.bags import Bag
from swath.contract.digest import sha256_file
from swath.contract.zips import ArchiveUnreadable, ReadZip

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 3.0
_ATTEMPTS = 5
_BLOCK_BYTES = 1 << 20
_OPEN = frozenset({"asked", "working"})
#: Is told which part is at work, and how much is done, 0..1.
Told = Callable[[str, float], None]


def export(api: Api, target: str | os.PathLike[str] | None = None, *, told: Told | None = None) -> Path:
    """Have everything of yours put into one archive, and save it.

    Parameters
    ----------
    target
        A file or a folder; by default the present folder, under the name that the server gives it. A part of it that
        is there from a download that broke off is gone on with.

    Raises
    ------
    SwathError
        It could not be made, or is not what its sha256 says.
    """
    work = _over(api, api.json("POST", f"{MARKETPLACE}/account/exports"), told)
    if work["stage"] != "done":
        raise SwathError(str(work["message"]), code=f"export-{work['stage']}", mend="ask again")
    path = _target(target, work)
    _fetch(api, f"{MARKETPLACE}/account/exports/{segment(work['id'])}/archive", path, sha256=work["archive"]["sha256"])
    return path


def check(path: str | os.PathLike[str]) -> Mapping[str, str]:
    """Make sure that an archive is whole, without asking anybody; answers its files with their sha256.

    Raises
    ------
    Invalid
        With a finding for everything that is wrong.
    """
    try:
        with Path(path).open("rb") as stream:
            bag = Bag(ReadZip(stream))
            faults = [fault for _, some in bag.check() for fault in some]
            if faults:
                raise ArchiveUnreadable(*faults)
            return dict(bag.paths)
    except ArchiveUnreadable as error:
        raise Invalid(
            f"{path} is no whole archive of an account",
            code="archive-damaged",
            findings=[fault.as_dict() for fault in error.faults],
        ) from error


def bring(api: Api, path: str | os.PathLike[str], *, told: Told | None = None) -> dict[str, Any]:
    """Bring an archive to this Swath; answers what came of it.

    The same archive again changes nothing, so it may be sent anew after a break.

    Raises
    ------
    Invalid
        With a finding for everything that is wrong; then nothing of it was brought in.
    """
    check(path)
    work = _over(api, _send(api, Path(path)), told)
    if work["stage"] == "refused":
        raise Invalid(str(work["message"]), code="archive-refused", findings=work["findings"])
    if work["stage"] != "done":
        raise SwathError(str(work["message"]), code=f"import-{work['stage']}", mend="send it again")
    return dict(work["report"])


def _over(api: Api, work: dict[str, Any], told: Told | None) -> dict[str, Any]:
    path = f"{MARKETPLACE}/account/{work['kind']}s/{segment(work['id'])}"
    pause = _FIRST_PAUSE
    while work["stage"] in _OPEN:
        if told:
            told(str(work["doing"] or work["stage"]), float(work["progress"]))
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.5)
        work = api.json("GET", path)
    return work


def _send(api: Api, path: Path) -> dict[str, Any]:
    headers = {"Content-Type": "application/zip", "Content-Length": str(path.stat().st_size)}
    for attempt in range(_ATTEMPTS):
        try:
            response = api.send(f"{MARKETPLACE}/account/imports", lambda: _blocks(path), headers=headers)
        except Unreachable:
            if attempt + 1 == _ATTEMPTS:
                raise
            api.pause(attempt)
        else:
            return dict(response.json())
    raise AssertionError("unreachable")  # pragma: no cover


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


def _target(target: str | os.PathLike[str] | None, work: Mapping[str, Any]) -> Path:
    name = f"swath-account-{str(work['asked_at'])[:10]}.zip"
    path = Path(target) if target is not None else Path()
    path = path / name if path.is_dir() else path
    if path.exists() and sha256_file(path) != work["archive"]["sha256"]:
        raise Conflict(f"{path} is there already", code="file-exists", mend="name another file: --to FILE")
    return path


def _fetch(api: Api, door: str, path: Path, *, sha256: str) -> None:
    """Fetch into a file beside `path`, going on where an earlier attempt broke off, then give it its name."""
    if path.exists():
        return
    partial = path.with_name(f".{path.name}.{sha256[:12]}.partial")
    for attempt in range(_ATTEMPTS):
        try:
            _go_on(api, door, partial, sha256=sha256)
            break
        except (httpx.TransportError, Unreachable):
            if attempt + 1 == _ATTEMPTS:
                raise
            api.pause(attempt)
    if sha256_file(partial) != sha256:
        partial.unlink()
        raise SwathError("what was fetched is not what the server made", code="archive-damaged", mend="fetch it again")
    partial.replace(path)


def _go_on(api: Api, door: str, partial: Path, *, sha256: str) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-", "If-Range": f'"{sha256}"'} if have else {}
    with api.stream(door, headers=headers) as response:
        mode = "ab" if response.status_code == 206 else "wb"
        with partial.open(mode) as stream:
            partial.chmod(0o600)
            for block in response.iter_bytes(_BLOCK_BYTES):
                stream.write(block)
