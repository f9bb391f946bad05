"""Idempotency keys: what is one, and what a caller is told who used it for two things."""

from __future__ import annotations

import re
from datetime import timedelta

from swath_service.errors import Invalid

from swath_marketplace.domain.errors import KeyInUse, KeyReused

#: How long an answer is kept, where a thing made does not remember its key for ever, as runs do.
KEEP = timedelta(hours=48)
_KEY = re.compile(r"[\x20-\x7e]{1,200}")


def check_key(key: str) -> str:
    """`key`, when it is one.

    Raises
    ------
    Invalid
    """
    if _KEY.fullmatch(key):
        return key
    raise Invalid(
        code="bad-idempotency-key",
        message="an idempotency key is 1 to 200 printable ASCII characters",
        mend="a UUID is a good one",
        findings=[{"field": "Idempotency-Key", "message": "not such a key", "mend": "send a UUID"}],
    )


def same_request(known: str, sha256: str) -> None:
    """Refuse a request that comes under the key of another.

    Raises
    ------
    KeyReused
    """
    if known != sha256:
        raise KeyReused(
            code="idempotency-key-reused",
            message="this idempotency key came with another request before",
            mend="make a new key for a new request; repeat a key only with the very same request",
            findings=[{"field": "Idempotency-Key", "message": "used for another request", "mend": "make a new key"}],
        )


def in_use() -> KeyInUse:
    """The error of whoever comes while the first request with the key is worked on."""
    return KeyInUse(
        code="idempotency-key-in-use",
        message="the first request with this idempotency key is not answered yet",
        mend="send it again in a second; the answer will be that of the first",
        headers={"Retry-After": "1"},
    )
