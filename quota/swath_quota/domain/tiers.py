"""What a user may spend. Tiers are data with effective dates: the terms of the past stay in the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from swath_quota.domain.errors import NoSuchTier


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a tier gives from one day on."""

    effective_on: date
    monthly_allowance: int
    """Millicredits for each calendar month. What is not spent lapses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A class of users."""

    name: str
    title: str
    description: str
    terms: tuple[Terms, ...]
    """Ordered by `Terms.effective_on`, which are all different; at least one."""

    def __post_init__(self) -> None:
        days = [terms.effective_on for terms in self.terms]
        if not days or days != sorted(set(days)):
            raise ValueError(f"tier {self.name}: terms must be there and ordered by different days")

    def terms_on(self, day: date) -> Terms:
        """The terms in force on `day`; before the first ones, those."""
        past = [terms for terms in self.terms if terms.effective_on <= day]
        return past[-1] if past else self.terms[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiers:
    """Every tier of a tier file."""

    default: str
    """Name of the tier that a new wallet gets."""
    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        names = [tier.name for tier in self.tiers]
        if len(set(names)) != len(names) or self.default not in names:
            raise ValueError("tiers must have different names, and the default must be one of them")

    def named(self, name: str) -> Tier:
        """The tier called `name`.

        Raises
        ------
        NoSuchTier
        """
        for tier in self.tiers:
            if tier.name == name:
                return tier
        raise NoSuchTier(
            code="no-such-tier",
            message=f"there is no tier {name!r}",
            mend="use one of: " + ", ".join(tier.name for tier in self.tiers),
        )
