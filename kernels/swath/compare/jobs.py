"""Many pairs at once, each compared in a process of its own: a file that brings its reader down takes no other along.

A job is ``{"pairs": [{"name", "expected", "found", "media_type", "tolerance"}], "pictures": folder or null,
"limits": {"memory_bytes", "seconds"}}``; the answer is ``{"comparisons": {name: Comparison}}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from swath.client.errors import MissingPackage
from swath.compare.files import compare_files, comparer_of, incomparable
from swath.compare.kinds import kind_of, media_type_of
from swath.contract.comparison import EXACT, Comparison, Tolerance
from swath.contract.fields import ContractError, Fields
from swath.contract.media import Kind, told_as

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_ANSWER_BYTES = 4 << 20
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the comparison of one pair may take."""

    memory_bytes: int = 4096 * _MIB
    """Of address space, libraries included."""
    seconds: float = 300.0
    """By the clock, and of processor time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePair:
    """Two files of one output."""

    name: str
    """Letters, digits, ``_`` and ``-``; also of its picture."""
    expected: Path
    found: Path
    media_type: str = ""
    tolerance: Tolerance = EXACT

    @classmethod
    def from_dict(cls, data: object) -> FilePair:
        """Read a member of ``pairs``; raises `ContractError`."""
        fields = Fields(data, "pair")
        name = fields.text("name")
        if not _NAME.fullmatch(name):
            raise ContractError("pair.name: expected letters, digits, '_' and '-'")
        return cls(
            name=name,
            expected=Path(fields.text("expected")),
            found=Path(fields.text("found")),
            media_type=fields.either("media_type", fields.text, otherwise=""),
            tolerance=Tolerance.from_dict(fields.raw("tolerance")) if fields.has("tolerance") else EXACT,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CompareJob:
    """What `run` is to do."""

    pairs: Sequence[FilePair]
    pictures: Path | None = None
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def from_dict(cls, data: object) -> CompareJob:
        """Read a job file's content; raises `ContractError`."""
        fields = Fields(data, "job")
        pairs = fields.items("pairs", FilePair.from_dict)
        if len({pair.name for pair in pairs}) < len(pairs):
            raise ContractError("job.pairs: two of one name")
        given = Fields(fields.mapping("limits"), "job.limits") if fields.has("limits") else None
        limits = (
            Limits(
                memory_bytes=given.integer("memory_bytes", least=64 * _MIB), seconds=given.number("seconds", least=0.1)
            )
            if given
            else Limits()
        )
        pictures = fields.maybe("pictures", fields.text)
        return cls(pairs=pairs, pictures=Path(pictures) if pictures else None, limits=limits)


def run(job: CompareJob) -> dict[str, Comparison]:
    """Compare every pair, one after the other.

    A pair that takes too much time or memory, or brings its process down, is answered with
    `Verdict.INCOMPARABLE`; the others are compared all the same.

    Raises
    ------
    MissingPackage
        A library for a kind is not installed; nothing was compared.
    """
    for kind in {found for pair in job.pairs if (found := _kind(pair))}:
        # Imported once, here, and inherited by every process: none of these libraries starts a thread at import.
        comparer_of(kind)
    return {pair.name: _apart(pair, job) for pair in job.pairs}


def _kind(pair: FilePair) -> Kind | None:
    try:
        return kind_of(pair.media_type or media_type_of(pair.found), pair.found)
    except OSError:
        return None


def _apart(pair: FilePair, job: CompareJob) -> Comparison:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _become(pair, job, write)
    os.close(write)
    try:
        said, timely = _listen(read, job.limits.seconds)
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return _answer(pair, said, timely=timely, status=status, limits=job.limits)


def _become(pair: FilePair, job: CompareJob, write: int) -> NoReturn:
    """In the forked child: compare, say so, end without anything of the parent's being run."""
    try:
        memory, seconds = job.limits.memory_bytes, int(job.limits.seconds) + 1
        _limit("RLIMIT_AS", memory)
        _limit("RLIMIT_CPU", seconds)
        _limit("RLIMIT_CORE", 0)
        # Libraries that complain of a broken file on standard error would fill a log with its words.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            found = compare_files(
                pair.expected,
                pair.found,
                media_type=pair.media_type,
                tolerance=pair.tolerance,
                pictures=job.pictures,
                name=pair.name,
            ).as_dict()
        except MissingPackage as error:
            found = {"missing": error.as_dict()}
        content = json.dumps(found, allow_nan=False).encode()
        while content:
            content = content[os.write(write, content) :]
        os._exit(0)
    except BaseException:
        os._exit(70)


def _limit(name: str, wanted: int) -> None:
    import resource

    which = getattr(resource, name)
    _, hard = resource.getrlimit(which)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        # Not every system bounds everything; the clock is watched from outside in any case.
        resource.setrlimit(which, (most, most))


def _listen(read: int, seconds: float) -> tuple[bytes, bool]:
    """What the child says until it is silent, and whether that was in time."""
    deadline, said = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and len(said) <= _ANSWER_BYTES:
            if not selector.select(left):
                continue
            block = os.read(read, 1 << 16)
            if not block:
                return said, True
            said += block
    return said, False


def _answer(pair: FilePair, said: bytes, *, timely: bool, status: int, limits: Limits) -> Comparison:
    kind = told_as(_kind(pair) or Kind.BYTES)
    code = os.waitstatus_to_exitcode(status)
    if not timely or code == -signal.SIGXCPU:
        return incomparable(kind, f"the comparison took more than {limits.seconds:g} s")
    if code == -signal.SIGKILL and not said:
        return incomparable(kind, "the comparison took more memory than there is for it")
    try:
        found: Mapping[str, Any] = json.loads(said)
        if missing := found.get("missing"):
            raise MissingPackage(str(missing["message"]), code="missing-package", mend=str(missing["mend"]))
        return Comparison.from_dict(found)
    except (ValueError, KeyError):
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return incomparable(kind, f"a file brought the program down that reads it ({how})")
