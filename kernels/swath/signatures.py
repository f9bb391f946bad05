"""Ed25519 signatures of DSSE envelopes, checked with securesystemslib: the `swath.contract.envelopes.Verifier`."""

from __future__ import annotations

from swath.contract.envelopes import Envelope, Reason, Untrusted
from swath.contract.signing_keys import SCHEME, SigningKey, key_id


def verify(envelope: Envelope, key: SigningKey) -> None:
    """Believe that `key` signed `envelope`.

    Raises
    ------
    Untrusted
        For whatever reason it cannot be believed, also one that securesystemslib did not foresee.
    """
    # Slow to import, and most of what this package does checks nothing.
    from securesystemslib.dsse import Envelope as Dsse
    from securesystemslib.signer import Signature, SSlibKey

    try:
        public = SSlibKey(key.id, SCHEME, SCHEME, {"public": key.public})
        signature = Signature(envelope.keyid, envelope.signature.hex())
        signed = Dsse(envelope.payload, envelope.payload_type, {envelope.keyid: signature})
        accepted = signed.verify([public], 1)
    except Exception as error:
        raise Untrusted(
            Reason.BAD_SIGNATURE, f"the signature is not that of key {key.id[:16]} over these bytes"
        ) from error
    if set(accepted) != {key.id} or key.id != key_id(key.public):
        raise Untrusted(Reason.BAD_SIGNATURE, f"the signature is not that of key {key.id[:16]}")
