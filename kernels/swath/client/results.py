"""What a run brought back: fetched whole or not at all, and checked against what the run recorded."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from swath.client import opening
from swath.client.errors import Conflict, NotFound, ResultBroken, Unreachable
from swath.client.http import MARKETPLACE, Api, segment
from swath.contract.filenames import base_type, filename
from swath.display import bytes_text, html_table, text_table

_ATTEMPTS = 5
COLUMNS = ("name", "type", "size", "description")


@cache
def _scratch() -> Path:
    """A folder of this process for results that are opened; gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="swath-results-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Result:
    """One output of a run.

    Attributes
    ----------
    name, media_type, description
        As the algorithm's author declared them.
    size_bytes, sha256
        What was measured when the run ended.
    """

    def __init__(self, api: Api, run_id: str, record: Mapping[str, Any]) -> None:
        self._api = api
        self.run_id = run_id
        self.name = str(record.get("name", ""))
        self.media_type = str(record.get("media_type", ""))
        self.description = str(record.get("description", ""))
        size, digest = record.get("bytes"), str(record.get("sha256") or "")
        self.size_bytes = size if isinstance(size, int) else None
        self.sha256 = digest.removeprefix("sha256:").lower()
        self._path = f"{MARKETPLACE}/runs/{segment(run_id)}/results/{segment(self.name)}"

    @property
    def url(self) -> str:
        """Where the bytes are; a token is needed to read them."""
        return f"{self._api.url}{self._path}"

    @property
    def filename(self) -> str:
        """The name a file of this result gets, without any folder in it."""
        return filename(self.name, self.media_type)

    def bytes(self) -> bytes:
        """The bytes themselves, checked; for what fits the memory."""
        return self._kept().read_bytes()

    def open(self, **options: Any) -> Any:
        """The object that the result stands for, see `swath.client.opening.open_file`; `options` go to its reader."""
        return opening.open_file(self._kept(), self.media_type, **options)

    def download(self, path: str | os.PathLike[str] = ".", *, overwrite: bool = False) -> Path:
        """Save the result as a file and return where it is.

        Parameters
        ----------
        path
            A file, or a folder, in which it gets the name `filename`.
        overwrite
            Whether a file that is there may be replaced. The same bytes being there already is never an error.

        Raises
        ------
        ResultBroken
            The bytes are not those the run recorded; nothing is left at `path` then.
        Conflict
            Another file is there.
        """
        given = os.fspath(path)
        target = Path(given)
        if target.is_dir() or given.endswith(os.sep):
            target.mkdir(parents=True, exist_ok=True)
            target = target / self.filename
        if target.exists() and not overwrite:
            if self.sha256 and _sha256(target) == self.sha256:
                return target
            raise Conflict(
                f"there is another file at {target}",
                code="file-exists",
                mend="give another path, or let it be replaced (overwrite=True, --force)",
            )
        self._fetch(target)
        return target

    def _kept(self) -> Path:
        target = _scratch() / segment(self.run_id) / self.filename
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            self._fetch(target)
        return target

    def _fetch(self, target: Path) -> None:
        """Write the bytes beside `target` and move them there when they are whole and right."""
        beside = target.with_name(f".swath-{secrets.token_hex(8)}")
        try:
            with beside.open("xb") as file:
                digest = self._receive(file)
            if self.sha256 and digest != self.sha256:
                raise ResultBroken(
                    f"the bytes of {self.name!r} that arrived are not those that the run recorded",
                    code="digest-mismatch",
                    mend="fetch it again; if it stays so, tell the operator: the stored result has changed",
                    extra={"expected": self.sha256, "got": digest},
                )
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    def _receive(self, file: BinaryIO) -> str:
        """Everything, going on where a broken connection left off."""
        digest, got = hashlib.sha256(), 0
        for attempt in range(_ATTEMPTS):
            # Compressed bytes could not be gone on with.
            headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={got}-"} if got else {})}
            try:
                with self._api.stream(self._path, headers=headers) as response:
                    if got and response.status_code != 206:
                        digest, got = hashlib.sha256(), 0
                        file.seek(0)
                        file.truncate()
                    for chunk in response.iter_bytes():
                        file.write(chunk)
                        digest.update(chunk)
                        got += len(chunk)
                return digest.hexdigest()
            except (httpx.TransportError, Unreachable) as error:
                if got and got == self.size_bytes:
                    return digest.hexdigest()
                if attempt == _ATTEMPTS - 1:
                    raise Unreachable(
                        f"the connection broke while {self.name!r} was fetched ({bytes_text(got)} arrived)",
                        code="connection-lost",
                        mend="fetch it again",
                    ) from error
                self._api.pause(attempt)
        raise AssertionError("unreachable")  # pragma: no cover

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            "name": self.name,
            "media_type": self.media_type,
            "bytes": self.size_bytes,
            "sha256": self.sha256,
            "description": self.description,
            "url": self.url,
        }

    def row(self) -> tuple[str, ...]:
        """Cells for a table."""
        return self.name, base_type(self.media_type), bytes_text(self.size_bytes), self.description

    def __repr__(self) -> str:
        return f"<Result {self.name!r} {base_type(self.media_type)} {bytes_text(self.size_bytes)}>"


class Results(Mapping[str, Result]):
    """The outputs of a run by name."""

    def __init__(self, found: Sequence[Result]) -> None:
        self._found = {result.name: result for result in found}

    def __getitem__(self, name: str) -> Result:
        try:
            return self._found[name]
        except KeyError:
            # A KeyError too, or `in` and `.get` would not work.
            raise _NoSuchResult(
                f"this run has no result {name!r}", code="no-such-result", mend=f"it has: {', '.join(self._found)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def download(self, folder: str | os.PathLike[str] = ".", *, overwrite: bool = False) -> list[Path]:
        """Save every result in `folder`, which is made if need be."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        return [result.download(Path(folder), overwrite=overwrite) for result in self._found.values()]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._found)

    def __repr__(self) -> str:
        if not self._found:
            return "no results"
        return text_table(COLUMNS, [result.row() for result in self._found.values()])

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [result.row() for result in self._found.values()])


class _NoSuchResult(NotFound, KeyError):
    """`NotFound` that a mapping may raise."""


def _sha256(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""
