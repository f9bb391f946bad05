"""Overrides: what operators let a user, an organisation or a project have, and everything that was ever let."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from swath_service.actor import Actor, Scope

from swath_quota.domain.checks import MAX_TEXT, Checks
from swath_quota.domain.errors import NoSuchOverride, OverrideDiffers
from swath_quota.domain.limit_ports import LimitUnit
from swath_quota.domain.limits import CREDITS, MAX_QUANTITY, MAX_RATE, Window
from swath_quota.domain.overrides import Override, Revocation
from swath_quota.services.desk import Desk


def override(
    actor: Actor,
    desk: Desk,
    *,
    override_id: str,
    subject: str,
    reason: str,
    ends_at: datetime,
    starts_at: datetime | None = None,
    limit: str | None = None,
    hard: int | None = None,
    unrestricted: bool = False,
    soft: int | None = None,
    tier: str | None = None,
) -> Override:
    """Let `subject` have another limit, or another tier's limits, from `starts_at` (by default now) to `ends_at`.

    With `limit`, `hard` (or `unrestricted`) and `soft` replace both of the tier's, in the limit's unit. With `tier`
    its limits and weight hold instead; credits stay those of the assigned tier. Where several hold, the latest made
    does. Idempotent by `override_id`.

    Raises
    ------
    OverrideDiffers, NoSuchLimit, NoSuchTier, Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    checks = Checks()
    checks.id("override_id", value=override_id)
    checks.name("subject", value=subject)
    checks.text("reason", value=reason, longest=MAX_TEXT)
    _check_times(checks, starts_at=starts_at, ends_at=ends_at)
    if (limit is None) == (tier is None):
        checks.fault("limit", message="either limit or tier is overridden", mend="send one of the two")
    elif limit is not None:
        _check_limit(checks, desk, limit=limit, hard=hard, unrestricted=unrestricted, soft=soft)
    elif hard is not None or soft is not None or unrestricted:
        checks.fault("hard", message="a tier brings its own limits", mend="leave out hard and soft")
    checks.done()
    if tier is not None:
        desk.tiers.named(tier)

    def work(unit: LimitUnit) -> Override:
        now = desk.clock()
        existing = unit.find_override(override_id)
        if existing:
            return _same(existing, (subject, limit, tier, hard, soft, ends_at), starts_at=starts_at)
        if ends_at <= now:
            checks.fault("ends_at", message="ends_at is past", mend="send a time to come")
            checks.done()
        made = Override(
            id=override_id,
            subject=subject,
            limit=limit,
            tier=tier,
            hard=hard,
            soft=soft,
            reason=reason,
            author=actor.name,
            created_at=now,
            starts_at=starts_at or now,
            ends_at=ends_at,
        )
        unit.add_override(made)
        return made

    return desk.limits.run(work)


def revoke(actor: Actor, desk: Desk, *, override_id: str, reason: str) -> Override:
    """End an override now. Idempotent: the first revocation stands.

    Raises
    ------
    NoSuchOverride, Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    checks = Checks()
    checks.id("override_id", value=override_id)
    checks.text("reason", value=reason, longest=MAX_TEXT)
    checks.done()

    def work(unit: LimitUnit) -> Override:
        found = unit.find_override(override_id)
        if found is None:
            raise NoSuchOverride(
                code="no-such-override", message=f"there is no override {override_id!r}", mend="list them first"
            )
        if found.revoked:
            return found
        revoked = Revocation(override_id=found.id, reason=reason, author=actor.name, at=desk.clock())
        unit.add_revocation(revoked)
        return replace(found, revoked=revoked)

    return desk.limits.run(work)


def overrides(actor: Actor, desk: Desk, *, subject: str | None = None) -> tuple[Override, ...]:
    """Every override that ever was, of `subject` or of all, oldest first: who let whom have what, until when, and why.

    Raises
    ------
    Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    if subject is not None:
        checks = Checks()
        checks.name("subject", value=subject)
        checks.done()
    return desk.limits.read(lambda reader: reader.overrides(subject))


def _same(existing: Override, wanted: tuple[object, ...], *, starts_at: datetime | None) -> Override:
    stored = (existing.subject, existing.limit, existing.tier, existing.hard, existing.soft, existing.ends_at)
    if stored != wanted or starts_at not in (None, existing.starts_at):
        raise OverrideDiffers(
            code="override-differs",
            message=f"the id {existing.id!r} is taken by another override",
            mend="make a new id; an override is never changed: revoke it and make another",
        )
    return existing


def _check_times(checks: Checks, *, starts_at: datetime | None, ends_at: datetime) -> None:
    for field, value in (("starts_at", starts_at), ("ends_at", ends_at)):
        if value is not None and value.tzinfo is None:
            checks.fault(field, message=f"{field} has no time zone", mend="send it with an offset or Z")
    checks.done()
    if starts_at is not None and starts_at >= ends_at:
        checks.fault("ends_at", message="ends_at is not after starts_at", mend="send a later end")


def _check_limit(
    checks: Checks, desk: Desk, *, limit: str, hard: int | None, unrestricted: bool, soft: int | None
) -> None:
    shape = desk.tiers.limit_named(limit)
    if limit == CREDITS:
        checks.fault("limit", message="credits are not overridden", mend="give credits with a grant, or assign a tier")
    if (hard is None) != unrestricted:
        checks.fault("hard", message="hard must be a number or unrestricted", mend="send one of the two")
    most = MAX_RATE if shape.window is Window.RATE else MAX_QUANTITY
    for field, value in (("hard", hard), ("soft", soft)):
        if value is not None:
            checks.integer(field, value=value, least=0, most=most)
    checks.done()
    if soft is not None and hard is not None and soft > hard:
        checks.fault("soft", message="soft is above hard", mend="send a soft limit of at most hard")
