"""Content-addressed files: an artifact's name is its sha256, so that it can be written twice and never changed."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

_HEX = re.compile(r"[0-9a-f]{64}")


class ArtifactDamaged(Exception):
    """A stored file is gone or is not what its name says; an operator has to restore it."""


class ArtifactStore:
    """Files below one folder, ``sha256/ab/<hex>``, readable by this service alone.

    `put` is idempotent and atomic, from several processes at once too; `read` verifies what it gives.

    Parameters
    ----------
    root
        Folder of the store; made when it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root / "sha256"
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, content: bytes) -> str:
        """Store `content`; answers its address, 64 hexadecimal digits."""
        address = hashlib.sha256(content).hexdigest()
        path = self._path(address)
        if path.exists() and path.read_bytes() == content:
            return address
        path.parent.mkdir(exist_ok=True, mode=0o700)
        # mkstemp makes the file 0600.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return address

    def read(self, address: str) -> bytes:
        """The content under `address`.

        Raises
        ------
        ArtifactDamaged
            When the file is gone or its sha256 is another.
        """
        try:
            content = self._path(address).read_bytes()
        except FileNotFoundError as error:
            raise ArtifactDamaged(f"artifact {address} is gone") from error
        if hashlib.sha256(content).hexdigest() != address:
            raise ArtifactDamaged(f"artifact {address} is damaged")
        return content

    def _path(self, address: str) -> Path:
        if not _HEX.fullmatch(address):
            raise ValueError("an address is 64 hexadecimal digits")
        return self._root / address[:2] / address


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
