"""Results compared in a sandbox of this machine, by the library of a locked environment.

The files were written by code that nobody trusts, and so are the libraries that read them treated: no network, an own
uid, the pairs read-only, bounded memory, processor time and clock; what they say is read like what a run left.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swath.contract.comparison import Comparison, Verdict
from swath.contract.media import Kind, named_kind, told_as
from swath_sandbox import warden
from swath_sandbox.cgroups import Limits
from swath_sandbox.errors import SandboxError
from swath_sandbox.files import hand_over
from swath_sandbox.pythons import python_binds
from swath_sandbox.spec import Allow, Job, Sandbox
from swath_sandbox.uids import UidRegistry

from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.executors.comparer import ComparerUnavailable, Pair
from swath_marketplace.executors.comparison_answers import bring_picture, read_answer, write_job

log = logging.getLogger(__name__)

_INSIDE = Path("/run/swath")
_MIB = 1 << 20
_BLOCK_BYTES = 1 << 20
#: A folder that nobody works in is looked for after this long: one that is younger may be somebody's who just began.
_STALE_SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparerSettings:
    """What a comparison gets."""

    memory_bytes: int = 2048 * _MIB
    pair_seconds: float = 180.0
    """Of the clock, for each pair."""
    cpus: float = 1.0
    pids: int = 64
    out_bytes: int = 64 * _MIB
    """The answer and the pictures."""
    at_once: int = 1
    """Comparisons at a time; they stand beside the slots that runs share."""
    allow: frozenset[Allow] = frozenset()
    """What the operator gave up in so many words."""


class SandboxComparer:
    """`Comparer` on this machine.

    Pairs of the same bytes are told as such without a sandbox: nothing in a file can make that untrue.

    Parameters
    ----------
    environment
        Gives the environment whose library compares; ``None`` when there is none.
    scratch
        Folder of our own; each comparison has one below it while it goes on.
    """

    def __init__(
        self,
        *,
        environment: Callable[[], Environment | None],
        uids: UidRegistry,
        scratch: Path,
        settings: ComparerSettings | None = None,
    ) -> None:
        self._environment = environment
        self._uids = uids
        self._scratch = scratch
        self._settings = settings or ComparerSettings()
        self._turn = threading.BoundedSemaphore(self._settings.at_once)

    def compare(self, pairs: Sequence[Pair], *, pictures: Path | None = None) -> Mapping[str, Comparison]:
        found: dict[str, Comparison] = {}
        for pair in pairs:
            if told := _without_reading(pair):
                found[pair.name] = told
        left = [pair for pair in pairs if pair.name not in found]
        if left:
            with self._turn:
                found |= self._in_sandbox(left, pictures)
        return {pair.name: found[pair.name] for pair in pairs}

    def sweep(self) -> None:
        """Remove what comparisons left behind whose service was killed; what still goes on is left alone."""
        for folder in self._scratch.glob("*"):
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS and warden.reap(folder / "warden"):
                self._remove(folder)

    def _in_sandbox(self, pairs: Sequence[Pair], pictures: Path | None) -> Mapping[str, Comparison]:
        environment = self._environment()
        if environment is None:
            raise ComparerUnavailable("there is no environment whose library could compare")
        folder = self._scratch / uuid.uuid4().hex
        try:
            self._prepare(folder, pairs, environment, drawn=pictures is not None)
            ended = self._wait(folder, len(pairs))
            return self._collect(folder, pairs, ended, pictures)
        except (SandboxError, OSError, ValueError) as error:
            raise ComparerUnavailable(f"the comparison could not be carried out: {error}") from error
        finally:
            self._remove(folder)

    def _prepare(self, folder: Path, pairs: Sequence[Pair], environment: Environment, *, drawn: bool) -> None:
        given, out = folder / "in", folder / "out"
        folder.mkdir(parents=True, mode=0o700)
        # Entered by the sandbox's uid through its bind alone: the folder above is closed to everybody else.
        given.mkdir(mode=0o755)
        out.mkdir(mode=0o700)
        memory = self._settings.memory_bytes
        write_job(given, pairs, inside=_INSIDE, memory_bytes=memory, seconds=self._settings.pair_seconds, drawn=drawn)
        uid = self._uids.uid_for(_key(folder))
        hand_over(out, uid)
        warden.prepare(folder / "warden", self._job(folder, environment, uid=uid, pairs=len(pairs)))

    def _job(self, folder: Path, environment: Environment, *, uid: int, pairs: int) -> Job:
        settings, python = self._settings, Path(environment.python)
        return Job(
            sandbox=Sandbox(
                argv=[
                    str(python), "-P", "-m", "swath.compare",
                    str(_INSIDE / "in" / "job.json"), str(_INSIDE / "out" / "answer.json"),
                ],
                ro_binds=[*python_binds(python, editable=environment.editable), (folder / "in", _INSIDE / "in")],
                rw_binds=[(folder / "out", _INSIDE / "out")],
                env={
                    "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
                    "HOME": "/tmp/home",  # noqa: S108 - inside the sandbox, on its own tmpfs
                    "LANG": "C.UTF-8",
                    "TZ": "UTC",
                    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_IO_THREADS"), "1"),
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                network=False,
                uid=uid,
                hostname="comparison",
                bare_paths={str(_INSIDE): str(folder)},
            ),
            group=f"compare-{folder.name}",
            limits=Limits(memory_bytes=settings.memory_bytes, pids=settings.pids, cpus=settings.cpus),
            wall_seconds=self._wall_seconds(pairs),
            disk_bytes=settings.out_bytes,
            disk_paths=[folder / "out"],
            disk_files=4 * pairs + 10,
            log_bytes=16 << 10,
            open_files=512,
            allow=settings.allow,
        )  # fmt: skip

    def _wall_seconds(self, pairs: int) -> float:
        return pairs * self._settings.pair_seconds + 60

    def _wait(self, folder: Path, pairs: int) -> warden.Exit:
        handle = warden.launch(folder / "warden")
        ended = warden.wait(folder / "warden", timeout_seconds=self._wall_seconds(pairs) + 30)
        if ended is None:
            warden.stop(handle)
            raise SandboxError("its warden was lost")
        return ended

    def _collect(
        self, folder: Path, pairs: Sequence[Pair], ended: warden.Exit, pictures: Path | None
    ) -> Mapping[str, Comparison]:
        if ended.reason in (warden.Reason.FAILED_TO_START, warden.Reason.WARDEN_FAILED, warden.Reason.STOPPED):
            raise SandboxError(f"{ended.reason.value}: {ended.message}")
        if ended.reason is warden.Reason.EXITED and ended.exit_code and ended.signal is None:
            # It says so itself: no such library in this environment, no such package, a job that it does not know.
            raise SandboxError(f"exit code {ended.exit_code}: {_last_words(folder)}")
        if ended.reason is not warden.Reason.EXITED or ended.exit_code != 0:
            why = "more memory than there is for it" if ended.oom_kills else f"too much ({_how(ended)})"
            return {pair.name: _incomparable(pair, f"the comparison took {why}") for pair in pairs}
        answer = read_answer(folder / "out")
        found = {}
        for pair in pairs:
            one = answer.get(pair.name) or _incomparable(pair, "the comparison said nothing that can be read")
            found[pair.name] = bring_picture(one, pair.name, source=folder / "out", target=pictures)
        return found

    def _remove(self, folder: Path) -> None:
        if not folder.exists():
            return
        hand_over(folder, 0)
        # rm, because folders may be nested deeper than any recursion of ours, in ways meant to trip it.
        command = ["rm", "-rf", "--one-file-system", "--", str(folder)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        self._uids.release(_key(folder))


def _how(ended: warden.Exit) -> str:
    return ended.reason.value if ended.signal is None else f"signal {ended.signal}"


def _key(folder: Path) -> str:
    return f"run:compare-{folder.name}"


def _without_reading(pair: Pair) -> Comparison | None:
    """What can be told of a pair from its bytes alone: that they are the same, or that a file is missing."""
    try:
        same = _same_bytes(pair.expected, pair.found)
    except FileNotFoundError as error:
        which = "expected" if error.filename == str(pair.expected) else "found"
        return _incomparable(pair, f"the {which} file is missing")
    except OSError as error:
        return _incomparable(pair, f"a file cannot be read: {error.strerror}")
    if not same:
        return None
    return Comparison(verdict=Verdict.IDENTICAL, kind=_kind(pair), message="the same bytes")


def _same_bytes(expected: Path, found: Path) -> bool:
    with expected.open("rb") as first, found.open("rb") as second:
        while (block := first.read(_BLOCK_BYTES)) == second.read(_BLOCK_BYTES):
            if not block:
                return True
    return False


def _kind(pair: Pair) -> str:
    return told_as(named_kind(pair.media_type) or Kind.BYTES)


def _incomparable(pair: Pair, reason: str) -> Comparison:
    return Comparison(verdict=Verdict.INCOMPARABLE, kind=_kind(pair), message=reason)


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / "warden" / "stderr.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:300] if lines else "it said nothing"
