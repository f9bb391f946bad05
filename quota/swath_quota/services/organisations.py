"""Organisations: operators open their wallets, owners say who may spend from them and how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swath_service.actor import Actor, Scope
from swath_service.errors import Conflict

from swath_quota.domain.accounts import AccountKind, new_account, wallet_id
from swath_quota.domain.checks import MAX_AMOUNT, MAX_TEXT, Checks
from swath_quota.domain.errors import NoSuchMember, NotAMember
from swath_quota.domain.members import MemberRole, Membership
from swath_quota.domain.ports import Reader, Unit
from swath_quota.services.desk import Desk
from swath_quota.services.opening import no_such_wallet, refresh


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    """An organisation and those who may spend from its wallet."""

    account: str
    """Short name of the wallet, ``organisation:acme``."""
    title: str
    tier: str
    members: tuple[Membership, ...]
    """Of everybody for owners and operators; one's own for a member."""


def open_organisation(actor: Actor, desk: Desk, *, name: str, title: str, tier: str | None = None) -> Organisation:
    """Open the wallet ``organisation:<name>``, with the allowance of `tier` (by default the default one). Idempotent.

    Raises
    ------
    Conflict
        It is there under another title; the tier is changed by `assign_tier`.
    NoSuchTier, Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    checks = Checks()
    checks.slug("name", value=name)
    checks.text("title", value=title, longest=MAX_TEXT)
    checks.done()
    chosen = desk.tiers.named(tier or desk.tiers.default)
    now, account_id = desk.clock(), wallet_id(f"organisation:{name}")

    def work(unit: Unit) -> None:
        unit.open_accounts([new_account(AccountKind.ORGANISATION, name, at=now, tier=chosen.name, title=title)])
        found = unit.lock([account_id])[account_id]
        if found.title != title:
            raise Conflict(
                code="organisation-differs",
                message=f"the organisation {name!r} is there under another title",
                mend="choose another name, or repeat the title as it was",
            )

    desk.books.run(work)
    refresh(desk, f"organisation:{name}", now=now)
    return organisation(actor, desk, name=name)


def organisation(actor: Actor, desk: Desk, *, name: str) -> Organisation:
    """An organisation, for its members and for operators; to others it is not there.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)
    checks = Checks()
    checks.slug("name", value=name)
    checks.done()
    short = f"organisation:{name}"

    def work(reader: Reader) -> Organisation:
        account = reader.account(wallet_id(short))
        own = reader.membership(short, actor.name)
        sees_all = actor.is_operator or actor.may(Scope.LEDGER) or _is_owner(own)
        if account is None or not (sees_all or (own and own.is_active)):
            raise no_such_wallet(short)
        members = reader.memberships(organisation=short) if sees_all else ((own,) if own else ())
        return Organisation(
            account=short, title=account.title, tier=account.tier or desk.tiers.default, members=members
        )

    return desk.books.read(work)


def admit(
    actor: Actor,
    desk: Desk,
    *,
    name: str,
    member: str,
    ceiling: int | None = None,
    role: MemberRole = MemberRole.MEMBER,
) -> Membership:
    """Let a user spend from an organisation's wallet, or change the ceiling and role of one who may. Idempotent.

    Parameters
    ----------
    ceiling
        Most millicredits in a calendar month; ``None``: all there are. What is held already stays held.

    Raises
    ------
    NoSuchWallet, NotAMember, Invalid, Forbidden
    """
    checks = Checks()
    checks.name("member", value=member)
    if ceiling is not None:
        checks.integer("ceiling", value=ceiling, least=0, most=MAX_AMOUNT)
    checks.slug("name", value=name)
    checks.done()
    short = f"organisation:{name}"

    def work(unit: Unit) -> Membership:
        _lock_for_owner(actor, unit, short)
        found = unit.membership(short, member)
        if found is None:
            found = Membership(organisation=short, member=member, added_by=actor.name, added_at=desk.clock())
        after = replace(found, ceiling=ceiling, role=role, removed_at=None)
        unit.save_membership(after)
        return after

    return desk.books.run(work)


def dismiss(actor: Actor, desk: Desk, *, name: str, member: str) -> Membership:
    """Let a user no longer spend from an organisation's wallet. What is held goes on to its end. Idempotent.

    Raises
    ------
    NoSuchWallet, NoSuchMember, NotAMember, Invalid, Forbidden
    """
    checks = Checks()
    checks.name("member", value=member)
    checks.slug("name", value=name)
    checks.done()
    short = f"organisation:{name}"

    def work(unit: Unit) -> Membership:
        _lock_for_owner(actor, unit, short)
        found = unit.membership(short, member)
        if found is None:
            raise _no_such_member(short, member)
        after = found if not found.is_active else replace(found, removed_at=desk.clock(), is_default=False)
        unit.save_membership(after)
        return after

    return desk.books.run(work)


def choose_payer(actor: Actor, desk: Desk, *, payer: str) -> str:
    """Let the caller's work be paid from the wallet `payer`: one's own name, or an organisation's. Idempotent.

    Raises
    ------
    NotAMember, Invalid, Forbidden
    """
    actor.require(Scope.EXECUTE)
    checks = Checks()
    checks.name("payer", value=payer)
    checks.done()

    def work(unit: Unit) -> str:
        locked, found = frozenset[str](), _organisations_of(unit, actor.name)
        while found - locked:
            # Looked for again under the locks: another organisation may have been chosen meanwhile.
            unit.lock(map(wallet_id, found))
            locked, found = found, found | _organisations_of(unit, actor.name)
        mine = [one for one in (unit.membership(name, actor.name) for name in sorted(locked)) if one]
        if payer != actor.name and not any(one.organisation == payer and one.is_active for one in mine):
            raise _not_yours(payer)
        for one in mine:
            if one.is_default != (one.organisation == payer):
                unit.save_membership(replace(one, is_default=not one.is_default))
        return payer

    return desk.books.run(work)


def _lock_for_owner(actor: Actor, unit: Unit, short: str) -> None:
    """Lock an organisation's wallet for an owner or operator."""
    if not actor.is_operator:
        actor.require(Scope.EXECUTE)
    found = unit.lock([wallet_id(short)])
    own = unit.membership(short, actor.name)
    if not found or not (actor.is_operator or (own and own.is_active)):
        raise no_such_wallet(short)
    if not (actor.is_operator or _is_owner(own)):
        raise NotAMember(
            code="not-an-owner",
            message="members are admitted and dismissed by an owner of the organisation",
            mend="ask an owner, or an operator",
        )


def _organisations_of(unit: Unit, member: str) -> frozenset[str]:
    return frozenset(one.organisation for one in unit.memberships(member=member))


def _is_owner(own: Membership | None) -> bool:
    return own is not None and own.is_active and own.role is MemberRole.OWNER


def _no_such_member(short: str, member: str) -> NoSuchMember:
    return NoSuchMember(
        code="no-such-member", message=f"{member!r} is no member of {short}", mend="see the organisation's members"
    )


def _not_yours(payer: str) -> NotAMember:
    return NotAMember(
        code="not-a-member",
        message=f"you may not spend from {payer!r}",
        mend="choose your own wallet, or an organisation that you are a member of",
    )
