"""What the notebook brought back, looked at again before anything is reported.

`swath.emit` checks values where they are made; its record is a file that the notebook's code can reach, so the runner
believes none of it: it reads every file itself, and says which declared output is missing or unreadable.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path

from swath.contract.fields import ContractError
from swath.contract.interface import GIVEN_OUTPUTS, OUTPUT_NAME, Interface
from swath.contract.run import OUTPUTS, ErrorCode, InputRecord, OutputRecord, RunError

_MAX_RECORDS = 1_000
_MAX_LINE = 65_536
#: GeoTIFF keys that name a coordinate reference system: geographic, projected.
_CRS_KEYS = frozenset({2048, 3072})
_GEO_KEY_DIRECTORY = 34735


@dataclass(frozen=True, kw_only=True)
class Produced:
    """The outputs that stand, and the first reason why the run can't count as finished."""

    records: tuple[OutputRecord, ...]
    error: RunError | None


def collect(run_dir: Path, interface: Interface, *, complete: bool) -> Produced:
    """Read the record of emitted outputs and check each file.

    Parameters
    ----------
    complete
        The notebook ran to its end, so that every declared output must be there.
    """
    out = run_dir / "out"
    kept: dict[str, OutputRecord] = {}
    faults: dict[str, str] = {}
    for line in _lines(run_dir / OUTPUTS):
        try:
            record = OutputRecord.from_dict(json.loads(line))
            if not OUTPUT_NAME.fullmatch(record.name) or record.name in GIVEN_OUTPUTS or record.name in kept:
                continue
            kept[record.name] = measure(out, record)
            fault = unreadable(out / record.path, record.media_type)
        except (ContractError, ValueError):
            continue
        except OSError as error:
            fault = f"its file can't be read ({type(error).__name__})"
        if fault:
            kept.pop(record.name, None)
            faults[record.name] = fault
    missing = [output.name for output in interface.outputs if output.name not in kept and output.name not in faults]
    return Produced(records=tuple(kept.values()), error=_error(faults, missing if complete else []))


def _error(faults: dict[str, str], missing: list[str]) -> RunError | None:
    if faults:
        said = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        return RunError(code=ErrorCode.OUTPUT_INVALID, message=f"The run brought back what can't be read: {said}.")
    if missing:
        said = ", ".join(missing)
        return RunError(
            code=ErrorCode.OUTPUT_MISSING,
            message=f"The notebook ran to its end without bringing back what it declares: {said}.",
        )
    return None


def measure(out: Path, record: OutputRecord) -> OutputRecord:
    """`record` with size and digest as they are on disk.

    Raises
    ------
    OSError
        There is no such regular file below `out`; a link counts as none.
    """
    path = out / record.path
    if not path.resolve().is_relative_to(out.resolve()):
        raise FileNotFoundError(record.path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not path.is_file():
            raise FileNotFoundError(record.path)
        digest = file_digest(file, "sha256").hexdigest()
        return replace(record, bytes=os.fstat(file.fileno()).st_size, sha256=digest)


def unreadable(path: Path, media_type: str) -> str | None:
    """Why the file at `path` is not of `media_type`; None when it is, as far as a look at its form tells."""
    kind = media_type.partition(";")[0].strip()
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "its file is empty"
    if kind in ("application/json", "application/geo+json"):
        return _json_fault(path, kind)
    if kind == "image/png" and not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "its file is no PNG picture"
    if kind in ("application/vnd.apache.parquet", "application/x-parquet") and not head.startswith(b"PAR1"):
        return "its file is no Parquet table"
    if kind == "image/tiff":
        return tiff_fault(path)
    return None


def _json_fault(path: Path, kind: str) -> str | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return "its file is no JSON"
    if kind == "application/geo+json" and not (isinstance(value, dict) and "type" in value):
        return "its file is no GeoJSON"
    return None


def tiff_fault(path: Path) -> str | None:
    """Why the file at `path` is no georeferenced TIFF; None when it names a coordinate reference system.

    The first directory is read with `struct` alone: rasterio would cost every run a third of a second.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return "its file is no TIFF"
        magic = struct.unpack_from(f"{order}H", head, 2)[0]
        if magic not in (42, 43):
            return "its file is no TIFF"
        big = magic == 43
        counter, entry_form, size = ("Q", "HHQQ", 20) if big else ("H", "HHLL", 12)
        file.seek(struct.unpack_from(f"{order}{'Q' if big else 'L'}", head, 8 if big else 4)[0])
        width = struct.calcsize(f"{order}{counter}")
        try:
            count = struct.unpack(f"{order}{counter}", file.read(width))[0]
            for _ in range(min(count, 4096)):
                tag, _kind, values, offset = struct.unpack(f"{order}{entry_form}", file.read(size))
                if tag == _GEO_KEY_DIRECTORY:
                    file.seek(offset)
                    keys = struct.unpack(f"{order}{values}H", file.read(2 * values))
                    return None if _CRS_KEYS & set(keys[4::4]) else "its raster names no coordinate reference system"
        except struct.error:
            return "its TIFF is cut off"
    return "its raster names no coordinate reference system"


def read_inputs(path: Path) -> tuple[InputRecord, ...]:
    """The assets of the archive that the notebook opened, each once."""
    found: dict[InputRecord, None] = {}
    for line in _lines(path):
        try:
            found[InputRecord.from_dict(json.loads(line))] = None
        except (ContractError, ValueError):
            continue
    return tuple(found)


def _lines(path: Path) -> list[bytes]:
    if path.is_symlink() or not path.is_file():
        return []
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip() and len(line) <= _MAX_LINE]
    return lines[: _MAX_RECORDS * 100]
