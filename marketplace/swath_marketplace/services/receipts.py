"""Receipts: one for each finished run, signed and put into the log right after the run is settled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from swath.contract.envelopes import Envelope, Untrusted
from swath.contract.merkle import inclusion_proof
from swath.contract.receipts import CHECKPOINT_TYPE, Bundle, Checkpoint, statement_in
from swath.contract.signing_keys import KeyState
from swath.contract.statements import PAYLOAD_TYPE, Statement
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Invalid, NotFound, Unavailable

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.receipts import Draft, Receipt, statement_of
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.services.runs import get_run
from swath_marketplace.services.signing import Keys, Pen
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.receipts import KeysMoved, ReceiptStore
from swath_marketplace.store.runs import RunStore
from swath_marketplace.store.signing_keys import KeyUnfit

log = logging.getLogger(__name__)

_SHA256_DIGITS = 64
_ATTEMPTS = 3
_REMEMBERED = 256
#: Is told of each new receipt, once, after it is in the log.
Listener = Callable[[Run, Receipt], None]


class Issuer:
    """Makes receipts. Knows no caller: what it does follows from a run's end."""

    def __init__(
        self,
        *,
        store: ReceiptStore,
        runs: RunStore,
        algorithms: AlgorithmStore,
        keys: Keys,
        executor: str,
        software: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self.store = store
        self._runs = runs
        self._algorithms = algorithms
        self._keys = keys
        self._executor = executor
        self._software = software
        self._clock = clock
        self._listeners: list[Listener] = []
        self._versions: dict[tuple[str, str], AlgorithmVersion] = {}
        self._failed = False
        self._swept_with = 0

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` for each receipt that is issued from now on; what it raises is logged and goes no further."""
        self._listeners.append(listener)

    def on_end(self, run: Run) -> None:
        """Issue the receipt of a run that has just ended, if it finished. Never raises: the run is settled already.

        What cannot be issued now is issued by a later `sweep`.
        """
        if run.status is not RunStatus.FINISHED:
            return
        try:
            self.issue(run)
        except Exception as error:
            self._failed = True
            _tell(run.id, error)

    @property
    def owes(self) -> bool:
        """Whether something came up since the last sweep that makes one worth while."""
        return self._failed or len(self._keys.current().events) != self._swept_with

    def issue(self, run: Run, *, sequence: int = 1) -> Receipt:
        """The receipt of a finished run; the same one when it was issued before.

        Raises
        ------
        KeyUnfit
            The signing key cannot be used.
        """
        version = self._version(run)
        for attempt in range(_ATTEMPTS):
            # The log looks whether the keys moved; only then is it worth a question of its own.
            pen = self._keys.pen(known=attempt == 0)
            statement = statement_of(
                run, version, origin=pen.keys.origin, executor=self._executor, software=self._software
            )
            draft = Draft(
                run_id=run.id,
                sequence=sequence,
                envelope=pen.sign(statement.as_bytes(), PAYLOAD_TYPE),
                outputs=statement.outputs,
                key_events=len(pen.keys.events),
            )
            try:
                receipt, created = self.store.append(draft, sign=partial(_checkpoint, pen, self._clock()))
            except KeysMoved:
                continue
            if created:
                self._announce(run, receipt)
            return receipt
        raise KeyUnfit("the signing keys kept changing")

    def sweep(self, *, limit: int = 50) -> int:
        """Issue what is owed: for runs that ended while no key could be used, or whose receipt's key was revoked.

        Returns
        -------
        int
            How many were issued. One that cannot be issued is logged and keeps no other from its own.
        """
        keys = self._keys.current()
        revoked = [key.id for key in keys.keys if key.state is KeyState.REVOKED]
        issued, self._failed = 0, False
        for run_id, sequence in self.store.owed(revoked=revoked, limit=limit):
            run = self._runs.get(run_id)
            if run is None:
                continue
            try:
                self.issue(run, sequence=sequence)
                issued += 1
            except KeyUnfit as error:
                self._failed = True
                _tell(run_id, error)
                return issued
            except Exception as error:
                self._failed = True
                _tell(run_id, error)
        if not issued:
            self._swept_with = len(keys.events)
        return issued

    def _version(self, run: Run) -> AlgorithmVersion:
        """The version of a run, remembered: a version never changes."""
        key = (run.algorithm_id, run.digest)
        found = self._versions.get(key)
        if found is None:
            algorithm = self._algorithms.get(run.owner, run.name)
            versions = algorithm.versions if algorithm else ()
            found = next(version for version in versions if version.version == run.version)
            if len(self._versions) >= _REMEMBERED:
                self._versions.clear()
            self._versions[key] = found
        return found

    def _announce(self, run: Run, receipt: Receipt) -> None:
        for listener in self._listeners:
            try:
                listener(run, receipt)
            except Exception:
                log.exception("somebody who was told of the receipt of run %s failed", run.id)


class Receipts:
    """Receipts for whoever may see their runs."""

    def __init__(self, *, issuer: Issuer, store: ReceiptStore, runs: RunStore) -> None:
        self._issuer = issuer
        self._store = store
        self._runs = runs

    def add_listener(self, listener: Listener) -> None:
        """See `Issuer.add_listener`."""
        self._issuer.add_listener(listener)

    def of(self, run_id: str) -> Receipt | None:
        """The receipt of a run that counts, for services; ``None`` while there is none."""
        return self._store.of(run_id)

    def bundle(self, actor: Actor, run_id: str) -> Bundle:
        """The receipt of a run with the proof that it is in the log.

        Raises
        ------
        NotFound
            There is no such run of the caller's, or it did not finish.
        Unavailable
            It finished and its receipt cannot be issued at present.
        """
        return self._bundle(self._receipt(actor, run_id))

    def statement(self, actor: Actor, run_id: str) -> tuple[Statement, Receipt]:
        """What the receipt of a run states; raises as `bundle` does."""
        receipt = self._receipt(actor, run_id)
        return self.stated(receipt), receipt

    def stated(self, receipt: Receipt) -> Statement:
        """What a receipt states; raises `Unavailable` when what is stored was changed."""
        with _whole():
            return statement_in(receipt.envelope)

    def with_output(self, actor: Actor, sha256: str) -> Sequence[Receipt]:
        """Receipts, the newest first, that have an output of that hash and whose runs the caller may see.

        Raises
        ------
        Invalid
        """
        actor.require(Scope.READ)
        if len(sha256) != _SHA256_DIGITS or set(sha256) - set("0123456789abcdef"):
            raise Invalid(
                code="not-a-hash",
                message="this is no SHA-256",
                mend="send 64 lower-case hexadecimal digits",
                findings=[{"field": "sha256", "message": "not a SHA-256", "mend": "64 lower-case hexadecimal digits"}],
            )
        if not actor.is_operator and actor.kind is not ActorKind.USER:
            return []
        with _whole():
            return self._store.with_output(sha256, caller=None if actor.is_operator else actor.name)

    def _receipt(self, actor: Actor, run_id: str) -> Receipt:
        run = get_run(self._runs, actor, run_id)
        if run.status is not RunStatus.FINISHED:
            raise NotFound(
                code="no-receipt",
                message=f"the run is {run.status.value}, and only a finished run has a receipt",
                mend="wait until it is finished" if not run.terminal else "",
            )
        with _whole():
            found = self._store.of(run.id)
        if found is not None:
            return found
        try:
            return self._issuer.issue(run)
        except (KeyUnfit, Untrusted) as error:
            _tell(run.id, error)
            raise Unavailable(
                code="receipt-pending",
                message="the receipt of this run cannot be signed at present; it will be, without being asked again",
                mend="ask again later; the operator finds why in the log",
            ) from error

    def _bundle(self, receipt: Receipt) -> Bundle:
        with _whole():
            stored = self._store.checkpoint()
            if stored is None:
                raise KeyError("there is no checkpoint")
            proof = self._store.proofs(lambda hashes: inclusion_proof(receipt.log_index, stored.size, hashes))
            checkpoint = Envelope.from_bytes(stored.envelope.encode(), "checkpoint")
        return Bundle(receipt=receipt.envelope, index=receipt.log_index, proof=tuple(proof), checkpoint=checkpoint)


def _checkpoint(pen: Pen, now: datetime, size: int, root: bytes, former: Envelope | None) -> Envelope:
    last = Checkpoint.from_envelope(former).at if former else None
    # A clock that was set back must not let a longer log look older than a shorter one.
    at = now if last is None or now > last else last
    return pen.sign(Checkpoint(origin=pen.keys.origin, size=size, root=root, at=at).as_bytes(), CHECKPOINT_TYPE)


@contextmanager
def _whole() -> Iterator[None]:
    """What cannot be read of the log, or does not fit together, told as that."""
    try:
        yield
    except (KeyError, ValueError) as error:
        log.error("the log of receipts is damaged: %s", error)
        raise damaged() from error


def damaged() -> Unavailable:
    """What is told when the log of receipts is not whole."""
    return Unavailable(
        code="log-damaged",
        message="the log of receipts is damaged; nothing can be proved from it",
        mend="the operator finds where with `python -m swath_marketplace.audit`",
    )


def _tell(run_id: str, error: Exception) -> None:
    if isinstance(error, KeyUnfit):
        log.error("the receipt of run %s waits: %s", run_id, error)
    else:
        log.error("the receipt of run %s could not be issued", run_id, exc_info=error)
