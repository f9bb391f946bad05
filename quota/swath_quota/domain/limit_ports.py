"""What services ask of a store of limits. The SQL store and the one in memory make the same promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from swath_quota.domain.overrides import Override, Revocation
from swath_quota.domain.takes import Take
from swath_quota.domain.windows import Bucket, Counter

T = TypeVar("T")


class LimitReader(Protocol):
    """One consistent view: everything read through it is of the same instant."""

    def counters(self, account: str) -> Mapping[str, Counter]:
        """The counters of an account, by limit."""
        ...

    def buckets(self, account: str, limit: str, *, since: datetime) -> tuple[Bucket, ...]:
        """The hours from `since` on in which something was taken."""
        ...

    def standing_takes(self, account: str, limit: str) -> tuple[Take, ...]:
        """The takes of a continuous limit that were neither given back nor marked as expired."""
        ...

    def find_take(self, take_id: str) -> Take | None: ...

    def overrides(self, subject: str | None = None) -> tuple[Override, ...]:
        """Every override that ever was, of one subject or of all, with its revocation; oldest first."""
        ...

    def find_override(self, override_id: str) -> Override | None: ...


class LimitUnit(LimitReader, Protocol):
    """One piece of work: all of it is stored, or none.

    Whoever changes a counter, a bucket or a take of it holds its lock from `lock` until the work ends.
    """

    def lock(self, account: str, limit: str, *, at: datetime) -> Counter:
        """The counter as it stands, locked; an empty one of `at` is made first if need be."""
        ...

    def save_counter(self, counter: Counter) -> None: ...

    def add_to_bucket(self, account: str, limit: str, *, hour: datetime, amount: int) -> None:
        """Add `amount`, which may be negative, to an hour's bucket; a bucket is made only for what is above zero."""
        ...

    def forget(self, account: str, limit: str, *, buckets: datetime | None, takes: datetime) -> None:
        """Drop the buckets of hours before `buckets`, and the takes before `takes` that no longer stand."""
        ...

    def add_take(self, take: Take) -> None: ...

    def save_take(self, take: Take) -> None:
        """Store the status, expiry and end of a take that is there."""
        ...

    def add_override(self, override: Override) -> None: ...

    def add_revocation(self, revocation: Revocation) -> None: ...


class LimitStore(Protocol):
    """A store of counters, takes and overrides; safe to use from many threads and processes at once.

    A crash leaves each piece of work stored whole or not at all, and locks nothing. Overrides and revocations are
    never changed or removed.
    """

    def run(self, work: Callable[[LimitUnit], T]) -> T:
        """Do `work` atomically. It may be called several times, when others were in the way, and must not mind."""
        ...

    def read(self, work: Callable[[LimitReader], T]) -> T:
        """Do `work`, which only reads, on one consistent view."""
        ...
