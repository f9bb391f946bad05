"""What an author asks on top of the resources, and how that is divided.

The arithmetic, in whole millicredits, over

- R, the price of the resources,
- A, the added value: price times quantity, rounded half up,
- D, the research discount: ``floor(A * discount / 100)``, borne by the platform's research budget, not by the author,
- H, what is held, which is the most that the payer pays.

The payer pays ``min(R + A - D, H)``: resources first, and what is left of the hold for the added value. Where that is
less than A - D, the discount shrinks in proportion, and what is *earned* is what was paid for it plus that discount.
The author gets ``floor(earned * share / 100)``; the platform's fee is the rest, the fraction of a millicredit with it.
So the parts sum exactly, whatever the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any

from swath_quota.domain.errors import NoSuchSplit

#: What is reported of a run that was delivered: 1, and the area that it was delivered for.
RUNS = "runs"
AREA_KM2 = "area_km2"
_SECONDS_PER_HOUR = 3600
#: Largest price that an author may ask, in millicredits: a million credits.
MAX_PRICE = 10**9
MAX_DISCOUNT = 99
#: Levels of maturity, lowest first, as the marketplace has them.
MATURITIES = ("prototype", "incubating", "verified", "validated", "operational")


class Per(StrEnum):
    """What an author's price is for."""

    RUN = "run"
    """Each run that was delivered."""
    KM2 = "km2"
    """Each square kilometre that a delivered run was asked for."""
    CPU_HOUR = "cpu_hour"
    """Each hour of CPU time used, however the run ended, but for the platform's fault."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedValueRequest:
    """What is asked for a hold, as the marketplace knows it."""

    author: str
    """Who earns; the name of a user."""
    per: Per
    millicredits: int
    """For each of `per`, above zero."""
    maturity: str
    """Level of the version when the hold was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedValue:
    """What was agreed when a hold was placed: nothing that changes later changes it."""

    author: str
    per: Per
    millicredits: int
    maturity: str
    split_version: str
    """Version of the split that says what part of it is the author's."""
    discount: int = 0
    """Percent of it that the research budget pays, 0 to 99."""

    def same_terms(self, other: AddedValue | None) -> bool:
        """Whether the same is asked; the split and the discount are this service's own."""
        mine = (self.author, self.per, self.millicredits, self.maturity)
        return other is not None and mine == (other.author, other.per, other.millicredits, other.maturity)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "per": str(self.per)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AddedValue:
        """The terms that `as_dict` wrote."""
        return cls(**{**data, "per": Per(data["per"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Who got what of one capture, in millicredits."""

    resources: int
    """Paid for the resources; the platform's."""
    added: int
    """Paid for the added value."""
    discount: int
    """What the research budget added to that."""
    author: int
    fee: int
    """The platform's part of the added value."""

    def __post_init__(self) -> None:
        parts = (self.resources, self.added, self.discount, self.author, self.fee)
        if min(parts) < 0 or self.author + self.fee != self.earned:
            raise ValueError(f"shares do not sum: {self}")

    @property
    def captured(self) -> int:
        """What the payer pays."""
        return self.resources + self.added

    @property
    def earned(self) -> int:
        """What author and platform divide."""
        return self.added + self.discount

    def as_dict(self) -> dict[str, int]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """What is the author's, and who gets a discount, from one day on."""

    effective_on: date
    shares: Mapping[str, int]
    """Percent of the added value that the author gets, by the version's maturity; a level not named earns nothing."""
    tier_discounts: Mapping[str, int]
    """Percent, by the tier of the wallet that pays."""
    grant_discounts: Mapping[str, int]
    """Percent, by the category of grants, where such grants alone back the hold."""

    def __post_init__(self) -> None:
        if not all(2 <= share <= 100 for share in self.shares.values()):
            raise ValueError("a share is not from 2 to 100 percent")
        if not all(0 <= one <= MAX_DISCOUNT for one in (*self.tier_discounts.values(), *self.grant_discounts.values())):
            raise ValueError(f"a discount is not from 0 to {MAX_DISCOUNT} percent")

    @property
    def version(self) -> str:
        """Name of the split, frozen into holds: the ISO day that it is in force from."""
        return self.effective_on.isoformat()

    def discount(self, *, tier: str, categories: frozenset[str]) -> int:
        """Percent off for a wallet of `tier` whose grants of `categories` back a hold; the better of the two."""
        of_grants = min((self.grant_discounts.get(one, 0) for one in categories), default=0)
        return max(self.tier_discounts.get(tier, 0), of_grants)


@dataclass(frozen=True, kw_only=True, slots=True)
class Splits:
    """The splits of a file, ordered by `Split.effective_on`."""

    lists: tuple[Split, ...]

    def __post_init__(self) -> None:
        days = [split.effective_on for split in self.lists]
        if not days or days != sorted(set(days)):
            raise ValueError("splits must be there and ordered by different days")

    def on(self, day: date) -> Split:
        """The split in force on `day`; before the first, that."""
        past = [split for split in self.lists if split.effective_on <= day]
        return past[-1] if past else self.lists[0]

    def version(self, name: str) -> Split:
        """The split called `name`, in force or not: what was promised under it is kept.

        Raises
        ------
        NoSuchSplit
        """
        for split in self.lists:
            if split.version == name:
                return split
        raise NoSuchSplit(
            code="no-such-split",
            message=f"there is no split {name!r}",
            mend="use one of: " + ", ".join(split.version for split in self.lists),
        )

    def share(self, terms: AddedValue) -> int:
        """Percent of the added value that the author gets by the split frozen in `terms`."""
        return self.version(terms.split_version).shares[terms.maturity]


def price_added(per: Per, millicredits: int, usage: Mapping[str, float]) -> int:
    """The added value of what was used, before any discount, in millicredits, rounded half up."""
    match per:
        case Per.RUN:
            quantity = Fraction(usage.get(RUNS, 0.0))
        case Per.KM2:
            quantity = Fraction(usage.get(AREA_KM2, 0.0))
        case Per.CPU_HOUR:
            quantity = Fraction(usage.get("cpu_seconds", 0.0)) / _SECONDS_PER_HOUR
    return floor(quantity * millicredits + Fraction(1, 2))


def divide(*, resources: int, added: int, discount: int, share: int, held: int) -> Shares:
    """Who pays and gets what; the module's docstring has the formulas.

    Parameters
    ----------
    resources, added
        Prices in millicredits.
    discount, share
        Percent: what of the added value the research budget pays (0 to 99), what the author gets (2 to 100).
    held
        The most that the payer pays.
    """
    off = added * discount // 100
    due = added - off
    paid_resources = min(resources, held)
    paid = min(due, held - paid_resources)
    if paid < due:
        off = off * paid // due
    author = (paid + off) * share // 100
    return Shares(resources=paid_resources, added=paid, discount=off, author=author, fee=paid + off - author)


def share_out(terms: AddedValue, *, resources: int, usage: Mapping[str, float], share: int, held: int) -> Shares:
    """`divide` for what was agreed and used."""
    added = price_added(terms.per, terms.millicredits, usage)
    return divide(resources=resources, added=added, discount=terms.discount, share=share, held=held)


def part_of(shares: Shares, *, amount: int) -> Shares:
    """What of `shares` is undone when `amount`, above zero and at most what was captured, is given back.

    In proportion: resources rounded down and the added value with the rest, the author's part rounded down. All of it
    when all is given back, and never more of anything than there was.
    """
    resources = shares.resources * amount // shares.captured
    added = amount - resources
    discount = shares.discount * added // shares.added if shares.added else 0
    earned = added + discount
    author = shares.author * earned // shares.earned if shares.earned else 0
    return Shares(resources=resources, added=added, discount=discount, author=author, fee=earned - author)
