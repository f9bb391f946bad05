"""A receipt as a file: a signed statement, and the proof that it stands in the installation's log; and its checks.

Everything here fails closed: a check that does not hold raises `Untrusted`, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.envelopes import Envelope, Reason, Untrusted, Verifier, refusing
from swath.contract.fields import ContractError, Fields
from swath.contract.merkle import check_consistency, check_inclusion, leaf_hash
from swath.contract.signing_keys import KeySet, KeyState
from swath.contract.statements import PAYLOAD_TYPE, StatedOutput, Statement
from swath.contract.strict_json import read_canonical, read_hash
from swath.contract.times import moment, read_moment

CHECKPOINT_TYPE = "application/vnd.swath.checkpoint.v1+json"
MEDIA_TYPE = "application/vnd.swath.receipt.v1+json"
FORMAT = "swath-receipt-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What an installation signs of its log: so many entries, under this root."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def as_bytes(self) -> bytes:
        """What is signed."""
        return canonical_json(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {"origin": self.origin, "size": self.size, "root": self.root.hex(), "at": moment(self.at)}

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Checkpoint:
        """The checkpoint inside an envelope, whose signature is not looked at; raises `Untrusted`."""
        document = envelope.document(CHECKPOINT_TYPE, "checkpoint")
        with refusing(Reason.MALFORMED):
            fields = Fields(document, "checkpoint")
            made = cls(
                origin=fields.text("origin"),
                size=fields.integer("size", least=1),
                root=read_hash(fields.raw("root"), "checkpoint.root"),
                at=read_moment(fields.text("at"), "checkpoint.at"),
            )
            if made.as_dict() != document:
                raise ContractError("checkpoint: not as a checkpoint is written")
            return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A receipt as it is handed out: nothing else but the installation's keys is needed to check it."""

    receipt: Envelope
    index: int
    """Number of its entry in the log, from 0."""
    proof: tuple[bytes, ...]
    checkpoint: Envelope

    @property
    def statement(self) -> Statement:
        """What it states, whoever signed it; raises `Untrusted`."""
        return statement_in(self.receipt)

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "format": FORMAT,
            "receipt": self.receipt.as_dict(),
            "log": {
                "index": self.index,
                "proof": [step.hex() for step in self.proof],
                "checkpoint": self.checkpoint.as_dict(),
            },
        }

    def as_bytes(self) -> bytes:
        """The file."""
        return canonical_json(self.as_dict())

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """Read back what `as_bytes` wrote, with or without a line break at its end; raises `Untrusted`."""
        with refusing(Reason.MALFORMED):
            fields = Fields(read_canonical(data.removesuffix(b"\n"), "receipt file"), "receipt file")
            fields.only("format", "receipt", "log")
            if fields.text("format") != FORMAT:
                raise ContractError(f"receipt file: its format is not {FORMAT}")
            log = Fields(fields.raw("log"), "log")
            log.only("index", "proof", "checkpoint")
            return cls(
                receipt=Envelope.from_dict(fields.raw("receipt"), "receipt"),
                index=log.integer("index", least=0),
                proof=log.items("proof", lambda step: read_hash(step, "log.proof")),
                checkpoint=Envelope.from_dict(log.raw("checkpoint"), "checkpoint"),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Believed:
    """A receipt that holds, and what was checked of it, in order."""

    statement: Statement
    checkpoint: Checkpoint
    index: int
    checks: tuple[str, ...]


def statement_in(envelope: Envelope) -> Statement:
    """What a receipt states, whoever signed it; raises `Untrusted`."""
    document = envelope.document(PAYLOAD_TYPE, "receipt")
    with refusing(Reason.MALFORMED):
        return Statement.from_dict(document)


def check_checkpoint(envelope: Envelope, keys: KeySet, verify: Verifier) -> Checkpoint:
    """The checkpoint in `envelope`, once signature, key and origin are what they have to be; raises `Untrusted`."""
    checkpoint = Checkpoint.from_envelope(envelope)
    if checkpoint.origin != keys.origin:
        raise Untrusted(
            Reason.WRONG_ORIGIN, f"the log's checkpoint is of {checkpoint.origin[:80]!a}, not of {keys.origin}"
        )
    key = keys.trusted(envelope, "the log's checkpoint")
    verify(envelope, key)
    if key.state is KeyState.RETIRED and key.retired_at and checkpoint.at > key.retired_at:
        raise Untrusted(Reason.RETIRED_KEY, "the log's checkpoint was signed after its key had been retired")
    return checkpoint


def check_bundle(bundle: Bundle, keys: KeySet, verify: Verifier) -> Believed:
    """Believe a receipt, or say why not.

    Parameters
    ----------
    keys
        Of the installation that is trusted; a receipt of any other is refused.

    Raises
    ------
    Untrusted
    """
    statement = bundle.statement
    checks = ["form: canonical, an in-toto statement of one run"]
    if statement.origin != keys.origin:
        raise Untrusted(
            Reason.WRONG_ORIGIN, f"the receipt is of {statement.origin[:80]!a}, and {keys.origin} is what is trusted"
        )
    checks.append(f"origin: {keys.origin}")
    key = keys.trusted(bundle.receipt, "the receipt")
    checks.append(f"key: {key.id[:16]}, {key.state.value}, made {moment(key.created_at)}")
    verify(bundle.receipt, key)
    checks.append("signature: Ed25519 over type and payload")
    checkpoint = check_checkpoint(bundle.checkpoint, keys, verify)
    checks.append(f"checkpoint: {checkpoint.size} entries, signed at {moment(checkpoint.at)}")
    with refusing(Reason.NOT_IN_LOG):
        check_inclusion(
            leaf_hash(bundle.receipt.as_bytes()),
            index=bundle.index,
            size=checkpoint.size,
            path=bundle.proof,
            expected=checkpoint.root,
        )
    checks.append(f"log: it is entry {bundle.index}")
    return Believed(statement=statement, checkpoint=checkpoint, index=bundle.index, checks=tuple(checks))


def check_output(statement: Statement, sha256: str, *, name: str | None = None) -> StatedOutput:
    """The output that a file of that hash is; raises `Untrusted` when it is none."""
    found = next((one for one in statement.outputs if one.sha256 == sha256 and name in (None, one.name)), None)
    if found is None:
        raise Untrusted(
            Reason.OUTPUT_CHANGED,
            f"the file's sha256 is {sha256}, which is none of the {len(statement.outputs)} outputs of run "
            f"{statement.run_id}: it was changed, or is another run's",
        )
    return found


def check_growth(former: Checkpoint, later: Checkpoint, proof: Sequence[bytes]) -> None:
    """Make sure that a log only grew from one checkpoint to another; both are believed already.

    Raises
    ------
    Untrusted
    """
    if former.origin != later.origin:
        raise Untrusted(Reason.WRONG_ORIGIN, "the two checkpoints are of different installations")
    reason = Reason.LOG_TRUNCATED if former.size > later.size else Reason.LOG_CHANGED
    with refusing(reason):
        check_consistency(
            first=former.size,
            first_root=former.root,
            second=later.size,
            second_root=later.root,
            path=proof,
        )
