"""The keys that this installation signs with: made at the first start, rotated and revoked by operators."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from swath.contract.digest import sha256_bytes
from swath.contract.envelopes import Envelope, Untrusted
from swath.contract.signing_keys import (
    KEY_EVENT_TYPE,
    MAX_REASON,
    ORIGIN_PREFIX,
    KeyEvent,
    KeyEventKind,
    KeySet,
    KeyState,
    SigningKey,
    key_id,
)
from swath.signatures import verify
from swath_service.actor import Actor, Scope
from swath_service.errors import Conflict, Invalid, NotFound, Unavailable

from swath_marketplace.domain.clock import Clock
from swath_marketplace.store.signing_keys import KeyChainStore, KeyFiles, KeyUnfit

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pen:
    """What signs at this moment: the active key, and the keys among which it is."""

    keys: KeySet
    signer: CryptoSigner = field(repr=False)

    def sign(self, payload: bytes, payload_type: str) -> Envelope:
        """An envelope with one signature."""
        return _sealed(self.signer, payload, payload_type)

    def sign_object(self, message: bytes) -> bytes:
        """A bare signature over a JSON object, for forms that know no envelope.

        What an envelope's signature is over begins with ``DSSEv1``, so neither can pass for the other.
        """
        if not message.startswith(b"{"):
            raise ValueError("only a JSON object is signed without an envelope")
        return bytes.fromhex(self.signer.sign(message).signature)

    @property
    def certificate(self) -> str:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.keys.active.public))
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Keys:
    """Signs, and tells which keys there are. Private keys stay in here and in their files.

    Several processes may share a database and a data folder: who finds that another one rotated reads the keys anew.
    """

    def __init__(self, *, chain: KeyChainStore, files: KeyFiles, clock: Clock) -> None:
        self._chain = chain
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._known: KeySet | None = None
        self._signer: tuple[str, CryptoSigner] | None = None

    def ensure(self) -> KeySet:
        """The keys; the first time, the installation's name and first key are made.

        Raises
        ------
        KeyUnfit
            The key's file cannot be written.
        Untrusted
            The stored chain of keys was tampered with.
        """
        found = self._chain.read()
        if found is None:
            made: list[str] = []

            def first(origin: str | None, events: Sequence[Envelope]) -> tuple[str, Sequence[Envelope]]:
                if origin is not None:
                    # Another process was quicker.
                    return origin, ()
                named = f"{ORIGIN_PREFIX}{uuid.uuid4()}"
                signer = self._make()
                made.append(named)
                return named, [self._event(named, events, KeyEventKind.ADDED, signer=signer, reason="first key")]

            found = self._chain.extend(first)
            if made:
                log.info("made the first signing key of %s", made[0])
        keys = KeySet.of(*found, verify)
        for key in keys.keys:
            if key.state is not KeyState.ACTIVE:
                self._files.discard(key.id)
        self._known = keys
        return keys

    def current(self) -> KeySet:
        """The keys as they are now."""
        known = self._known
        if known is None or self._chain.count() != len(known.events):
            known = self.ensure()
        return known

    def published(self) -> KeySet:
        """The keys, for anybody.

        Raises
        ------
        Unavailable
            There is none yet and none can be made, or the stored chain was tampered with.
        """
        try:
            return self.current()
        except (KeyUnfit, Untrusted) as error:
            log.error("the signing keys cannot be told: %s", error)
            raise _unfit() from error

    def pen(self, *, known: bool = False) -> Pen:
        """What signs now.

        Parameters
        ----------
        known
            Whether the keys as they were last seen will do: for what is checked again where it is stored.

        Raises
        ------
        KeyUnfit
            The key's file is not as it has to be. What is wrong is in the message, and nothing of the key.
        """
        keys = (self._known if known else None) or self.current()
        with self._lock:
            if self._signer is None or self._signer[0] != keys.active.id:
                self._signer = (keys.active.id, _load(self._files.get(keys.active.id), keys.active))
            return Pen(keys=keys, signer=self._signer[1])

    def rotate(self, actor: Actor, *, reason: str) -> KeySet:
        """Make a new key and retire the one before, whose private half is deleted. Operators only.

        Raises
        ------
        Forbidden, Invalid, Unavailable
        """
        actor.require(Scope.ADMINISTER)
        return self._change(None, reason=_checked(reason), by=actor.name)

    def revoke(self, actor: Actor, key: str, *, reason: str) -> KeySet:
        """Believe nothing any more that a key signed; the active one is replaced first. Operators only.

        Receipts that it signed are issued anew with the active key.

        Raises
        ------
        Forbidden, Invalid, NotFound, Conflict, Unavailable
        """
        actor.require(Scope.ADMINISTER)
        found = next((one for one in self.published().keys if one.id == key), None)
        if found is None:
            raise NotFound(code="no-such-key", message="there is no such key", mend="see GET receipts/keys")
        if found.state is KeyState.REVOKED:
            raise Conflict(code="key-revoked", message=f"the key was revoked before: {found.reason}")
        return self._change(found, reason=_checked(reason), by=actor.name)

    def _change(self, revoked: SigningKey | None, *, reason: str, by: str) -> KeySet:
        try:
            with self._lock:
                self._signer = None

            def decide(origin: str | None, events: Sequence[Envelope]) -> tuple[str, Sequence[Envelope]]:
                assert origin is not None
                return origin, self._decided(origin, list(events), revoked, reason=reason)

            self._chain.extend(decide)
        except (KeyUnfit, Untrusted) as error:
            log.error("the signing keys could not be changed: %s", error)
            raise _unfit() from error
        keys = self.ensure()
        log.warning("%s %s; key %s signs now", by, "revoked a key" if revoked else "rotated", keys.active.id[:16])
        return keys

    def _decided(
        self, origin: str, events: list[Envelope], revoked: SigningKey | None, *, reason: str
    ) -> Sequence[Envelope]:
        before = KeySet.of(origin, events, verify)
        more: list[Envelope] = []
        signer = _load(self._files.get(before.active.id), before.active)
        if revoked is None or revoked.id == before.active.id:
            added = self._make()
            why = reason if revoked is None else "in place of one that is revoked"
            more.append(
                self._event(origin, events, KeyEventKind.ADDED, signer=signer, public=_public(added), reason=why)
            )
            signer = added
        if revoked is not None:
            more.append(
                self._event(
                    origin,
                    [*events, *more],
                    KeyEventKind.REVOKED,
                    signer=signer,
                    public=revoked.public,
                    reason=reason,
                )
            )
        return more

    def _event(
        self,
        origin: str,
        events: Sequence[Envelope],
        kind: KeyEventKind,
        *,
        signer: CryptoSigner,
        reason: str,
        public: str | None = None,
    ) -> Envelope:
        last = events[-1] if events else None
        event = KeyEvent(
            origin=origin,
            sequence=len(events) + 1,
            kind=kind,
            public=public or _public(signer),
            # A clock that was set back must not break the order of the chain.
            at=_not_before(self._clock(), KeyEvent.from_envelope(last).at if last else None),
            reason=reason,
            previous=sha256_bytes(last.as_bytes()) if last else "",
        )
        return _sealed(signer, event.as_bytes(), KEY_EVENT_TYPE)

    def _make(self) -> CryptoSigner:
        from securesystemslib.signer import CryptoSigner

        signer = CryptoSigner.generate_ed25519()
        try:
            # Before the chain names it: a key that is named and not there could never be replaced.
            self._files.put(key_id(_public(signer)), signer.private_bytes)
        except OSError as error:
            raise KeyUnfit(f"a private key cannot be written: {error.strerror}") from error
        return signer


def _sealed(signer: CryptoSigner, payload: bytes, payload_type: str) -> Envelope:
    from securesystemslib.dsse import Envelope as Dsse

    signature = Dsse(payload, payload_type, {}).sign(signer)
    return Envelope(
        payload=payload,
        payload_type=payload_type,
        keyid=signature.keyid,
        signature=bytes.fromhex(signature.signature),
    )


def _load(pem: bytes, key: SigningKey) -> CryptoSigner:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        signer = CryptoSigner(load_pem_private_key(pem, password=None))
        public = _public(signer)
    except Exception:
        # Whatever the library says of it: nothing of a private key may reach a log.
        raise KeyUnfit(f"the file of the private key {key.id[:16]} holds no Ed25519 key") from None
    if public != key.public:
        raise KeyUnfit(f"the file of the private key {key.id[:16]} holds another key")
    return signer


def _public(signer: CryptoSigner) -> str:
    return str(signer.public_key.keyval["public"])


def _not_before(now: datetime, last: datetime | None) -> datetime:
    return now if last is None or now > last else last


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not 3 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise Invalid(
            code="bad-reason",
            message=f"a reason is 3 to {MAX_REASON} printable characters",
            mend="say in a sentence why; it is published with the key",
            findings=[{"field": "reason", "message": "not such a text", "mend": "say why in a sentence"}],
        )
    return reason


def _unfit() -> Unavailable:
    return Unavailable(
        code="signing-key-unfit",
        message="the signing key cannot be used; the operator finds why in the log",
        mend="restore the key's file from its backup, with mode 0600",
    )
