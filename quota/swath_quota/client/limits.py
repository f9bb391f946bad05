"""Limits through the quota client: what is promised, over HTTP, and without a service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from swath_service.actor import Actor

from swath_quota import services
from swath_quota.client import limits_wire as wire
from swath_quota.domain.errors import QuotaExceeded
from swath_quota.domain.holds import Refusal
from swath_quota.domain.limits import Standing, Taken
from swath_quota.domain.overrides import Override
from swath_quota.services.desk import Desk


class LimitCalls(Protocol):
    """Limits other than the wallet. An account is a user's name, ``organisation:acme`` or ``project:floods``."""

    def standing(self, account: str) -> Standing:
        """Tier, weight in the queue, whether degraded and why, and every limit with used, left and when it resets."""
        ...

    def take(
        self, *, take_id: str, account: str, limit: str, amount: int, expires_in_seconds: int | None = None
    ) -> Taken | Refusal:
        """Use `amount` units of a limit, or hold them of a continuous one until given back or expired.

        A replay (same id, account, limit and amount) answers the same; of a continuous take that stands it lets it
        stand at least `expires_in_seconds` from now. However many take at once, never more than the hard limit is
        taken. A `Refusal` is not stored: the same call may pass later, at its `retry_at` if nothing else is taken.

        Raises
        ------
        NoSuchLimit, TakeDiffers
        TakeEnded
            The take was given back or has expired: take again under a new id.
        """
        ...

    def give_back(self, take_id: str) -> None:
        """End a take. A no-op when it has ended, or was never made."""
        ...

    def override(
        self,
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
        """Let a subject have another limit, or another tier's limits, for a time. Needs an operator's token.

        Raises
        ------
        OverrideDiffers, NoSuchLimit, NoSuchTier
        """
        ...

    def revoke(self, override_id: str, *, reason: str) -> Override:
        """End an override now. Needs an operator's token.

        Raises
        ------
        NoSuchOverride
        """
        ...

    def overrides(self, subject: str | None = None) -> tuple[Override, ...]:
        """Every override that ever was, oldest first. Needs an operator's token."""
        ...


class HttpLimits:
    """`LimitCalls` over HTTP."""

    #: The client's own: the object in the answer, or the error that the service raised.
    _ask: Callable[..., dict[str, Any]]

    def standing(self, account: str) -> Standing:
        return wire.standing_of(self._ask("GET", "limits", query={"account": account}))

    def take(
        self, *, take_id: str, account: str, limit: str, amount: int, expires_in_seconds: int | None = None
    ) -> Taken | Refusal:
        body = {
            "take_id": take_id,
            "account": account,
            "limit": limit,
            "amount": amount,
            "expires_in_seconds": expires_in_seconds,
        }
        try:
            return wire.taken_of(self._ask("POST", "limits/takes", body=body))
        except QuotaExceeded as no:
            return wire.refusal_of(no.extra, code=no.code, message=no.message, mend=no.mend)

    def give_back(self, take_id: str) -> None:
        self._ask("DELETE", f"limits/takes/{quote(take_id, safe='')}")

    def override(
        self,
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
        body = {
            "subject": subject,
            "reason": reason,
            "ends_at": ends_at.isoformat(),
            "starts_at": starts_at.isoformat() if starts_at else None,
            "limit": limit,
            "hard": "unrestricted" if unrestricted and hard is None else hard,
            "soft": soft,
            "tier": tier,
        }
        return wire.override_of(self._ask("PUT", _override_path(override_id), body=body))

    def revoke(self, override_id: str, *, reason: str) -> Override:
        return wire.override_of(self._ask("DELETE", _override_path(override_id), query={"reason": reason}))

    def overrides(self, subject: str | None = None) -> tuple[Override, ...]:
        query = {} if subject is None else {"subject": subject}
        found = self._ask("GET", "limits/overrides", query=query)["overrides"]
        return tuple(wire.override_of(override) for override in found)


class FakeLimits:
    """`LimitCalls` by the service's own rules over a store in memory."""

    _actor: Actor

    @property
    def _desk(self) -> Desk:
        raise AssertionError("mixed into a client that has one")

    def standing(self, account: str) -> Standing:
        return services.standing(self._actor, self._desk, account=account)

    def take(
        self, *, take_id: str, account: str, limit: str, amount: int, expires_in_seconds: int | None = None
    ) -> Taken | Refusal:
        return services.take(
            self._actor,
            self._desk,
            take_id=take_id,
            account=account,
            limit=limit,
            amount=amount,
            expires_in_seconds=expires_in_seconds,
        )

    def give_back(self, take_id: str) -> None:
        services.give_back(self._actor, self._desk, take_id=take_id)

    def override(
        self,
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
        return services.override(
            self._actor,
            self._desk,
            override_id=override_id,
            subject=subject,
            reason=reason,
            ends_at=ends_at,
            starts_at=starts_at,
            limit=limit,
            hard=hard,
            unrestricted=unrestricted,
            soft=soft,
            tier=tier,
        )

    def revoke(self, override_id: str, *, reason: str) -> Override:
        return services.revoke(self._actor, self._desk, override_id=override_id, reason=reason)

    def overrides(self, subject: str | None = None) -> tuple[Override, ...]:
        return services.overrides(self._actor, self._desk, subject=subject)


def _override_path(override_id: str) -> str:
    return f"limits/overrides/{quote(override_id, safe='')}"
