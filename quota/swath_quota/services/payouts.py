"""What authors earned, and paying it out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from swath_service.actor import Actor, ActorKind, Scope

from swath_quota.domain.accounts import account_of_id
from swath_quota.domain.checks import MAX_AMOUNT, MAX_TEXT, Checks
from swath_quota.domain.earning import PAYOUTS, author_of
from swath_quota.domain.errors import NoSuchAuthor, NothingToPay, PayoutDiffers
from swath_quota.domain.ledger import LedgerEntry, Transaction, TransactionKind, post, transfer
from swath_quota.domain.payouts import Payout, PayoutStatement, payout_id, payout_statement
from swath_quota.domain.ports import Reader, Unit
from swath_quota.domain.statements import month_bounds
from swath_quota.services.desk import Desk

_PAGE = 500


def payouts_of(actor: Actor, desk: Desk, *, author: str, month: str) -> PayoutStatement:
    """What `author` earned and was paid in a calendar month (UTC), for the author and for operators.

    Raises
    ------
    NoSuchAuthor
        Nobody of this name ever earned anything, or the caller may not know. One's own statement is then empty.
    Invalid, Forbidden
    """
    actor.require(Scope.READ)
    checks = Checks()
    checks.name("author", value=author)
    try:
        starts_at, ends_at = month_bounds(month)
    except ValueError:
        checks.fault("month", message="month is no month", mend="write it like 2026-05")
    checks.done()
    own = actor.kind is ActorKind.USER and actor.name == author
    if not (own or actor.oversees):
        raise _no_such_author(author)

    def work(reader: Reader) -> PayoutStatement:
        if not own and reader.account(author_of(author)) is None:
            raise _no_such_author(author)
        mine: list[LedgerEntry] = []
        opening = 0
        for entry in _newest_first(reader, author_of(author)):
            if entry.at < starts_at:
                opening = entry.current_balance
                break
            if entry.at < ends_at:
                mine.append(entry)
                opening = entry.previous_balance
            else:
                opening = entry.previous_balance
        mine.reverse()
        holds = (reader.hold(reference) for reference in sorted({entry.reference for entry in mine}))
        return payout_statement(
            author=author,
            month=month,
            entries=mine,
            opening=opening,
            holds={hold.id: hold for hold in holds if hold},
            now=desk.clock(),
        )

    return desk.books.read(work)


def pay_out(
    actor: Actor, desk: Desk, *, author: str, payout: str, description: str, amount: int | None = None
) -> Payout:
    """Move an author's balance, or `amount` of it, out of Swath, after it was paid by other means. For operators.

    Idempotent by the id `payout`: a replay answers the first, and pays nothing more.

    Raises
    ------
    NoSuchAuthor, NothingToPay, PayoutDiffers, Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    checks = Checks()
    checks.name("author", value=author)
    checks.id("payout_id", value=payout)
    checks.text("description", value=description, longest=MAX_TEXT)
    if amount is not None:
        checks.integer("amount", value=amount, least=1, most=MAX_AMOUNT)
    checks.done()
    account_id, transaction_id = author_of(author), payout_id(payout)

    def work(unit: Unit) -> Payout:
        now = desk.clock()
        accounts = unit.lock([account_id, PAYOUTS])
        if account_id not in accounts:
            raise _no_such_author(author)
        earlier = unit.entry(account_id, transaction_id)
        if (earlier is None and unit.posted(transaction_id)) or (earlier and amount not in (None, earlier.amount)):
            raise PayoutDiffers(
                code="payout-differs",
                message=f"the id {payout!r} is taken by another payout",
                mend="make a new id for a new payout; repeat one only as it was",
            )
        if earlier:
            return _payout(earlier, author=author, payout=payout)
        balance = accounts[account_id].balance
        if not balance:
            raise NothingToPay(
                code="nothing-to-pay", message=f"{author!r} has no balance", mend="see the statement of the month"
            )
        if amount is not None and amount > balance:
            checks.fault("amount", message=f"the balance is {balance}", mend="pay out at most that, or leave it out")
            checks.done()
        entry = _post(unit, actor, author=author, payout=payout, description=description, now=now, amount=amount)
        return _payout(entry, author=author, payout=payout)

    now = desk.clock()
    # Apart from the work: rows are locked in one go, in the order of their ids.
    desk.books.run(lambda unit: unit.open_accounts([account_of_id(PAYOUTS, at=now)]))
    return desk.books.run(work)


def _post(
    unit: Unit, actor: Actor, *, author: str, payout: str, description: str, now: datetime, amount: int | None
) -> LedgerEntry:
    accounts = unit.lock([author_of(author), PAYOUTS])
    moved = accounts[author_of(author)].balance if amount is None else amount
    transaction = Transaction(
        id=payout_id(payout),
        kind=TransactionKind.PAYOUT,
        legs=transfer(source=author_of(author), target=PAYOUTS, amount=moved),
        reference=payout,
        description=description,
        actor=actor.name,
        at=now,
    )
    posting = post(transaction, accounts)
    unit.add_posting(posting)
    return next(entry for entry in posting.entries if entry.account_id == author_of(author))


def _payout(entry: LedgerEntry, *, author: str, payout: str) -> Payout:
    return Payout(
        id=payout,
        author=author,
        amount=entry.amount,
        description=entry.description,
        balance=entry.current_balance,
        at=entry.at,
    )


def _newest_first(reader: Reader, account_id: str) -> Iterator[LedgerEntry]:
    before: int | None = None
    while found := reader.entries(account_id, limit=_PAGE, before=before):
        yield from found
        before = found[-1].sequence
        if before == 1:
            return


def _no_such_author(author: str) -> NoSuchAuthor:
    return NoSuchAuthor(
        code="no-such-author",
        message=f"nobody called {author[:80]!r} has earned anything here",
        mend="check the spelling; an author's account opens with the first run that pays added value",
    )
