"""Where emitted files go: a run's `out/` folder, or `./outputs/` at the desk."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from swath.client.errors import SwathError
from swath.contract.interface import GIVEN_OUTPUTS, OUTPUT_NAME
from swath.contract.run import OUTPUTS, OutputRecord


class EmitError(SwathError, ValueError):
    """A value that cannot be an output as it stands, or a name that an output cannot have."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a file is: its suffix (with the dot) and its media type."""

    suffix: str
    media_type: str


COG = Form(suffix=".tif", media_type="image/tiff; application=geotiff; profile=cloud-optimized")
GEOTIFF = Form(suffix=".tif", media_type="image/tiff; application=geotiff")
CSV = Form(suffix=".csv", media_type="text/csv")
PARQUET = Form(suffix=".parquet", media_type="application/vnd.apache.parquet")
GEOJSON = Form(suffix=".geojson", media_type="application/geo+json")
PNG = Form(suffix=".png", media_type="image/png")
JSON = Form(suffix=".json", media_type="application/json")


def check_name(name: object) -> str:
    """`name`, if an output can be called that: it is a file's name and a step of a URL.

    Raises
    ------
    EmitError
        It cannot.
    """
    if not isinstance(name, str) or not OUTPUT_NAME.fullmatch(name):
        raise EmitError(
            f"{str(name)[:80]!r} is not a name an output can have.",
            code="output-name",
            mend="Start with a letter and use letters, digits, '_' and '-', at most 63 in all.",
        )
    if name in GIVEN_OUTPUTS:
        raise EmitError(
            f"{name!r} is the name of an output that every run has by itself.",
            code="output-name",
            mend="Choose another name.",
        )
    return name


def run_folder() -> Path | None:
    """The folder of the run that this process belongs to; None at the desk."""
    folder = os.environ.get("SWATH_RUN_DIR")
    return Path(folder) if folder else None


def store(name: str, form: Form, *, write: Callable[[Path], None], description: str) -> Path:
    """Have `write` make the file and put it in its place, whole or not at all.

    In a run the file joins the run's outputs, and a name can be used once. At the desk, where cells are run again and
    again, it replaces the one of before.

    Parameters
    ----------
    write
        Called with the path to write to.

    Returns
    -------
    Path
        Where the file is now.

    Raises
    ------
    EmitError
        The run already has an output of that name.
    """
    run = run_folder()
    if run is None:
        return _place(_desk_folder() / f"{name}{form.suffix}", write)
    out = run / "out"
    with _record(run / OUTPUTS) as (known, append):
        if name in known:
            raise EmitError(
                f"This run already brought back an output {name!r}.",
                code="output-twice",
                mend="Give each output its own name.",
            )
        path = _place(out / "files" / f"{name}{form.suffix}", write)
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        record = OutputRecord(
            name=name,
            path=path.relative_to(out).as_posix(),
            media_type=form.media_type,
            bytes=path.stat().st_size,
            sha256=digest,
            description=description,
        )
        append(record.as_dict())
    return path


def _desk_folder() -> Path:
    """``./outputs/``; beside a notebook that lies where nobody may write, as the samples do, ``~/outputs/``."""
    here = Path.cwd() / "outputs"
    writable = os.access(here if here.is_dir() else here.parent, os.W_OK)
    return here if writable else Path.home() / "outputs"


def _place(path: Path, write: Callable[[Path], None]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: several writers choose their format by it.
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return path


@contextmanager
def _record(path: Path) -> Iterator[tuple[set[str], Callable[[dict[str, Any]], None]]]:
    """The run's record, locked: the names in it, and a function that appends to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = {json.loads(line)["name"] for line in file if line.strip()}

        def append(record: dict[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        yield known, append
