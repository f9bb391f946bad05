"""What authors earned, from outside: what is promised, asked over HTTP, and without a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Protocol
from urllib.parse import quote

from swath_service.actor import Actor

from swath_quota import services
from swath_quota.client.wire import Json, moment
from swath_quota.domain.ledger import TransactionKind
from swath_quota.domain.payouts import AlgorithmEarnings, Payout, PayoutLine, PayoutStatement
from swath_quota.services.desk import Desk


class PayoutsClient(Protocol):
    """The part of `swath_quota.client.QuotaClient` about what authors earn."""

    def payouts(self, author: str, month: str) -> PayoutStatement:
        """What `author` earned in a calendar month (``2026-05``), what was taken back and what was paid out.

        Raises
        ------
        NoSuchAuthor
        """
        ...

    def pay_out(self, author: str, *, payout_id: str, description: str, amount: int | None = None) -> Payout:
        """Move an author's balance, or `amount` of it, out of Swath. Needs an operator's token.

        Idempotent by `payout_id`: a replay answers the first payout.

        Raises
        ------
        NoSuchAuthor, NothingToPay, PayoutDiffers
        """
        ...


class HttpPayouts:
    """`PayoutsClient` over HTTP."""

    _ask: Callable[..., dict[str, Any]]

    def payouts(self, author: str, month: str) -> PayoutStatement:
        return _statement_of(self._ask("GET", f"authors/{quote(author, safe='')}/payouts/{quote(month, safe='')}"))

    def pay_out(self, author: str, *, payout_id: str, description: str, amount: int | None = None) -> Payout:
        body = {"payout_id": payout_id, "description": description, "amount": amount}
        told = self._ask("POST", f"authors/{quote(author, safe='')}/payouts", body=body)
        return Payout(**{**_known(Payout, told), "at": moment(told["at"])})


class FakePayouts:
    """`PayoutsClient` by the service's own rules."""

    _actor: Actor

    @property
    def _desk(self) -> Desk:
        raise TypeError("mixed into a client that has a desk")

    def payouts(self, author: str, month: str) -> PayoutStatement:
        return services.payouts_of(self._actor, self._desk, author=author, month=month)

    def pay_out(self, author: str, *, payout_id: str, description: str, amount: int | None = None) -> Payout:
        return services.pay_out(
            self._actor, self._desk, author=author, payout=payout_id, description=description, amount=amount
        )


def _statement_of(data: Json) -> PayoutStatement:
    times = {name: moment(data[name]) for name in ("starts_at", "ends_at", "made_at")}
    return PayoutStatement(
        **{
            **_known(PayoutStatement, data),
            **times,
            "algorithms": tuple(AlgorithmEarnings(**_known(AlgorithmEarnings, one)) for one in data["algorithms"]),
            "lines": tuple(map(_line_of, data["lines"])),
        }
    )


def _known(kind: type, data: Json) -> dict[str, Any]:
    """The members of `data` that `kind` has."""
    return {one.name: data[one.name] for one in fields(kind)}


def _line_of(data: Json) -> PayoutLine:
    return PayoutLine(**{**_known(PayoutLine, data), "at": moment(data["at"]), "kind": TransactionKind(data["kind"])})
