"""Whether a receipt, and a file that it speaks of, may be believed: everything is checked, and one doubt is enough.

Whose receipts are believed is decided by the keys: those of a file (`keys`), those kept from before (`offline`), or
those that the hub publishes, which must follow from what was kept of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from swath.client import receipts
from swath.client.errors import NotFound, SwathError
from swath.client.http import Api
from swath.client.trust import Pins
from swath.contract.digest import sha256_file
from swath.contract.envelopes import Reason, Untrusted
from swath.contract.receipts import (
    FORMAT,
    Believed,
    Bundle,
    Checkpoint,
    check_bundle,
    check_checkpoint,
    check_growth,
    check_output,
)
from swath.contract.signing_keys import KeySet
from swath.contract.times import moment
from swath.signatures import verify

_BEGINNING = f'{{"format":"{FORMAT}"'.encode()
_LARGEST_RECEIPT = 64 << 20


class Verdict(StrEnum):
    """How it ended."""

    VERIFIED = "verified"
    REFUSED = "refused"
    UNKNOWN = "cannot-tell"
    """Something that is needed is not here: the hub, its keys, the receipt."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was checked, and what came of it."""

    verdict: Verdict
    checks: tuple[str, ...]
    """Everything that held, in order."""
    reason: str = ""
    """Why it is not verified, for programs."""
    message: str = ""
    """The same for people."""
    mend: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Run, algorithm, version, times and outputs, of a receipt that holds."""

    @property
    def ok(self) -> bool:
        """Whether it may be believed."""
        return self.verdict is Verdict.VERIFIED

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        told = {"verdict": self.verdict.value, "checks": list(self.checks), **self.about}
        return told if self.ok else {**told, "reason": self.reason, "message": self.message, "mend": self.mend}

    def __repr__(self) -> str:
        lines = [f"ok  {check}" for check in self.checks]
        return "\n".join([*lines, self.verdict.value if self.ok else f"{self.verdict.value}: {self.message}"])


@dataclass(kw_only=True)
class Verifier:
    """One verification.

    Parameters
    ----------
    api
        The hub to ask; ``None`` asks nobody.
    keys_file
        Keys to trust instead of any others.
    origin
        The installation that it has to be.
    """

    api: Api | None
    pins: Pins = field(default_factory=Pins.default)
    keys_file: Path | None = None
    origin: str | None = None
    checks: list[str] = field(default_factory=list)

    def file(self, path: Path, *, receipt: Path | None = None) -> Verification:
        """Check a receipt, or a result file with its receipt."""
        return self._told(lambda: self._file(path, receipt))

    def receipt(self, content: bytes) -> Verification:
        """Check a receipt that is at hand."""
        return self._told(lambda: self._receipt(content))

    def _told(self, work: Any) -> Verification:
        try:
            believed: Believed = work()
        except Untrusted as error:
            return Verification(
                verdict=Verdict.REFUSED,
                checks=tuple(self.checks),
                reason=error.reason.value,
                message=error.message,
                mend=error.mend,
            )
        except (SwathError, OSError) as error:
            return Verification(
                verdict=Verdict.UNKNOWN,
                checks=tuple(self.checks),
                reason=getattr(error, "code", "unreadable"),
                message=getattr(error, "message", str(error)),
                mend=getattr(error, "mend", ""),
            )
        return Verification(verdict=Verdict.VERIFIED, checks=tuple(self.checks), about=_about(believed))

    def _file(self, path: Path, receipt: Path | None) -> Believed:
        if receipt is None and (content := _receipt_in(path)) is not None:
            return self._receipt(content)
        sha256 = sha256_file(path)
        believed = self._receipt(_content(receipt) if receipt else self._found(sha256))
        output = check_output(believed.statement, sha256)
        self.checks.append(f"output: the file is {output.name!r}, sha256 {sha256}")
        return believed

    def _found(self, sha256: str) -> bytes:
        if self.api is None:
            raise SwathError(
                "nobody is asked for the receipt of this file", code="no-receipt", mend="give it: --receipt FILE"
            )
        runs = receipts.find(self.api, sha256)
        if not runs:
            raise Untrusted(
                Reason.UNSIGNED,
                f"no receipt that you may see has an output with sha256 {sha256}: the file was changed, or never came "
                "from a run there",
            )
        return receipts.fetch(self.api, runs[0])

    def _receipt(self, content: bytes) -> Believed:
        bundle = Bundle.from_bytes(content)
        keys = self._keys(bundle)
        believed = check_bundle(bundle, keys, verify)
        self.checks += believed.checks
        self._log(believed.checkpoint, keys)
        return believed

    def _keys(self, bundle: Bundle) -> KeySet:
        if self.keys_file is not None:
            keys = self._wanted(KeySet.from_bytes(_content(self.keys_file), verify))
            self.checks.append(f"keys: from {self.keys_file}, head {keys.head[:16]}")
            return keys
        if self.api is None:
            return self._kept(bundle)
        url = self.api.url
        keys = self._wanted(receipts.fetch_keys(self.api))
        expected = self.pins.origin_of(url)
        if expected is not None and expected != keys.origin:
            raise Untrusted(
                Reason.WRONG_ORIGIN,
                f"{url} was {expected} when it was first seen, and says now that it is {keys.origin}",
                mend=f"ask its operator; if it was really set up anew, take {url} out of {self.pins.path}",
            )
        former = self.pins.keys_of(keys.origin)
        if former is None:
            self.checks.append(f"keys: seen for the first time at {url}, kept from now on; head {keys.head}")
        else:
            keys.require_after(former)
            self.checks.append(f"keys: as kept, or following from them; head {keys.head[:16]}")
        self.pins.keep_keys(url, keys)
        return keys

    def _kept(self, bundle: Bundle) -> KeySet:
        origin = bundle.statement.origin
        keys = self.pins.keys_of(origin)
        if keys is None:
            raise SwathError(
                f"no keys are kept of {origin[:80]!a}, and nobody is asked",
                code="no-keys",
                mend="give them (--keys FILE), or verify once while the hub can be asked",
            )
        self.checks.append(f"keys: as kept in {self.pins.path}, head {keys.head[:16]}")
        return self._wanted(keys)

    def _wanted(self, keys: KeySet) -> KeySet:
        if self.origin is not None and keys.origin != self.origin:
            raise Untrusted(Reason.WRONG_ORIGIN, f"the keys are of {keys.origin}, and {self.origin} is what is wanted")
        return keys

    def _log(self, told: Checkpoint, keys: KeySet) -> None:
        """That the log which the receipt stands in is the one seen before, and still there."""
        if self.keys_file is not None:
            self.checks.append("log: whether it still has the entry was not asked")
            return
        seen = self.pins.checkpoint_of(keys)
        if self.api is None:
            if seen is not None and seen.size == told.size:
                check_growth(seen, told, [])
            self.checks.append("log: whether it still has the entry was not asked")
            return
        try:
            envelope = receipts.fetch_checkpoint(self.api)
        except NotFound as error:
            raise Untrusted(Reason.LOG_TRUNCATED, "the log is empty, and the receipt says that it was not") from error
        now = check_checkpoint(envelope, keys, verify)
        for former in (told, seen):
            if former is not None:
                self._grown(former, now)
        self.pins.keep_checkpoint(keys, envelope)
        since = f", and since {seen.size} entries were seen at {moment(seen.at)}" if seen else ""
        self.checks.append(f"log: it has {now.size} entries now and only grew since the receipt{since}")

    def _grown(self, former: Checkpoint, now: Checkpoint) -> None:
        assert self.api is not None
        longer = former.size < now.size
        proof = receipts.fetch_consistency(self.api, first=former.size, second=now.size) if longer else []
        check_growth(former, now, proof)


def verify_receipt(content: bytes, *, api: Api | None, **settings: Any) -> Verification:
    """Check a receipt; see `Verifier` for the settings."""
    return Verifier(api=api, **settings).receipt(content)


def _receipt_in(path: Path) -> bytes | None:
    """The content of a file that says that it is a receipt."""
    with path.open("rb") as file:
        beginning = file.read(len(_BEGINNING))
        return beginning + file.read(_LARGEST_RECEIPT) if beginning == _BEGINNING else None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST_RECEIPT + 1)


def _about(believed: Believed) -> dict[str, Any]:
    told = believed.statement
    return {
        "run": told.run_id,
        "algorithm": told.algorithm,
        "version": told.version,
        "digest": f"sha256:{told.version_sha256}",
        "origin": told.origin,
        "finished_at": moment(told.finished_at),
        "log_index": believed.index,
        "outputs": [{"name": output.name, "sha256": output.sha256} for output in told.outputs],
    }
