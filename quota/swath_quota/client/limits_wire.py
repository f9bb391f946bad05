"""JSON of limits to the domain's types. Members that a newer service adds are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from swath_quota.domain.holds import Refusal
from swath_quota.domain.limits import Degrade, Limit, LimitState, Origin, Standing, Taken, Window
from swath_quota.domain.overrides import Override, Revocation

Json = Mapping[str, Any]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _moment_or_none(text: str | None) -> datetime | None:
    return _moment(text) if text else None


def limit_of(data: Json) -> Limit:
    """A limit of a tier."""
    degrade = data.get("degrade")
    return Limit(
        name=data["name"],
        window=Window(data["window"]),
        unit=data["unit"],
        hard=data["hard"],
        soft=data["soft"],
        seconds=data["seconds"],
        burst=data["burst"],
        degrade=_degrade_of(degrade) if degrade else None,
        origin=Origin(data["origin"]),
    )


def _degrade_of(data: Json) -> Degrade:
    return Degrade(
        text=data["text"],
        weight=data["weight"],
        cores=data["cores"],
        rate=data["rate"],
        limits=dict(data["limits"]),
    )


def state_of(data: Json) -> LimitState:
    """How full a limit is."""
    return LimitState(
        name=data["name"],
        window=Window(data["window"]),
        unit=data["unit"],
        soft=data["soft"],
        hard=data["hard"],
        used=data["used"],
        left=data["left"],
        resets_at=_moment_or_none(data["resets_at"]),
        next_fit_at=_moment_or_none(data["next_fit_at"]),
        degraded=data["degraded"],
        origin=Origin(data["origin"]),
        seconds=data.get("seconds"),
        burst=data.get("burst"),
    )


def standing_of(data: Json) -> Standing:
    """What an account may do."""
    return Standing(
        account=data["account"],
        tier=data["tier"],
        weight=data["weight"],
        degraded=tuple(data["degraded"]),
        limits=tuple(state_of(state) for state in data["limits"]),
    )


def taken_of(data: Json) -> Taken:
    """A yes to a take."""
    return Taken(
        take_id=data["take_id"],
        limit=data["limit"],
        amount=data["amount"],
        degraded=data["degraded"],
        expires_at=_moment_or_none(data["expires_at"]),
    )


def refusal_of(extra: Json, *, code: str, message: str, mend: str) -> Refusal:
    """A no, from the members of its problem document; those leave out what is zero."""
    return Refusal(
        code=code,
        message=message,
        retry_at=_moment_or_none(extra.get("retry_at")),
        limit=extra.get("limit", 0),
        left=extra.get("left", 0),
        limit_name=extra.get("limit_name", ""),
        mend=mend,
    )


def override_of(data: Json) -> Override:
    """An override."""
    revoked = data["revoked"]
    return Override(
        id=data["id"],
        subject=data["subject"],
        limit=data["limit"],
        tier=data["tier"],
        hard=data["hard"],
        soft=data["soft"],
        reason=data["reason"],
        author=data["author"],
        created_at=_moment(data["created_at"]),
        starts_at=_moment(data["starts_at"]),
        ends_at=_moment(data["ends_at"]),
        revoked=Revocation(
            override_id=revoked["override_id"],
            reason=revoked["reason"],
            author=revoked["author"],
            at=_moment(revoked["at"]),
        )
        if revoked
        else None,
    )
