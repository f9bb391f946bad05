"""What a request may say: nothing that is not named here, and every number in bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from swath_quota.domain.checks import (
    ID_PATTERN,
    MAX_AMOUNT,
    MAX_HOLD_SECONDS,
    MAX_NAME,
    MAX_REFERENCE,
    MAX_TEXT,
    MAX_USAGE,
    USAGE_PATTERN,
)
from swath_quota.domain.holds import PurposeKind
from swath_quota.services.wallets import MAX_PAGE

Id = Annotated[str, Field(pattern=ID_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Millicredits = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT, description="Millicredits")]
Seconds = Annotated[int, Field(strict=True, ge=1, le=MAX_HOLD_SECONDS)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Quantity = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PurposeModel(_Request):
    """What a hold is for."""

    kind: PurposeKind
    reference: Annotated[str, Field(min_length=1, max_length=MAX_REFERENCE)]
    description: Annotated[str, Field(max_length=MAX_TEXT)] = ""


class HoldRequest(_Request):
    """Set credits aside."""

    hold_id: Id
    account: Name
    amount: Millicredits
    purpose: PurposeModel
    expires_in_seconds: Seconds


class CaptureRequest(_Request):
    """Take what was used."""

    amount: Millicredits
    usage: Annotated[
        dict[Annotated[str, Field(pattern=USAGE_PATTERN)], Quantity],
        Field(max_length=MAX_USAGE, default_factory=dict),
    ]


class ReleaseRequest(_Request):
    """Give everything back."""

    reason: Text


class ExtendRequest(_Request):
    """Let a hold stand longer."""

    expires_in_seconds: Seconds


class GrantRequest(_Request):
    """Give credits."""

    grant_id: Id
    account: Name
    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT, description="Millicredits")]
    description: Text
    expires_at: AwareDatetime | None = None


class TierRequest(_Request):
    """Put a wallet into a tier."""

    account: Name
    tier: Annotated[str, Field(min_length=1, max_length=63)]


class WalletQuery(_Request):
    """Whose wallet; by default the caller's own."""

    account: Name | None = None


class EntriesQuery(WalletQuery):
    """Which page of a wallet's entries."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    before: Annotated[int, Field(ge=1, le=2**62)] | None = None


class Health(BaseModel):
    """That the service and its database answer."""

    status: str
    service: str
    database: str
