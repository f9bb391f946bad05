"""BagIt (RFC 8493) in a ZIP file: files below ``data/``, and manifests that say the sha256 of each.

Any program that knows BagIt can check such an archive. One folder is at its top, as section 4 of the RFC asks of a
serialized bag; it has the two tag files that are required, ``bag-info.txt``, and a manifest of payload and of tags.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from swath.contract.zips import ArchiveUnreadable, Fault, ReadZip

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_MANIFEST, _TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)")
_LARGEST_MANIFEST = 64 << 20

#: The same for every file: one account exported twice, with nothing new, differs in nothing but what tells the time.
_DATE = (1980, 1, 1, 0, 0, 0)


class BagWriter:
    """Writes a bag, file by file.

    Parameters
    ----------
    stream
        Seekable; left open.
    name
        Of the folder at the top.
    """

    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self._zip = zipfile.ZipFile(stream, "w", allowZip64=True)
        self._name = name
        self._payload: dict[str, str] = {}
        self._bytes = 0

    def __contains__(self, path: object) -> bool:
        return path in self._payload

    def add(self, path: str, content: bytes) -> str:
        """Add ``data/<path>``; answers its sha256, hexadecimal. What is there already is left as it is."""
        return self.add_blocks(path, [content], size=len(content), pack=True)

    def add_blocks(self, path: str, blocks: Iterable[bytes], *, size: int, pack: bool = False) -> str:
        """Add ``data/<path>`` piece by piece.

        Parameters
        ----------
        size
            In bytes, about; only whether it is over 2 GiB matters.
        pack
            Whether deflate is worth its time.
        """
        if path in self._payload:
            return self._payload[path]
        about = self._about(f"data/{path}", pack=pack)
        about.file_size = size
        digest = hashlib.sha256()
        with self._zip.open(about, "w", force_zip64=size >= 1 << 31) as target:
            for block in blocks:
                digest.update(block)
                self._bytes += len(block)
                target.write(block)
        self._payload[path] = digest.hexdigest()
        return self._payload[path]

    def close(self, info: Mapping[str, str], *, seal: Callable[[str], tuple[str, bytes]] | None = None) -> None:
        """Write the tag files, and end.

        Parameters
        ----------
        info
            Labels and values of ``bag-info.txt``, in that order.
        seal
            Given the sha256 of the payload's manifest, which binds every file of it, answers the name and content of
            one more tag file.
        """
        lines = [*info.items(), ("Payload-Oxum", f"{self._bytes}.{len(self._payload)}")]
        tags = {
            "bagit.txt": DECLARATION,
            "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in lines).encode(),
            _MANIFEST: _manifest({f"data/{path}": sha256 for path, sha256 in self._payload.items()}),
        }
        if seal:
            name, content = seal(hashlib.sha256(tags[_MANIFEST]).hexdigest())
            tags[name] = content
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in tags.items()}
        for name, content in {**tags, _TAG_MANIFEST: _manifest(hashes)}.items():
            with self._zip.open(self._about(name, pack=True), "w") as target:
                target.write(content)
        self._zip.close()

    def _about(self, path: str, *, pack: bool) -> zipfile.ZipInfo:
        about = zipfile.ZipInfo(f"{self._name}/{path}", _DATE)
        about.compress_type = zipfile.ZIP_DEFLATED if pack else zipfile.ZIP_STORED
        about.external_attr = 0o100600 << 16
        return about


class Bag:
    """A bag whose manifests are complete; `check` tells whether each file is what they say.

    Raises
    ------
    ArchiveUnreadable
        It is no bag, or files and manifests do not go together; with every fault.
    """

    def __init__(self, archive: ReadZip) -> None:
        self._zip = archive
        tops = {name.partition("/")[0] for name in archive.names}
        self._top = next(iter(tops)) if len(tops) == 1 else ""
        if not self._top or f"{self._top}/bagit.txt" not in archive.names:
            raise ArchiveUnreadable(
                Fault(code="not-a-bag", field="archive", message="there is no bagit.txt in the one folder at its top")
            )
        faults: list[Fault] = []
        if self._tag("bagit.txt").replace(b"\r\n", b"\n").strip() != DECLARATION.strip():
            faults.append(Fault(code="not-a-bag", field="bagit.txt", message="it declares no BagIt 1.0 in UTF-8"))
        listed = self._listed(_MANIFEST, faults)
        self._sha256 = {path.removeprefix("data/"): sha256 for path, sha256 in listed.items()}
        self._tags = self._listed(_TAG_MANIFEST, faults)
        there = {name.removeprefix(f"{self._top}/") for name in archive.names}
        faults += _apart(listed, {name for name in there if name.startswith("data/")}, _MANIFEST)
        tags = {name for name in there if not name.startswith("data/") and name != _TAG_MANIFEST}
        faults += _apart(self._tags, tags, _TAG_MANIFEST)
        if faults:
            raise ArchiveUnreadable(*faults)

    @property
    def paths(self) -> Mapping[str, str]:
        """Path below ``data/`` of every file, and its sha256 as the manifest tells it."""
        return self._sha256

    def size(self, path: str) -> int:
        """Bytes of ``data/<path>``."""
        return self._zip.size(f"{self._top}/data/{path}")

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of the payload's manifest, which binds every file of it."""
        return hashlib.sha256(self._tag(_MANIFEST)).hexdigest()

    def tag(self, name: str) -> bytes | None:
        """A tag file, where there is one of that name."""
        return self._tag(name) if name in self._tags else None

    def blocks(self, path: str) -> Iterator[bytes]:
        """The content of ``data/<path>``; raises `ArchiveUnreadable`."""
        return self._zip.blocks(f"{self._top}/data/{path}")

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """A small file as a whole; raises `ArchiveUnreadable`."""
        return self._zip.read(f"{self._top}/data/{path}", max_bytes=max_bytes)

    def check(self) -> Iterator[tuple[str, Sequence[Fault]]]:
        """Read every file; answers each one's path below ``data/``, or name, with what is wrong with it."""
        for name, sha256 in self._tags.items():
            yield name, self._checked(f"{self._top}/{name}", name, sha256)
        for path, sha256 in self._sha256.items():
            yield path, self._checked(f"{self._top}/data/{path}", f"data/{path}", sha256)

    def _checked(self, name: str, told: str, sha256: str) -> Sequence[Fault]:
        digest = hashlib.sha256()
        try:
            for block in self._zip.blocks(name):
                digest.update(block)
        except ArchiveUnreadable as error:
            return error.faults
        if digest.hexdigest() == sha256:
            return ()
        message = f"its sha256 is {digest.hexdigest()}, and the manifest says {sha256}"
        return (Fault(code="altered", field=told, message=message, mend="fetch the archive again"),)

    def _tag(self, name: str) -> bytes:
        return self._zip.read(f"{self._top}/{name}", max_bytes=_LARGEST_MANIFEST)

    def _listed(self, name: str, faults: list[Fault]) -> dict[str, str]:
        if f"{self._top}/{name}" not in self._zip.names:
            faults.append(Fault(code="no-manifest", field=name, message="there is no such manifest"))
            return {}
        found: dict[str, str] = {}
        for number, line in enumerate(self._tag(name).decode("utf-8", "replace").splitlines(), start=1):
            read = _LINE.fullmatch(line)
            if read is None or read[2] in found:
                message = "not a sha256 and a path" if read is None else "this path stands there twice"
                faults.append(Fault(code="bad-manifest", field=f"{name}#{number}", message=message))
                continue
            found[_decoded(read[2])] = read[1].lower()
        return found


def _apart(listed: Mapping[str, str], there: set[str], manifest: str) -> Iterator[Fault]:
    for path in sorted(listed.keys() - there):
        yield Fault(code="missing", field=path[:300], message=f"{manifest} names it, and it is not there")
    for path in sorted(there - listed.keys()):
        yield Fault(code="unlisted", field=path[:300], message=f"{manifest} does not name it")


def _manifest(hashes: Mapping[str, str]) -> bytes:
    return "".join(f"{sha256}  {_encoded(path)}\n" for path, sha256 in hashes.items()).encode()


def _encoded(path: str) -> str:
    # Section 2.1.3: these three, and no others.
    return path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _decoded(path: str) -> str:
    return path.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
