"""The keys that an installation signs with, as a chain of signed events that can only be made longer.

Each event is a DSSE envelope signed by the key that was active before it (the first one by the key that it adds), and
names the hash of the event before. Adding a key retires the one before; a retired key may be revoked. So exactly one
key is active, and whoever has seen a chain can tell whether another one follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.envelopes import Envelope, Reason, Untrusted, Verifier, refusing
from swath.contract.fields import ContractError, Fields
from swath.contract.strict_json import read_canonical, read_hash
from swath.contract.times import moment, read_moment

KEY_EVENT_TYPE = "application/vnd.swath.key-event.v1+json"
SCHEME = "ed25519"
ORIGIN_PREFIX = "urn:swath:installation:"
MAX_EVENTS = 10_000
MAX_REASON = 500


class KeyState(StrEnum):
    """What a key's signatures are worth."""

    ACTIVE = "active"
    RETIRED = "retired"
    """It signs no more; what it signed stands."""
    REVOKED = "revoked"
    """Nothing that it signed is believed."""


class KeyEventKind(StrEnum):
    """What an event does."""

    ADDED = "added"
    REVOKED = "revoked"


def key_id(public: str) -> str:
    """Name of an Ed25519 key by its 32 public bytes in hexadecimal: what securesystemslib computes, too."""
    return sha256_bytes(canonical_json({"keytype": SCHEME, "keyval": {"public": public}, "scheme": SCHEME}))


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A public key and what has become of it."""

    id: str
    public: str
    """Its 32 bytes in hexadecimal."""
    state: KeyState = KeyState.ACTIVE
    created_at: datetime
    retired_at: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""
    """Why it was revoked; before that, why it was made."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "id": self.id,
            "scheme": SCHEME,
            "public": self.public,
            "state": self.state.value,
            "created_at": moment(self.created_at),
            "retired_at": moment(self.retired_at) if self.retired_at else None,
            "revoked_at": moment(self.revoked_at) if self.revoked_at else None,
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyEvent:
    """One link of the chain, to be signed."""

    origin: str
    sequence: int
    """From 1."""
    kind: KeyEventKind
    public: str
    """Of the key that it is about."""
    at: datetime
    reason: str
    previous: str
    """SHA-256 of the envelope before, hexadecimal; empty in the first."""

    def as_bytes(self) -> bytes:
        """What is signed."""
        return canonical_json(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "origin": self.origin,
            "sequence": self.sequence,
            "event": self.kind.value,
            "key": {"id": key_id(self.public), "scheme": SCHEME, "public": self.public},
            "at": moment(self.at),
            "reason": self.reason,
            "previous": self.previous,
        }

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> KeyEvent:
        """The event inside an envelope, whose signature is not looked at; raises `Untrusted`."""
        document = envelope.document(KEY_EVENT_TYPE, "key event")
        with refusing(Reason.MALFORMED):
            fields = Fields(document, "key event")
            key = Fields(fields.raw("key"), "key event.key")
            made = cls(
                origin=fields.text("origin"),
                sequence=fields.integer("sequence", least=1),
                kind=fields.member("event", KeyEventKind),
                public=read_hash(key.text("public"), "key event.key.public").hex(),
                at=read_moment(fields.text("at"), "key event.at"),
                reason=fields.text("reason"),
                previous=fields.text("previous"),
            )
            if made.as_dict() != document:
                raise ContractError("key event: not as such an event is written")
            return made


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySet:
    """Every key of an installation, proved by the chain that it follows from."""

    origin: str
    """``urn:swath:installation:<uuid>``."""
    keys: tuple[SigningKey, ...]
    """In the order in which they were added."""
    events: tuple[Envelope, ...]

    @classmethod
    def of(cls, origin: str, events: Sequence[Envelope], verify: Verifier) -> KeySet:
        """The keys that follow from a chain of events.

        Raises
        ------
        Untrusted
            The chain is broken, or one of its links is not signed by whom it has to be.
        """
        if not origin.startswith(ORIGIN_PREFIX) or not 0 < len(events) <= MAX_EVENTS:
            raise Untrusted(Reason.MALFORMED, "keys: expected an installation and at least one event")
        keys: list[SigningKey] = []
        previous, last_at = "", None
        for sequence, envelope in enumerate(events, start=1):
            event = KeyEvent.from_envelope(envelope)
            if event.origin != origin:
                raise Untrusted(Reason.WRONG_ORIGIN, f"keys: event {sequence} is of {event.origin[:80]!a}")
            if event.sequence != sequence or event.previous != previous or (last_at and event.at < last_at):
                raise Untrusted(Reason.MALFORMED, f"keys: event {sequence} does not follow from the one before")
            changed = _after(keys, event)
            signer = keys[-1] if keys else changed[-1]
            if envelope.keyid != signer.id:
                raise Untrusted(Reason.UNKNOWN_KEY, f"keys: event {sequence} is not signed by the key active then")
            verify(envelope, signer)
            keys, previous, last_at = changed, sha256_bytes(envelope.as_bytes()), event.at
        return cls(origin=origin, keys=tuple(keys), events=tuple(events))

    @property
    def active(self) -> SigningKey:
        """The one that signs now."""
        return self.keys[-1]

    @property
    def head(self) -> str:
        """SHA-256 of the last event: the whole chain in one line, to be compared over the telephone."""
        return sha256_bytes(self.events[-1].as_bytes())

    def trusted(self, envelope: Envelope, what: str) -> SigningKey:
        """The key that an envelope says it is signed with, if it may be believed; the signature is not looked at.

        Raises
        ------
        Untrusted
        """
        key = next((key for key in self.keys if key.id == envelope.keyid), None)
        if key is None:
            raise Untrusted(Reason.UNKNOWN_KEY, f"{what} is signed with a key that {self.origin} does not have")
        if key.state is KeyState.REVOKED:
            at = moment(key.revoked_at) if key.revoked_at else "?"
            raise Untrusted(
                Reason.REVOKED_KEY, f"{what} is signed with key {key.id[:16]}, revoked at {at}: {key.reason}"
            )
        return key

    def require_after(self, former: KeySet) -> None:
        """Make sure that this chain is `former`, made longer or not.

        Raises
        ------
        Untrusted
        """
        if self.origin != former.origin:
            raise Untrusted(
                Reason.WRONG_ORIGIN, f"these are keys of {self.origin}, and {former.origin} is what was trusted before"
            )
        if self.events[: len(former.events)] != former.events:
            raise Untrusted(
                Reason.KEYS_CHANGED, f"the keys that {self.origin} tells now do not follow from those trusted before"
            )

    def as_dict(self) -> dict[str, Any]:
        """JSON object: the keys for people, the events that prove them for programs."""
        return {
            "origin": self.origin,
            "keys": [key.as_dict() for key in self.keys],
            "events": [envelope.as_dict() for envelope in self.events],
        }

    def as_bytes(self) -> bytes:
        """The document that is published."""
        return canonical_json(self.as_dict())

    @classmethod
    def from_dict(cls, data: object, verify: Verifier) -> KeySet:
        """Read back what `as_dict` wrote, proving all of it; raises `Untrusted`."""
        with refusing(Reason.MALFORMED):
            fields = Fields(data, "keys")
            events = fields.items("events", lambda one: Envelope.from_dict(one, "key event"))
            made = cls.of(fields.text("origin"), events, verify)
            if made.as_dict() != data:
                raise ContractError("keys: what is told of the keys does not follow from the events")
            return made

    @classmethod
    def from_bytes(cls, data: bytes, verify: Verifier) -> KeySet:
        """Read back what `as_bytes` wrote, with or without a line break at its end; raises `Untrusted`."""
        with refusing(Reason.MALFORMED):
            return cls.from_dict(read_canonical(data.removesuffix(b"\n"), "keys"), verify)


def _after(keys: list[SigningKey], event: KeyEvent) -> list[SigningKey]:
    """The keys once `event` has happened."""
    known = next((at for at, key in enumerate(keys) if key.public == event.public), None)
    if event.kind is KeyEventKind.ADDED:
        if known is not None:
            raise Untrusted(Reason.MALFORMED, f"keys: event {event.sequence} adds a key that is there")
        retired = [
            replace(key, state=KeyState.RETIRED, retired_at=event.at) if key.state is KeyState.ACTIVE else key
            for key in keys
        ]
        added = SigningKey(id=key_id(event.public), public=event.public, created_at=event.at, reason=event.reason)
        return [*retired, added]
    if known is None or keys[known].state is not KeyState.RETIRED:
        raise Untrusted(Reason.MALFORMED, f"keys: event {event.sequence} revokes a key that is not retired")
    changed = list(keys)
    changed[known] = replace(keys[known], state=KeyState.REVOKED, revoked_at=event.at, reason=event.reason)
    return changed
