"""What a request may say: nothing that is not named here, and every number in bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from swath_quota.domain.added_value import MAX_PRICE, AddedValueRequest, Per
from swath_quota.domain.checks import (
    ALGORITHM_PATTERN,
    ID_PATTERN,
    MAX_AMOUNT,
    MAX_HOLD_SECONDS,
    MAX_NAME,
    MAX_PRIORITY,
    MAX_REFERENCE,
    MAX_SCOPE,
    MAX_TEXT,
    MAX_USAGE,
    SLUG_PATTERN,
    USAGE_PATTERN,
)
from swath_quota.domain.grants import GRANT_PRIORITY, GrantCategory, GrantScope
from swath_quota.domain.members import MemberRole
from swath_quota.domain.purposes import PurposeKind
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
    algorithm: Annotated[str, Field(max_length=MAX_REFERENCE)] = ""


class AddedValueModel(_Request):
    """What an author asks on top of the resources."""

    author: Name
    per: Per
    millicredits: Annotated[int, Field(strict=True, ge=1, le=MAX_PRICE, description="For each of `per`")]
    maturity: Annotated[str, Field(max_length=40, description="Of the version, now")]

    def domain(self) -> AddedValueRequest:
        """The same for the domain."""
        return AddedValueRequest(
            author=self.author, per=self.per, millicredits=self.millicredits, maturity=self.maturity
        )


class HoldRequest(_Request):
    """Set credits aside."""

    hold_id: Id
    account: Name
    amount: Millicredits
    purpose: PurposeModel
    expires_in_seconds: Seconds
    payer: Annotated[Name | None, Field(description="Short name of the wallet; by default the user's choice")] = None
    price_version: Annotated[str | None, Field(max_length=40)] = None
    added_value: Annotated[AddedValueModel | None, Field(description="What the author of what runs asks")] = None


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
    """Let a hold stand longer, and over more."""

    expires_in_seconds: Seconds
    amount: Annotated[Millicredits | None, Field(description="Millicredits in all; never lowered")] = None


class RefundRequest(_Request):
    """Give back what was captured."""

    reason: Text
    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT)] | None = None


class ScopeModel(_Request):
    """What credits may be spent on; empty members allow everything."""

    kinds: Annotated[tuple[PurposeKind, ...], Field(max_length=3)] = ()
    algorithms: Annotated[
        tuple[Annotated[str, Field(pattern=ALGORITHM_PATTERN)], ...], Field(max_length=MAX_SCOPE)
    ] = ()

    def domain(self) -> GrantScope:
        """The same for the domain."""
        return GrantScope(kinds=self.kinds, algorithms=self.algorithms)


class GrantRequest(_Request):
    """Give credits."""

    grant_id: Id
    account: Name
    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT, description="Millicredits")]
    description: Text
    category: GrantCategory = GrantCategory.PROMOTIONAL
    priority: Annotated[int, Field(strict=True, ge=0, le=MAX_PRIORITY, description="Lower is spent first")] = (
        GRANT_PRIORITY
    )
    scope: ScopeModel = ScopeModel()
    effective_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None


Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]


class OrganisationRequest(_Request):
    """Open an organisation's wallet."""

    title: Text
    tier: Annotated[str | None, Field(min_length=1, max_length=63)] = None


class MemberRequest(_Request):
    """Let a user spend from an organisation's wallet."""

    ceiling: Annotated[Millicredits | None, Field(description="Most millicredits in a calendar month")] = None
    role: MemberRole = MemberRole.MEMBER


class PayerRequest(_Request):
    """From which wallet one's own work is paid."""

    payer: Name


class PricesQuery(_Request):
    """Which price list; by default the one in force."""

    version: Annotated[str | None, Field(max_length=40)] = None


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
