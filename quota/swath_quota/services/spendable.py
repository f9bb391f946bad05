"""Whether something could be paid for, asked without setting anything aside."""

from __future__ import annotations

from swath_service.actor import Actor, Scope

from swath_quota.domain.accounts import is_organisation, wallet_id
from swath_quota.domain.checks import Checks
from swath_quota.domain.grants import spendable
from swath_quota.domain.holds import not_a_member
from swath_quota.domain.ports import Needs, Reader
from swath_quota.domain.purposes import Purpose
from swath_quota.services.desk import Desk
from swath_quota.services.opening import refresh


def spendable_by(actor: Actor, desk: Desk, *, account: str, purpose: Purpose, payer: str | None = None) -> int:
    """Millicredits that the user `account` could hold now for `purpose`, as `hold` would find them.

    Nothing is set aside: who asks and then holds may find less. A wallet is opened, or seen to when its month has
    turned, as a hold would.

    Parameters
    ----------
    payer
        Short name of the wallet that would pay; by default the one that the user chose.

    Raises
    ------
    NoSuchWallet, NotAMember, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.name("account", value=account)
    if payer is not None:
        checks.name("payer", value=payer)
    checks.done()
    now = desk.clock()

    def work(reader: Reader) -> int | str:
        name = payer or reader.payer_of(account)
        found = reader.account(wallet_id(name))
        if found is None or found.is_stale(now):
            return name
        return _left(reader, name)

    def seen_to(reader: Reader) -> int:
        return _left(reader, payer or reader.payer_of(account))

    def _left(reader: Reader, name: str) -> int:
        left = spendable(reader.live_grants(name), at=now, purpose=purpose)
        if not is_organisation(name):
            return left
        membership = reader.membership(name, account)
        if membership is None or not membership.is_active:
            raise not_a_member(name, account)
        bound = membership.left(now)
        return left if bound is None else min(left, bound)

    found = desk.books.read(work, needs=Needs(payer_of=account, payer=payer or ""))
    if isinstance(found, int):
        return found
    refresh(desk, found, now=now)
    return desk.books.read(seen_to)
