"""Where a wallet's credits came from, in which order they are spent, and when they lapse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from swath_quota.domain.purposes import Purpose, PurposeKind

#: Lower is spent first. An allowance lapses with its month, so it goes before what an operator gave.
ALLOWANCE_PRIORITY = 10
GRANT_PRIORITY = 20
#: Of amends for a fault of ours: before what was given or bought, after the month's own.
COMPENSATION_PRIORITY = 15
_NEVER = datetime.max.replace(tzinfo=UTC)


class GrantKind(StrEnum):
    """How credits came to a wallet."""

    ALLOWANCE = "allowance"
    """By the tier, for one calendar month."""
    GIFT = "gift"
    """By an operator, or by the platform as amends."""


class GrantCategory(StrEnum):
    """What kind of credits these are; in the order in which they are spent where priority and expiry are equal."""

    PROMOTIONAL = "promotional"
    """Free of charge, the allowance of a tier among them."""
    RESEARCH = "research"
    """Given for a project."""
    COMPENSATION = "compensation"
    """Given back for a fault of the platform."""
    PAID = "paid"
    """Bought."""


_CATEGORIES = {category: place for place, category in enumerate(GrantCategory)}


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantScope:
    """What a grant may be spent on. Empty members allow everything."""

    kinds: tuple[PurposeKind, ...] = ()
    algorithms: tuple[str, ...] = ()
    """``owner/name``, or ``owner/*`` for all of an author's. Named, they leave out what runs no algorithm."""

    def covers(self, purpose: Purpose) -> bool:
        """Whether credits of this scope may pay for `purpose`."""
        if self.kinds and purpose.kind not in self.kinds:
            return False
        owner = purpose.algorithm.partition("/")[0]
        return not self.algorithms or purpose.algorithm in self.algorithms or f"{owner}/*" in self.algorithms


#: A scope that allows everything.
ANYTHING = GrantScope()


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Credits given to a wallet: a sub-account of it."""

    id: str
    account: str
    """Short name of the wallet."""
    kind: GrantKind
    category: GrantCategory = GrantCategory.PROMOTIONAL
    amount: int
    """Millicredits given."""
    remaining: int
    """Millicredits neither spent nor lapsed."""
    held: int = 0
    """Millicredits of what remains that open holds set aside."""
    priority: int
    """Lower is spent first."""
    period: str = ""
    """Calendar month of an allowance, ``2026-05``."""
    scope: GrantScope = field(default=ANYTHING)
    description: str = ""
    granted_by: str
    created_at: datetime
    effective_at: datetime
    """From when on it may be spent."""
    expires_at: datetime | None = None
    """From when on what is not held lapses; ``None``: never."""

    def __post_init__(self) -> None:
        if not 0 <= self.held <= self.remaining <= self.amount or self.amount <= 0:
            raise ValueError(f"grant {self.id}: {self.held} held and {self.remaining} remain of {self.amount}")

    @property
    def free(self) -> int:
        """Millicredits that remain and are not held."""
        return self.remaining - self.held

    def is_over(self, at: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= at

    def is_live(self, at: datetime) -> bool:
        """Whether it may be spent at `at`.

        One that was given to be spent at once may be, whatever a clock says that is behind the giver's: another
        machine's, one that was put back, or that of a request which waited while the wallet was opened.
        """
        return self.effective_at <= max(at, self.created_at) and not self.is_over(at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """What one transaction took from one grant."""

    transaction_id: str
    grant_id: str
    amount: int


#: Parts of an amount by the id of the grant that backs each, in the order of spending.
Allocations = tuple[tuple[str, int], ...]


def spending_order(grant: Grant) -> tuple[int, datetime, int, datetime, datetime, str]:
    """Sort key: priority, earliest expiry (none last), category, effective date, creation, id.

    The order is the one that OpenMeter documents for its grants, with promotional before paid.
    """
    return (
        grant.priority,
        grant.expires_at or _NEVER,
        _CATEGORIES[grant.category],
        grant.effective_at,
        grant.created_at,
        grant.id,
    )


def spendable(grants: Iterable[Grant], *, at: datetime, purpose: Purpose | None = None) -> int:
    """Millicredits that may be held at `at`, for `purpose` or, without one, for something at all."""
    return sum(grant.free for grant in grants if grant.is_live(at) and (purpose is None or grant.scope.covers(purpose)))


def allocate(grants: Iterable[Grant], *, amount: int, purpose: Purpose, at: datetime) -> list[tuple[Grant, int]] | None:
    """Set `amount` aside on `grants` in their order: each grant touched, as it then stands, with its part.

    ``None`` when the grants that may be spent on `purpose` have less than `amount`.
    """
    found: list[tuple[Grant, int]] = []
    fit = [grant for grant in grants if grant.free and grant.is_live(at) and grant.scope.covers(purpose)]
    if len(fit) > 1:
        fit.sort(key=spending_order)
    for grant in fit:
        if not amount:
            break
        part = min(amount, grant.free)
        found.append((replace(grant, held=grant.held + part), part))
        amount -= part
    return None if amount else found


def merged(allocations: Allocations, *, more: Iterable[tuple[Grant, int]]) -> Allocations:
    """`allocations` grown by the parts in `more`; one part a grant."""
    parts = dict(allocations)
    for grant, part in more:
        parts[grant.id] = parts.get(grant.id, 0) + part
    return tuple(parts.items())


def draw_held(
    grants: Iterable[Grant], allocations: Allocations, *, amount: int, at: datetime
) -> list[tuple[Grant, int]]:
    """Take `amount` of what `allocations` set aside, give the rest back: each grant as it then stands, and its part.

    Grants that are over come first, whatever their place: what is given back to them would lapse.

    Raises
    ------
    ValueError
        The allocations hold less than `amount`, or name a grant that is not there.
    """
    by_id = {grant.id: grant for grant in grants}
    missing = [grant_id for grant_id, _ in allocations if grant_id not in by_id]
    if missing:
        raise ValueError(f"allocated from grants that are not there: {missing}")
    taken = []
    for grant, part in _drawing_order(by_id, allocations, at=at):
        used = min(amount, part)
        amount -= used
        taken.append((replace(grant, held=grant.held - part, remaining=grant.remaining - used), used))
    if amount:
        raise ValueError(f"{amount} millicredits more than was allocated")
    return taken


def paid_by(grants: Iterable[Grant], allocations: Allocations, *, amount: int, at: datetime) -> list[Grant]:
    """Those of `grants` that `draw_held` took `amount` from at `at`; grants that are not known are left out."""
    paid, by_id = [], {grant.id: grant for grant in grants}
    known = tuple(one for one in allocations if one[0] in by_id)
    for grant, part in _drawing_order(by_id, known, at=at):
        if amount > 0:
            paid.append(grant)
        amount -= part
    return paid


def _drawing_order(by_id: Mapping[str, Grant], allocations: Allocations, *, at: datetime) -> list[tuple[Grant, int]]:
    return sorted(
        ((by_id[grant_id], part) for grant_id, part in allocations),
        key=lambda pair: (not pair[0].is_over(at), spending_order(pair[0])),
    )


def lapse(grants: Iterable[Grant], *, at: datetime) -> list[tuple[Grant, int]]:
    """What of `grants` lapses at `at`: each that is over, without what is not held, and how much that was.

    Open holds keep what backs them: credits set aside in May pay for a run that ends in June.
    """
    return [(replace(grant, remaining=grant.held), grant.free) for grant in grants if grant.is_over(at) and grant.free]
