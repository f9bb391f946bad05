"""Reading a ZIP file that nobody trusts: bounded before anything of it is read, every fault told at once.

Nothing is ever extracted here: names lead nowhere, and contents are read as streams of a length known beforehand.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_END = b"PK\x05\x06"
_END_BYTES = 22
_LOCATOR = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_END64 = b"PK\x06\x06"
_END64_BYTES = 56
_LONGEST_COMMENT = 65_535
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BLOCK_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9._@+~ ,=()\[\]-]{1,255}")
#: A small file may be all zeros; beyond this it is made to fill a disk.
_FREE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong with an archive."""

    code: str
    field: str
    """Path in the archive, or ``archive``; with a place inside it after ``#``."""
    message: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """JSON form, as findings are told."""
        return {"code": self.code, "field": self.field, "message": self.message, "mend": self.mend}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What an archive may hold at most."""

    files: int = 200_000
    file_bytes: int = 16 << 30
    total_bytes: int = 32 << 30
    """Of all files together, unpacked."""
    directory_bytes: int = 64 << 20
    """Of the list of files, which is read as a whole."""
    ratio: int = 1_100
    """Unpacked to packed, of a file over a megabyte. Deflate itself reaches 1,032."""


class ArchiveUnreadable(Exception):
    """It is no archive that can be read at all; `faults` say why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


class ReadZip:
    """The files of an archive that kept its bounds.

    Parameters
    ----------
    stream
        Seekable; left open.

    Raises
    ------
    ArchiveUnreadable
        With every fault of its directory.
    """

    def __init__(self, stream: BinaryIO, *, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        _check_directory(stream, bounds)
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, RuntimeError, ValueError, OSError) as error:
            raise ArchiveUnreadable(_broken(str(error))) from error
        found = [one for one in self._zip.infolist() if not one.is_dir()]
        faults = list(_faults(self._zip.infolist(), bounds))
        if faults:
            raise ArchiveUnreadable(*faults)
        self._files = {one.filename: one for one in found}

    @property
    def names(self) -> tuple[str, ...]:
        """Path of every file, in the order in which they stand there."""
        return tuple(self._files)

    def size(self, name: str) -> int:
        """Bytes of a file, unpacked, as its directory tells; `blocks` gives no more than that."""
        return self._files[name].file_size

    def blocks(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece.

        Raises
        ------
        ArchiveUnreadable
            It is not what the directory tells: another length, another checksum, or damaged.
        """
        told, read = self._files[name], 0
        try:
            with self._zip.open(told) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    read += len(block)
                    if read > told.file_size:
                        raise zipfile.BadZipFile("it is longer than it says")
                    yield block
        except (zipfile.BadZipFile, EOFError, RuntimeError, OSError, ValueError) as error:
            raise ArchiveUnreadable(_broken(str(error), field=name)) from error
        except Exception as error:
            # zlib's own error, whose module need not be there where it cannot be met.
            if type(error).__module__ != "zlib":
                raise
            raise ArchiveUnreadable(_broken("its data cannot be unpacked", field=name)) from error
        if read != told.file_size:
            raise ArchiveUnreadable(_broken("it is shorter than it says", field=name))

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """A small file as a whole; raises as `blocks` does, and when it is larger than `max_bytes`."""
        if self.size(name) > max_bytes:
            raise ArchiveUnreadable(
                Fault(code="file-too-large", field=name, message=f"it is {self.size(name)} bytes, over {max_bytes}")
            )
        return b"".join(self.blocks(name))


def _check_directory(stream: BinaryIO, bounds: Bounds) -> None:
    """Look how large the directory says it is, before it is read as a whole."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES))
    tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise ArchiveUnreadable(
            Fault(
                code="not-an-archive",
                field="archive",
                message="this is no ZIP file, or it was cut off",
                mend="send the file as `swath export` saved it",
            )
        )
    count, length = struct.unpack_from("<HI", tail, at + 10)
    locator = at - _LOCATOR_BYTES
    if locator >= 0 and tail[locator : locator + 4] == _LOCATOR:
        count, length = _of_zip64(stream, struct.unpack_from("<Q", tail, locator + 8)[0], size)
    stream.seek(0)
    if count > bounds.files or length > bounds.directory_bytes:
        raise ArchiveUnreadable(
            Fault(
                code="too-many-files", field="archive", message=f"it has {count} files; at most {bounds.files} are read"
            )
        )


def _of_zip64(stream: BinaryIO, place: int, size: int) -> tuple[int, int]:
    if place > size - _END64_BYTES:
        raise ArchiveUnreadable(_broken("its end is damaged"))
    stream.seek(place)
    record = stream.read(_END64_BYTES)
    if record[:4] != _END64:
        raise ArchiveUnreadable(_broken("its end is damaged"))
    count, length = struct.unpack_from("<QQ", record, 32)
    return count, length


def _faults(found: list[zipfile.ZipInfo], bounds: Bounds) -> Iterator[Fault]:
    seen: set[str] = set()
    total = 0
    for one in found:
        told = _name_fault(one)
        if told:
            yield Fault(code="bad-path", field=one.filename[:200], message=told, mend="an export has no such file")
            continue
        if one.is_dir():
            continue
        # Where letters' case means nothing, two of them would be one file.
        if one.filename.lower() in seen:
            yield Fault(code="double-path", field=one.filename, message="there are two files of this path")
        seen.add(one.filename.lower())
        total += one.file_size
        yield from _content_faults(one, bounds)
    if total > bounds.total_bytes:
        message = f"unpacked it would take {total} bytes; at most {bounds.total_bytes} are read"
        yield Fault(code="archive-too-large", field="archive", message=message)


def _name_fault(one: zipfile.ZipInfo) -> str:
    name = one.filename
    steps = name.rstrip("/").split("/")
    if name != one.orig_filename or name.startswith("/") or any(step in ("", ".", "..") for step in steps):
        return "its path leads out of the archive, or is not written as a path is"
    if not all(_NAME.fullmatch(step) for step in steps) or len(steps) > 40:
        return "its path has characters, or a length, that no export has"
    kind = stat.S_IFMT(one.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is no plain file"
    return ""


def _content_faults(one: zipfile.ZipInfo, bounds: Bounds) -> Iterator[Fault]:
    if one.flag_bits & 0x1:
        yield Fault(code="encrypted", field=one.filename, message="it is encrypted")
    if one.compress_type not in _METHODS:
        yield Fault(code="bad-compression", field=one.filename, message="it is packed in a way that is not read here")
    if one.file_size > bounds.file_bytes:
        yield Fault(code="file-too-large", field=one.filename, message=f"it is over {bounds.file_bytes} bytes")
    elif one.file_size > _FREE_BYTES and one.file_size > bounds.ratio * max(1, one.compress_size):
        yield Fault(code="packed-too-tightly", field=one.filename, message="it unpacks to more than deflate can pack")


def _broken(message: str, *, field: str = "archive") -> Fault:
    return Fault(
        code="damaged",
        field=field,
        message=f"the archive is damaged: {message[:200]}",
        mend="fetch it again; a download that broke off can be taken up where it stopped",
    )
