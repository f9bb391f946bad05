"""The log of receipts as others may follow it: checkpoints, leaves and proofs, none of which tells of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from swath.contract import merkle
from swath.contract.envelopes import Envelope, Untrusted
from swath_service.actor import Actor, Scope
from swath_service.errors import Invalid, NotFound

from swath_marketplace.services.receipts import damaged
from swath_marketplace.store.receipts import ReceiptStore

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Most entries that one answer holds.
MAX_ENTRIES = 1_000


class ReceiptLog:
    """Answers what a follower needs in order to see that the log only grows."""

    def __init__(self, store: ReceiptStore) -> None:
        self._store = store

    def checkpoint(self, actor: Actor) -> Envelope:
        """The latest signed checkpoint.

        Raises
        ------
        NotFound
            There is no entry yet.
        """
        actor.require(Scope.READ)
        stored = self._store.checkpoint()
        if stored is None:
            raise NotFound(
                code="log-empty", message="there is no receipt yet", mend="the first finished run brings one"
            )
        try:
            return Envelope.from_bytes(stored.envelope.encode(), "checkpoint")
        except Untrusted as error:
            log.error("the latest checkpoint cannot be read: %s", error)
            raise damaged() from error

    def leaves(self, actor: Actor, *, start: int, end: int) -> tuple[Sequence[tuple[int, str]], int]:
        """Index and leaf hash of the entries from `start` up to and without `end`, and how many there are in all.

        At most `MAX_ENTRIES` of them. A leaf hash tells nothing of its run, and from all of them the root follows.
        """
        actor.require(Scope.READ)
        size = self._store.size()
        end = min(end, size, start + MAX_ENTRIES)
        return (self._store.leaves(start=start, end=end) if start < end else []), size

    def consistency(self, actor: Actor, *, first: int, second: int) -> Sequence[bytes]:
        """The proof that the log of `second` entries begins with that of `first`.

        Raises
        ------
        Invalid
        """
        actor.require(Scope.READ)
        size = self._store.size()
        if not 0 < first <= second <= size:
            raise _no_size("from", f"the log has {size} entries: ask 0 < from <= to <= {size}")
        return self._proved(lambda hashes: merkle.consistency_proof(first, second, hashes))

    def inclusion(self, actor: Actor, leaf_sha256: str, *, size: int | None = None) -> tuple[int, int, Sequence[bytes]]:
        """Index, size and proof of an entry by its leaf hash, in the log of `size` entries or of all.

        Raises
        ------
        NotFound, Invalid
        """
        actor.require(Scope.READ)
        index = self._store.index_of(leaf_sha256)
        if index is None:
            raise NotFound(code="not-in-log", message="no entry of the log has this leaf hash")
        total = self._store.size()
        wanted = total if size is None else size
        if not index < wanted <= total:
            raise _no_size("size", f"the entry is number {index} of {total}: ask a size above {index}, at most {total}")
        return index, wanted, self._proved(lambda hashes: merkle.inclusion_proof(index, wanted, hashes))

    def _proved(self, work: Callable[[merkle.Hashes], T]) -> T:
        try:
            return self._store.proofs(work)
        except (KeyError, ValueError) as error:
            log.error("the tree of the log of receipts is damaged: %s", error)
            raise damaged() from error


def _no_size(field: str, message: str) -> Invalid:
    return Invalid(
        code="no-such-size",
        message=message,
        findings=[{"field": field, "message": message, "mend": "ask for a size that the log has had"}],
    )
