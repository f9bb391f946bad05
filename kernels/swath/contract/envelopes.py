"""DSSE envelopes (Dead Simple Signing Envelope 1.0) with exactly one signature, and why something is not trusted.

What a signature is made with is not known here: a `Verifier` is handed in (`swath.signatures` has the one that works).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from swath.contract.digest import canonical_json
from swath.contract.fields import ContractError, Fields
from swath.contract.strict_json import read_base64, read_canonical, write_base64

if TYPE_CHECKING:
    from swath.contract.signing_keys import SigningKey


class Reason(StrEnum):
    """Why something is not believed; programs branch on it."""

    MALFORMED = "malformed"
    """It is not written as such a document is."""
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad-signature"
    """The signature is not of these bytes and this key."""
    UNKNOWN_KEY = "unknown-key"
    REVOKED_KEY = "revoked-key"
    RETIRED_KEY = "retired-key"
    """Signed, by its own words, after the key had been retired."""
    WRONG_ORIGIN = "wrong-origin"
    """Another installation's, or one that says it is another's."""
    KEYS_CHANGED = "keys-changed"
    """The keys told now do not follow from those that were trusted before."""
    NOT_IN_LOG = "not-in-log"
    LOG_CHANGED = "log-changed"
    """The log is not the one that was seen before, made longer."""
    LOG_TRUNCATED = "log-truncated"
    OUTPUT_CHANGED = "output-changed"
    """The file is none of the receipt's outputs."""


class Untrusted(ContractError):
    """Something is refused; the message says why in a sentence, and `mend` what can be done, where that is known."""

    def __init__(self, reason: Reason, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.mend = mend


@contextmanager
def refusing(reason: Reason) -> Iterator[None]:
    """Every fault of form met inside, told as `Untrusted` for `reason`."""
    try:
        yield
    except Untrusted:
        raise
    except ContractError as error:
        raise Untrusted(reason, str(error)) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Bytes, what they are, and one signature over both."""

    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes

    def as_dict(self) -> dict[str, Any]:
        """JSON object, as DSSE writes it."""
        return {
            "payload": write_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": self.keyid, "sig": write_base64(self.signature)}],
        }

    def as_bytes(self) -> bytes:
        """The one way in which it is written and hashed."""
        return canonical_json(self.as_dict())

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over: DSSE's pre-authentication encoding of type and payload."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    @classmethod
    def from_dict(cls, data: object, where: str = "envelope") -> Envelope:
        """The envelope in a parsed document.

        Raises
        ------
        Untrusted
            Naming the member that is wrong, missing or too many.
        """
        with refusing(Reason.MALFORMED):
            fields = Fields(data, where)
            fields.only("payload", "payloadType", "signatures")
            signatures = fields.items("signatures", lambda one: Fields(one, f"{where}.signatures"))
            if not signatures:
                raise Untrusted(Reason.UNSIGNED, f"{where}: there is no signature in it")
            if len(signatures) > 1:
                raise ContractError(f"{where}.signatures: expected exactly one")
            signatures[0].only("keyid", "sig")
            return cls(
                payload=read_base64(fields.text("payload"), f"{where}.payload"),
                payload_type=fields.text("payloadType"),
                keyid=signatures[0].text("keyid"),
                signature=read_base64(signatures[0].text("sig"), f"{where}.signatures.sig"),
            )

    @classmethod
    def from_bytes(cls, data: bytes, where: str = "envelope") -> Envelope:
        """The envelope that `as_bytes` wrote; raises `Untrusted` for every other bytes."""
        with refusing(Reason.MALFORMED):
            return cls.from_dict(read_canonical(data, where), where)

    def document(self, payload_type: str, where: str) -> Any:
        """The JSON document inside; raises `Untrusted` when it is of another type or not canonical."""
        if self.payload_type != payload_type:
            raise Untrusted(Reason.MALFORMED, f"{where}: the envelope holds {self.payload_type[:80]!a}")
        with refusing(Reason.MALFORMED):
            return read_canonical(self.payload, where)


#: Raises `Untrusted` unless the envelope's signature is that key's; returns nothing otherwise.
Verifier = Callable[[Envelope, "SigningKey"], None]
