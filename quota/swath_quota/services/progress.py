"""What is used so far, and how long what is held for it lasts."""

from __future__ import annotations

import base64
from datetime import datetime

from swath_service.actor import Actor, Scope
from swath_service.errors import Forbidden

from swath_quota.domain.checks import Checks
from swath_quota.domain.holds import Hold, HoldStatus, no_such_hold
from swath_quota.domain.meters import Meter, MeterReader, Progress, UsagePage
from swath_quota.domain.usage import WALL_SECONDS, price_usage, rate_per_hour, seconds_left
from swath_quota.services.desk import Desk
from swath_quota.services.holds import get_hold
from swath_quota.services.metering import frozen_prices, holds_of, spender_of

#: Most meters of one page.
MAX_PAGE = 200


def progress(actor: Actor, desk: Desk, *, hold_id: str) -> Progress:
    """What a hold pays for, so far; for the services that place holds, for operators and for the one who spends.

    Raises
    ------
    NoSuchHold, Invalid, Forbidden
    """
    hold = get_hold(actor, desk, hold_id=hold_id)
    if hold is None:
        raise no_such_hold(hold_id)

    def work(reader: MeterReader) -> Progress:
        return _progress(desk, reader, hold=hold, meter=reader.by_holds([hold_id]).get(hold_id))

    return desk.meters.read(work)


def usage_page(
    actor: Actor, desk: Desk, *, account: str | None = None, limit: int = 50, before: str | None = None
) -> UsagePage:
    """A page of what a user's holds paid for, newest first: at most `limit`, after the page that told `before`.

    Raises
    ------
    Invalid, Forbidden
    """
    name = actor.name if account is None else account
    checks = Checks()
    checks.name("account", value=name)
    checks.integer("limit", value=limit, least=1, most=MAX_PAGE)
    cursor = None if before is None else _cursor(checks, before)
    checks.done()
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)
        if name != actor.name and not actor.is_operator:
            raise Forbidden(
                code="not-your-wallet",
                message="usage is shown to its owner and to operators",
                mend="leave out the account to see your own",
            )
    # Meters before holds: a meter is made after its hold, so each finds its own.
    meters = desk.meters.read(lambda reader: reader.of_account(name, limit=limit + 1, before=cursor))
    shown = meters[:limit]
    holds = holds_of(desk, {meter.hold_id for meter in shown})

    def work(reader: MeterReader) -> tuple[Progress, ...]:
        return tuple(_progress(desk, reader, hold=holds[meter.hold_id], meter=meter) for meter in shown)

    more = len(meters) > limit
    return UsagePage(account=name, meters=desk.meters.read(work), next_before=_token(shown[-1]) if more else None)


def _progress(desk: Desk, reader: MeterReader, *, hold: Hold, meter: Meter | None) -> Progress:
    prices = frozen_prices(desk, hold)
    usage = dict(meter.state.usage) if meter else {}
    cost = hold.captured
    rate = None
    if hold.is_open and meter and meter.state.has_usage:
        cost = min(price_usage(prices, usage, hold.purpose.kind), hold.amount)
        rate = None if meter.state.final else _rate(desk, reader, hold=hold, meter=meter)
    return Progress(
        hold_id=hold.id,
        meter=meter.id if meter else None,
        account=spender_of(hold),
        kind=hold.purpose.kind,
        reference=hold.purpose.reference,
        status=hold.status,
        usage=usage,
        final=meter.state.final if meter else hold.status is not HoldStatus.HELD,
        amount=hold.amount,
        cost=cost,
        share=cost / hold.amount if hold.amount else 1.0,
        rate_per_hour=rate,
        seconds_left=seconds_left(left=hold.amount - cost, rate=rate),
        price_version=prices.effective_on.isoformat(),
        first_seen_at=meter.first_seen_at if meter else None,
        last_seen_at=meter.last_seen_at if meter else None,
    )


def _rate(desk: Desk, reader: MeterReader, *, hold: Hold, meter: Meter) -> int | None:
    """Between the last two reports; over the whole life where there is one, or no time passed between them."""
    prices = frozen_prices(desk, hold)
    last = [stored.event.usage for stored in reader.last_events(meter.id, limit=2)]
    rate = rate_per_hour(prices, last[1], last[0]) if len(last) == 2 else None
    if rate is None and meter.state.usage.get(WALL_SECONDS):
        rate = rate_per_hour(prices, {}, meter.state.usage)
    return rate


def _token(meter: Meter) -> str:
    return base64.urlsafe_b64encode(f"{meter.first_seen_at.isoformat()} {meter.id}".encode()).decode()


def _cursor(checks: Checks, token: str) -> tuple[datetime, str] | None:
    try:
        seen, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
        at = datetime.fromisoformat(seen)
        if at.tzinfo and name:
            return at, name
    except ValueError:
        pass
    checks.fault("before", message="before is no cursor of this service", mend="send `next_before` of the page before")
    return None
