"""A `QuotaClient` that asks the quota service."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import httpx
from swath_service.errors import STATUSES, Invalid, SwathError, Unavailable

from swath_quota.client import wire
from swath_quota.client.limits import HttpLimits
from swath_quota.client.payouts import HttpPayouts
from swath_quota.client.quotes import HttpQuotes
from swath_quota.client.usage import HttpUsage
from swath_quota.domain.added_value import AddedValueRequest
from swath_quota.domain.errors import Codes, NoSuchHold
from swath_quota.domain.grants import ANYTHING, GRANT_PRIORITY, Grant, GrantCategory, GrantScope
from swath_quota.domain.holds import Hold, Purpose, Refusal, Settlement
from swath_quota.domain.prices import Prices
from swath_quota.domain.tiers import Tiers
from swath_quota.domain.wallets import Statement, Wallet

#: The proxy answers these when the service is restarting, and the service itself when it cannot work just now.
_TRY_AGAIN = frozenset({502, 503, 504})
_FAMILIES = {status: kind for kind, status in STATUSES.items()}


class HttpQuotaClient(HttpPayouts, HttpUsage, HttpLimits, HttpQuotes):
    """Keeps the promises of `QuotaClient` over HTTP; every call is idempotent, so every call is repeated on silence.

    Parameters
    ----------
    url
        Where the service stands, ``http://127.0.0.1:8000/services/quota/``.
    token
        A JupyterHub token with the scope ``custom:swath:ledger`` (to hold and settle) or ``…:administer`` (to give).
    timeout_seconds
        How long one attempt may take.
    attempts
        How often a call is tried before `Unavailable` is raised; between them it waits `pause_seconds`, then twice
        that, and so on.
    """

    def __init__(
        self, url: str, token: str, *, timeout_seconds: float = 10, attempts: int = 4, pause_seconds: float = 0.2
    ) -> None:
        self._attempts = max(1, attempts)
        self._pause_seconds = pause_seconds
        # trust_env=False: a proxy named in the environment must not see the token.
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_seconds,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(
        self,
        *,
        hold_id: str,
        account: str,
        amount: int,
        purpose: Purpose,
        expires_in_seconds: int,
        payer: str | None = None,
        price_version: str | None = None,
        added_value: AddedValueRequest | None = None,
    ) -> Hold | Refusal:
        body: dict[str, Any] = {
            "hold_id": hold_id,
            "account": account,
            "amount": amount,
            "purpose": {
                "kind": str(purpose.kind),
                "reference": purpose.reference,
                "description": purpose.description,
                "algorithm": purpose.algorithm,
            },
            "expires_in_seconds": expires_in_seconds,
            "payer": payer,
            "price_version": price_version,
        }
        if added_value is not None:
            body["added_value"] = {**asdict(added_value), "per": str(added_value.per)}
        response = self._send("POST", "holds", body=body)
        if response.status_code == 402:
            return wire.refusal_of(_json(response))
        return wire.hold_of(_told(response))

    def capture(self, hold_id: str, *, amount: int, usage: Mapping[str, float]) -> Settlement:
        body = {"amount": amount, "usage": dict(usage)}
        return wire.settlement_of(_told(self._send("POST", _hold_path(hold_id, "/capture"), body=body)))

    def release(self, hold_id: str, *, reason: str) -> Settlement:
        return wire.settlement_of(_told(self._send("POST", _hold_path(hold_id, "/release"), body={"reason": reason})))

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Hold | Refusal:
        body = {"expires_in_seconds": expires_in_seconds, "amount": amount}
        response = self._send("POST", _hold_path(hold_id, "/extend"), body=body)
        if response.status_code == 402:
            return wire.refusal_of(_json(response))
        return wire.hold_of(_told(response))

    def refund(self, hold_id: str, *, reason: str, amount: int | None = None) -> Settlement:
        body = {"reason": reason, "amount": amount}
        return wire.settlement_of(_told(self._send("POST", _hold_path(hold_id, "/refund"), body=body)))

    def get_hold(self, hold_id: str) -> Hold | None:
        try:
            return wire.hold_of(_told(self._send("GET", _hold_path(hold_id))))
        except NoSuchHold:
            return None

    def wallet(self, account: str) -> Wallet:
        return wire.wallet_of(_told(self._send("GET", "wallet", query={"account": account})))

    def statement(self, account: str, *, limit: int = 50, before: int | None = None) -> Statement:
        query: dict[str, str | int] = {"account": account, "limit": limit}
        if before is not None:
            query["before"] = before
        return wire.statement_of(_told(self._send("GET", "wallet/entries", query=query)))

    def grant(
        self,
        *,
        grant_id: str,
        account: str,
        amount: int,
        description: str,
        category: GrantCategory = GrantCategory.PROMOTIONAL,
        priority: int = GRANT_PRIORITY,
        scope: GrantScope = ANYTHING,
        effective_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> Grant:
        body = {
            "grant_id": grant_id,
            "account": account,
            "amount": amount,
            "description": description,
            "category": str(category),
            "priority": priority,
            "scope": {"kinds": [str(kind) for kind in scope.kinds], "algorithms": list(scope.algorithms)},
            "effective_at": effective_at.isoformat() if effective_at else None,
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        return wire.grant_of(_told(self._send("POST", "grants", body=body)))

    def assign_tier(self, account: str, *, tier: str) -> Wallet:
        body = {"account": account, "tier": tier}
        return wire.wallet_of(_told(self._send("PUT", "wallet/tier", body=body)))

    def prices(self, version: str | None = None) -> Prices:
        return wire.prices_of(_told(self._send("GET", "prices", query={"version": version} if version else None)))

    def tiers(self) -> Tiers:
        return wire.tiers_of(_told(self._send("GET", "tiers")))

    def _ask(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        """The object in the answer, or the error that the service raised."""
        return _told(self._send(method, path, **sent))

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """The service's answer; repeated while there is none.

        Raises
        ------
        Unavailable
            No answer to any attempt.
        """
        # Escaped, and NaN as it is: what is wrong with a value is told by the service, not by the encoder.
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        why = ""
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(self._pause_seconds * 2 ** (attempt - 1))
            try:
                response = self._client.request(method, path, content=content, headers=headers, params=query)
            except httpx.TransportError as error:
                # The type alone: its text may name addresses.
                why = type(error).__name__
                continue
            except UnicodeEncodeError as error:
                raise Invalid(
                    code="invalid-request",
                    message="a name holds what is no character",
                    mend="send the name as JupyterHub has it",
                    findings=[{"field": "account", "message": "not Unicode", "mend": "send it as JupyterHub has it"}],
                ) from error
            if response.status_code not in _TRY_AGAIN:
                return response
            why = f"status {response.status_code}"
        raise Unavailable(
            code="quota-unreachable",
            message=f"the quota service does not answer ({why}, {self._attempts} attempts)",
            mend="repeat the same call later; it is done once however often it is sent",
        )


def _hold_path(hold_id: str, rest: str = "") -> str:
    return f"holds/{quote(hold_id, safe='')}{rest}"


def _json(response: httpx.Response) -> dict[str, Any]:
    """The object in the answer.

    Raises
    ------
    Unavailable
        Something else than the service answered: a proxy's page, a half-started process.
    """
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(
            code="quota-unreachable",
            message=f"what answers in the place of the quota service (status {response.status_code}) is not it",
            mend="check the address, and whether the service is up",
        )
    return found


def _told(response: httpx.Response) -> dict[str, Any]:
    """The object that was asked for, or the error that the service raised."""
    body = _json(response)
    if response.is_success:
        return body
    code = str(body.get("code", "http-error"))
    known = {"type", "title", "status", "detail", "code", "id", "mend", "findings"}
    family = _FAMILIES.get(response.status_code, Unavailable if response.status_code >= 500 else SwathError)
    raise Codes.TYPES.get(code, family)(
        code=code,
        message=str(body.get("detail", "the quota service refused the request")),
        mend=str(body.get("mend", "")),
        findings=body.get("findings", ()),
        extra={name: value for name, value in body.items() if name not in known},
    )
