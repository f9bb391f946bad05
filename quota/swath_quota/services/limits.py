"""What limits an account: its tier's terms now, under the overrides that hold now, less where it is degraded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from swath_service.actor import Actor, Scope
from swath_service.errors import Forbidden

from swath_quota.domain.accounts import Account, is_organisation, wallet_id
from swath_quota.domain.checks import Checks
from swath_quota.domain.errors import NoSuchWallet
from swath_quota.domain.limit_ports import LimitReader
from swath_quota.domain.limits import CREDITS, Limit, LimitState, Standing, Window
from swath_quota.domain.overrides import degraded, live, overlay, tier_named
from swath_quota.domain.periods import month_of
from swath_quota.domain.ports import Reader
from swath_quota.domain.purposes import PurposeKind
from swath_quota.domain.verdicts import state_of
from swath_quota.domain.windows import Counter, Usage, clock_of, oldest_hour, usage_of
from swath_quota.services.desk import Desk

#: Limits of things that have one open hold each.
_HELD_ONE_BY_ONE = {"lab.servers": PurposeKind.LAB, "dask.clusters": PurposeKind.DASK}
_MOST_OPEN = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """An account as its limits see it at one instant."""

    tier: str
    weight: float
    limits: Mapping[str, Limit]
    """As they hold, already smaller where the account is degraded."""
    usages: Mapping[str, Usage]
    reasons: tuple[str, ...]
    wallet: Account | None
    allowance_left: int
    """Millicredits of this month's allowance that are neither spent nor held."""


def standing(actor: Actor, desk: Desk, *, account: str | None = None) -> Standing:
    """What `account`, by default the caller, may do now, with every limit's use. Opens no wallet and takes no lock.

    Raises
    ------
    NoSuchWallet
        An operator asked for a name that was never seen.
    Invalid, Forbidden
    """
    name = _visible(actor, desk, account=account)
    now = desk.clock()
    found, running = look(desk, name, now=now), _running(desk, name)
    states = [
        _credit_state(limit, found, usage=found.usages[limit.name])
        if limit.name == CREDITS
        else _with_running(state_of(limit, found.usages[limit.name]), running.get(limit.name, 0))
        for limit in found.limits.values()
    ]
    return Standing(
        account=name,
        tier=found.tier,
        weight=found.weight,
        degraded=found.reasons,
        limits=tuple(sorted(states, key=lambda state: state.name)),
    )


def _running(desk: Desk, name: str) -> dict[str, int]:
    """How many servers and clusters of `name` go on: the hub and the gateway keep to these limits by their own count,
    and each server and cluster that goes on has one open hold.
    """
    payer = name if is_organisation(name) else desk.books.read(lambda reader: reader.payer_of(name))
    whose = None if is_organisation(name) else name
    kinds = [
        hold.purpose.kind
        for wallet in {name, payer}
        for hold in desk.reports.open_holds(wallet_id(wallet), limit=_MOST_OPEN, member=whose)
    ]
    return {limit: kinds.count(kind) for limit, kind in _HELD_ONE_BY_ONE.items()}


def _with_running(state: LimitState, count: int) -> LimitState:
    if count <= state.used:
        return state
    return replace(state, used=count, left=None if state.hard is None else max(0, state.hard - count))


def look(desk: Desk, account: str, *, now: datetime) -> Looked:
    """Limits and usage of `account` at `now`, from one view of the books and one of the limits."""
    wallet, allowance_left = desk.books.read(lambda reader: _purse(reader, account, month=month_of(now)))
    assigned = wallet.tier if wallet and wallet.tier else desk.tiers.of_new(account)

    def work(reader: LimitReader) -> Looked:
        holding = live(reader.overrides(account), at=now)
        tier = tier_named(holding, assigned=assigned)
        terms = desk.tiers.named(tier).terms_on(now.date())
        limits = terms.by_name()
        # Credits are what the wallet holds: their limit is that of the assigned tier, whatever else is overridden.
        limits[CREDITS] = desk.tiers.named(assigned).terms_on(now.date()).by_name()[CREDITS]
        limits = overlay(limits, holding, shapes=desk.tiers.shapes())
        usages = _usages(reader, account, limits=limits, wallet=wallet, now=now)
        beyond = [
            limit.degrade
            for limit in limits.values()
            if limit.degrade and limit.soft is not None and usages[limit.name].used > limit.soft
        ]
        return Looked(
            tier=tier,
            # The heaviest reason counts, not their product: two mild ones must not add up to a standstill.
            weight=terms.weight * min([1.0, *(degrade.weight for degrade in beyond)]),
            limits=degraded(limits, by=beyond),
            usages=usages,
            reasons=tuple(degrade.text for degrade in beyond),
            wallet=wallet,
            allowance_left=allowance_left,
        )

    return desk.limits.read(work)


def usage_in(reader: LimitReader, limit: Limit, counter: Counter, *, now: datetime) -> Usage:
    """What counts against `limit`, read as far as its window needs it."""
    at = clock_of(counter, now)
    if limit.window is Window.ROLLING:
        since = oldest_hour(limit, at)
        return usage_of(limit, counter, now=at, buckets=reader.buckets(counter.account, limit.name, since=since))
    if limit.window is Window.CONTINUOUS:
        takes = reader.standing_takes(counter.account, limit.name)
        return usage_of(limit, counter, now=at, leases=[(take.amount, take.expires_at) for take in takes])
    return usage_of(limit, counter, now=at)


def _usages(
    reader: LimitReader, account: str, *, limits: Mapping[str, Limit], wallet: Account | None, now: datetime
) -> dict[str, Usage]:
    counters = reader.counters(account)
    usages = {}
    for name, limit in limits.items():
        if name == CREDITS:
            usages[name] = Usage(now=now, used=_credits_used(limit, wallet, now=now))
        elif name in counters:
            usages[name] = usage_in(reader, limit, counters[name], now=now)
        else:
            usages[name] = Usage(now=now, level_at=now if limit.window is Window.RATE else None)
    return usages


def _credits_used(limit: Limit, wallet: Account | None, *, now: datetime) -> int:
    """How much less than the month's allowance is left; gifts count as what they are, credits to spend."""
    if wallet is None or wallet.is_stale(now) or limit.hard is None:
        return 0
    return max(0, limit.hard - wallet.available)


def _purse(reader: Reader, account: str, *, month: str) -> tuple[Account | None, int]:
    """A wallet, and what of its allowance of `month` is neither spent nor held."""
    grants = reader.live_grants(account)
    return reader.account(wallet_id(account)), sum(grant.free for grant in grants if grant.period == month)


def _credit_state(limit: Limit, found: Looked, *, usage: Usage) -> LimitState:
    """The state of credits: used is the month's allowance, left is what the wallet may still hold, gifts and all."""
    state, wallet = state_of(limit, usage), found.wallet
    if wallet is None or wallet.is_stale(usage.now):
        return state
    waiting = state.resets_at if wallet.available == 0 and limit.hard else None
    used = max(0, (limit.hard or 0) - found.allowance_left)
    return replace(state, used=used, left=wallet.available, next_fit_at=waiting)


def _visible(actor: Actor, desk: Desk, *, account: str | None) -> str:
    """The account that the caller asked for and may see."""
    name = actor.name if account is None else account
    checks = Checks()
    checks.name("account", value=name)
    checks.done()
    if actor.may(Scope.LEDGER) or (actor.may(Scope.STANDING) and not actor.is_operator):
        return name
    actor.require(Scope.READ)
    if name == actor.name:
        return name
    if not actor.is_operator:
        raise Forbidden(
            code="not-your-limits",
            message="limits are shown to whom they limit and to operators",
            mend="leave out the account to see your own",
        )
    seen = desk.books.read(lambda reader: reader.account(wallet_id(name)))
    if seen is None and not desk.limits.read(lambda reader: reader.counters(name) or reader.overrides(name)):
        raise NoSuchWallet(
            code="no-such-wallet", message=f"nobody called {name!r} has been seen here", mend="check the spelling"
        )
    return name
