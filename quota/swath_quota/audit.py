"""``python -m swath_quota.audit``: verify the books of a ledger, also while the service writes them.

Ends with 0 when every invariant holds, with 1 when one does not, with 2 when the ledger cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.exc import SQLAlchemyError
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import SwathError

from swath_quota.bootstrap import SettingsInvalid, read_settings
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.services import AuditReport, Desk, audit
from swath_quota.store.engine import DatabaseUnfit, connect
from swath_quota.store.migrate import check_schema
from swath_quota.store.sql import SqlBooks
from swath_quota.store.usage_sql import SqlMeters

_ACTOR = Actor(name="audit", kind=ActorKind.SERVICE, scopes=frozenset({Scope.ADMINISTER}))


def audit_database(url: str) -> AuditReport:
    """Verify the ledger at `url`, which is neither made nor upgraded.

    Raises
    ------
    DatabaseUnfit
        There is none, or it is of another version.
    """
    engine = connect(url, create=False)
    try:
        check_schema(engine)
        # What was used is priced again: by the operator's own lists, where there are some.
        prices = load_prices(read_settings().prices_file)
        desk = Desk(books=SqlBooks(engine), tiers=load_tiers(), prices=prices, meters=SqlMeters(engine))
        return audit(_ACTOR, desk)
    finally:
        engine.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m swath_quota.audit", description="Verify the ledger.")
    parser.add_argument("--database", help="URL; by default the one the service uses")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    chosen = parser.parse_args(arguments)
    try:
        report = audit_database(chosen.database or read_settings().url())
    except (DatabaseUnfit, SettingsInvalid, SwathError, SQLAlchemyError) as error:
        # SQLAlchemy's text may name the database's address; its type is enough.
        told = type(error).__name__ if isinstance(error, SQLAlchemyError) else str(error)
        print(f"the ledger cannot be read: {told}", file=sys.stderr)
        return 2
    print(json.dumps({"ok": report.ok, **asdict(report)}) if chosen.json else _text(report))
    return 0 if report.ok else 1


def _text(report: AuditReport) -> str:
    totals = report.totals
    lines = [
        f"{totals.accounts} accounts, {totals.transactions} transactions, {totals.entries} entries,"
        f" {totals.holds} holds ({totals.open_holds} open)",
        f"debits {totals.debits}, credits {totals.credits} millicredits",
        f"head {totals.head}",
        *_usage_text(report),
        *(f"BROKEN {breach.invariant} {breach.subject}: {breach.message}" for breach in report.breaches),
    ]
    return "\n".join([*lines, "every invariant holds" if report.ok else f"{len(report.breaches)} breaches"])


def _usage_text(report: AuditReport) -> list[str]:
    usage = report.usage
    lines = [f"{usage.meters} meters, {usage.events} usage events ({usage.late_events} late)"]
    for kind, sums in usage.usage.items():
        lines.append(f"  {kind}: " + ", ".join(f"{name} {value:,.3f}" for name, value in sums.items()))
    return lines


if __name__ == "__main__":
    sys.exit(main())
