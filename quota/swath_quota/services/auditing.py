"""Verify the books."""

from __future__ import annotations

from dataclasses import dataclass, field

from swath_service.actor import Actor, Scope

from swath_quota.domain.invariants import Breach, Contents, Totals, examine
from swath_quota.domain.ports import Reader
from swath_quota.domain.usage_invariants import UsageBreach, UsageTotals
from swath_quota.services.desk import Desk
from swath_quota.services.usage_audit import audit_usage


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditReport:
    """What an audit found."""

    breaches: tuple[Breach | UsageBreach, ...]
    """Empty when every invariant holds."""
    totals: Totals
    usage: UsageTotals = field(default_factory=UsageTotals)

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not self.breaches


def audit(actor: Actor, desk: Desk) -> AuditReport:
    """Examine everything stored, as of one instant, while others go on writing.

    Raises
    ------
    Forbidden
    """
    actor.require(Scope.ADMINISTER)

    def work(reader: Reader) -> AuditReport:
        breaches, totals = examine(
            Contents(
                accounts=tuple(reader.all_accounts()),
                entries=reader.all_entries(),
                holds=reader.all_holds(),
                grants=reader.all_grants(),
                draws=reader.all_draws(),
                members=reader.all_memberships(),
            )
        )
        return AuditReport(breaches=breaches, totals=totals)

    books = desk.books.read(work)
    # After the books: see `swath_quota.domain.usage_invariants.examine_usage`.
    breaches, usage = audit_usage(desk)
    return AuditReport(breaches=(*books.breaches, *breaches), totals=books.totals, usage=usage)
