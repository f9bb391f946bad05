"""Remembers what was answered to a request with an idempotency key, so that the same request is answered once."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from swath_service.actor import Actor

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.idempotency import KEEP, check_key, in_use, same_request
from swath_marketplace.services.hook_secrets import HookSecrets
from swath_marketplace.store.idempotency import IdempotencyStore

#: Longer than any handler takes; after so long the request of a process that died may be worked on again.
_CLAIM = timedelta(seconds=60)
_NONCE = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An answer as it was given."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to work on a request."""

    key_id: str
    secret: bytes
    """What seals the answer."""
    name: str


class Answers:
    """The memory of doors that make things. What is in it is sealed: only who comes with the key can have it opened."""

    def __init__(self, *, store: IdempotencyStore, secrets: HookSecrets, clock: Clock) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock

    def claim(self, actor: Actor, door: str, *, key: str, request: bytes) -> Claim | Answered:
        """Begin with a request; or what was answered when it came before.

        Parameters
        ----------
        door
            Method and path.
        request
            What makes two requests the same.

        Raises
        ------
        Invalid
            The key is none.
        KeyReused
            It came with another request.
        KeyInUse
            The first request is worked on right now.
        """
        check_key(key)
        named = "\n".join((actor.kind.value, actor.name, door, key)).encode()
        secret = self._secrets.derived(b"idempotency\n" + named)
        made = Claim(key_id=hashlib.sha256(secret).hexdigest(), secret=secret, name=uuid.uuid4().hex)
        # Under the secret, too: a digest of a short request would tell it to whoever guesses.
        sha256 = hashlib.sha256(secret + request).hexdigest()
        now = self._clock()
        known = self._store.claim(
            made.key_id, request_sha256=sha256, claim=made.name, now=now, until=now + _CLAIM, expires_at=now + KEEP
        )
        if known is None:
            return made
        same_request(known.request_sha256, sha256)
        if known.answer is None:
            raise in_use()
        return _opened(made, known.answer)

    def keep(self, claim: Claim, answered: Answered) -> None:
        """End with an answer that stands."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(asdict(answered)).encode()
        sealed = nonce + AESGCM(claim.secret).encrypt(nonce, plain, claim.key_id.encode())
        self._store.answer(claim.key_id, claim=claim.name, answer=sealed, at=self._clock())

    def release(self, claim: Claim) -> None:
        """End without one: nothing was made, and the key may come again with another request."""
        self._store.release(claim.key_id, claim=claim.name)


def _opened(claim: Claim, sealed: bytes) -> Answered:
    try:
        plain = AESGCM(claim.secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], claim.key_id.encode())
    except InvalidTag as error:
        # The row is found under a name that follows from the secret: only a changed row gets here.
        raise ValueError("what was kept of an answer was changed") from error
    return Answered(**json.loads(plain))
