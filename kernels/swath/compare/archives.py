"""Zip files and what gzip packed: their contents, for the times that they keep differ with every run."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import IO

from swath.compare.files import Job
from swath.compare.kinds import Format, format_of
from swath.compare.limits import MAX_ARCHIVE_BYTES, MAX_MEMBERS, CannotCompare
from swath.compare.tally import Tally, without_share
from swath.contract.comparison import Comparison

_BLOCK_BYTES = 1 << 20


def compare(job: Job) -> Comparison:
    """Compare the members of two archives by name and bytes; nothing is unpacked onto a disk."""
    formats = format_of(job.expected), format_of(job.found)
    if formats[0] is not formats[1]:
        raise CannotCompare(f"the expected file is {formats[0].value}, the found one {formats[1].value}")
    read = {Format.ZIP: _zip, Format.GZIP: _gzip}.get(formats[0])
    if read is None:
        raise CannotCompare("the files are neither zip nor gzip")
    expected, found = read(job.expected, "the expected file"), read(job.found, "the found file")
    tally = Tally("bytes", compared="members")
    for name in sorted(expected.keys() | found.keys()):
        tally.compared += 1
        if expected.get(name) != found.get(name):
            tally.differing += 1
            tally.add(f"member {name}" if name else "content", expected.get(name), found.get(name))
    return tally.comparison(without_share(job.tolerance))


def _zip(path: Path, which: str) -> dict[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise CannotCompare(f"{which} has {len(members):,} members; up to {MAX_MEMBERS:,} are compared")
            left, found = MAX_ARCHIVE_BYTES, {}
            for member in members:
                with archive.open(member) as stream:
                    found[member.filename], left = _digest(stream, left, which)
    except (zipfile.BadZipFile, RuntimeError, EOFError, zlib.error) as error:
        raise CannotCompare(f"{which} cannot be read as a zip: {error}") from error
    return found


def _gzip(path: Path, which: str) -> dict[str, str]:
    try:
        with gzip.open(path) as stream:
            assert isinstance(stream, gzip.GzipFile)
            return {"": _digest(stream, MAX_ARCHIVE_BYTES, which)[0]}
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CannotCompare(f"{which} cannot be read as gzip: {error}") from error


def _digest(stream: IO[bytes] | gzip.GzipFile, left: int, which: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while block := stream.read(_BLOCK_BYTES):
        size += len(block)
        if size > left:
            raise CannotCompare(f"{which} unpacks to more than {MAX_ARCHIVE_BYTES >> 30} GiB")
        digest.update(block)
    return f"{size:,} bytes, sha256 {digest.hexdigest()[:16]}…", left - size
