"""What a user may spend. Tiers are data with effective dates: the terms of the past stay in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from swath_quota.domain.errors import NoSuchLimit, NoSuchTier
from swath_quota.domain.limits import CREDITS, Limit, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a tier gives from one day on."""

    effective_on: date
    monthly_allowance: int
    """Millicredits for each calendar month. What is not spent lapses."""
    weight: float = 1.0
    """In the queue of runs, beside other tiers'."""
    limits: tuple[Limit, ...] = ()
    """By different names; what is not limited here is unrestricted."""

    def __post_init__(self) -> None:
        names = [limit.name for limit in self.limits]
        if len(set(names)) != len(names):
            raise ValueError(f"terms of {self.effective_on}: two limits have the same name")
        if self.weight <= 0:
            raise ValueError(f"terms of {self.effective_on}: the weight is not above zero")

    def by_name(self) -> dict[str, Limit]:
        """The limits by name; that of credits always stands among them."""
        credits = Limit(name=CREDITS, window=Window.CALENDAR_MONTH, unit="millicredit", hard=self.monthly_allowance)
        return {CREDITS: credits, **{limit.name: limit for limit in self.limits}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A class of users."""

    name: str
    title: str
    description: str
    terms: tuple[Terms, ...]
    """Ordered by `Terms.effective_on`, which are all different; at least one."""
    formerly: tuple[str, ...] = ()
    """Names it had before: wallets that were put into it then are in it still."""
    wallets: tuple[str, ...] = ()
    """Short names of the platform's own wallets, which open in this tier; with any, it is no plan for users."""

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
        names = [name for tier in self.tiers for name in (tier.name, *tier.formerly)]
        if len(set(names)) != len(names) or self.default not in names:
            raise ValueError("tiers must have different names, and the default must be one of them")
        wallets = [wallet for tier in self.tiers for wallet in tier.wallets]
        if len(set(wallets)) != len(wallets):
            raise ValueError("a wallet opens in one tier")
        shapes: dict[str, Limit] = {}
        for tier in self.tiers:
            for limit in (limit for terms in tier.terms for limit in terms.limits):
                if shapes.setdefault(limit.name, limit).shape != limit.shape:
                    raise ValueError(f"tier {tier.name}: {limit.name} has another window or unit than elsewhere")

    def of_new(self, wallet: str) -> str:
        """Name of the tier in which the wallet with the short name `wallet` opens."""
        return next((tier.name for tier in self.tiers if wallet in tier.wallets), self.default)

    def names(self) -> frozenset[str]:
        """Every name that a wallet's tier may have."""
        return frozenset(name for tier in self.tiers for name in (tier.name, *tier.formerly))

    def shapes(self) -> Mapping[str, Limit]:
        """A limit of every name that any tier ever had: its window and unit are the same everywhere."""
        return {name: limit for tier in self.tiers for terms in tier.terms for name, limit in terms.by_name().items()}

    def limit_named(self, name: str) -> Limit:
        """A limit called `name`, for its window and unit.

        Raises
        ------
        NoSuchLimit
        """
        shapes = self.shapes()
        if name in shapes:
            return shapes[name]
        raise NoSuchLimit(
            code="no-such-limit",
            message=f"there is no limit {name!r}",
            mend="use one of: " + ", ".join(sorted(shapes)),
        )

    def named(self, name: str) -> Tier:
        """The tier called `name`.

        Raises
        ------
        NoSuchTier
        """
        for tier in self.tiers:
            if name == tier.name or name in tier.formerly:
                return tier
        raise NoSuchTier(
            code="no-such-tier",
            message=f"there is no tier {name!r}",
            mend="use one of: " + ", ".join(tier.name for tier in self.tiers),
        )
