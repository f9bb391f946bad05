"""What callers send."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from swath_marketplace.domain.added_value import Per
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.reviews import LEAST_CHARACTERS, MOST_CHARACTERS, ReviewKind, ReviewVerdict
from swath_marketplace.domain.run_links import MOST_DAYS


def _text(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("a time is a text in ISO 8601, with its zone")
    return value


#: A time that a caller sends. Pydantic would take a number for seconds or milliseconds, as it seems likelier.
Moment = Annotated[AwareDatetime, BeforeValidator(_text)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PublishBody(_Body):
    """A notebook to publish."""

    notebook: dict[str, Any]
    """Content of the .ipynb file."""
    version: str | None = Field(default=None, max_length=100)
    """Semantic version; by default the one in the notebook's metadata, or the least that the interface allows."""


class ValidateBody(_Body):
    """A notebook to look at."""

    notebook: dict[str, Any]


class YankBody(_Body):
    """Why a version is taken back."""

    reason: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")


class PriceBody(_Body):
    """What an author asks on top of the resources."""

    per: Per | None
    """``run``, ``km2`` or ``cpu_hour``; null to ask nothing."""
    millicredits: int = Field(default=0, ge=0, le=10**9, strict=True)
    """For each of `per`."""
    effective_at: Moment | None = None
    """When it begins, within a year; by default now."""


class MaturityBody(_Body):
    """How mature a version may be at most."""

    level: MaturityLevel
    reason: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")


class ReviewBody(_Body):
    """What somebody says of a version."""

    kind: ReviewKind
    verdict: ReviewVerdict
    text: str = Field(min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")
    """What was looked at, and why the verdict is what it is."""


class RunWebhookBody(_Body):
    """Who is to be told of this run."""

    url: str = Field(min_length=1, max_length=2000)
    """Where messages are posted: https, to an address of the open internet."""
    events: list[str] = Field(default=["run.start", "run.end"], min_length=1, max_length=20)


class RunBody(_Body):
    """A run to start."""

    algorithm: str = Field(max_length=300)
    """``owner/name`` or ``owner/name@range``."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    budget_millicredits: int | None = Field(default=None, ge=1, le=2**53, strict=True)
    """The most that the run may cost: it caps what is held."""
    webhook: RunWebhookBody | None = None
    """Where to tell of this run; the answer holds the secret that the messages are signed with."""


class RunLinkBody(_Body):
    """A link to a run."""

    days: int = Field(default=7, ge=1, le=MOST_DAYS, strict=True)
    """How long it lasts."""


class KeyReasonBody(_Body):
    """Why a signing key is rotated or revoked; it is published."""

    reason: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")
