"""Charges and entries as CSV (RFC 4180), for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from swath_quota.domain.ledger import LedgerEntry, signed
from swath_quota.domain.payouts import PayoutStatement
from swath_quota.domain.reports import Charge
from swath_quota.domain.statements import MonthStatement

CHARGE_COLUMNS = (
    "settled_at",
    "started_at",
    "kind",
    "reference",
    "description",
    "algorithm",
    "member",
    "status",
    "held_credits",
    "charged_credits",
    "refunded_credits",
    "cpu_seconds",
    "memory_mb_seconds",
    "wall_seconds",
    "price_version",
    "explanation",
    "reason",
    "hold_id",
)
ENTRY_COLUMNS = (
    "number",
    "at",
    "kind",
    "credits",
    "balance_credits",
    "description",
    "reference",
    "transaction_id",
)
PAYOUT_COLUMNS = (
    "number",
    "at",
    "kind",
    "algorithm",
    "reference",
    "description",
    "added_value_credits",
    "fee_credits",
    "credits",
    "balance_credits",
)
#: A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(value: object) -> object:
    """A cell that no spreadsheet computes: text that looks like a formula gets an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = "".join(char if char.isprintable() else " " for char in value)
    return f"'{text}" if value.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def credits_cell(millicredits: int) -> str:
    """Credits with a point and three decimals: a number in every spreadsheet, and exact."""
    sign = "-" if millicredits < 0 else ""
    whole, rest = divmod(abs(millicredits), 1000)
    return f"{sign}{whole}.{rest:03d}"


def charges_csv(charges: Iterable[Charge]) -> Iterator[str]:
    """A line a charge."""
    yield _line(CHARGE_COLUMNS)
    for charge in charges:
        yield _line(
            (
                charge.at.isoformat(),
                charge.started_at.isoformat(),
                str(charge.kind),
                *map(cell, (charge.reference, charge.description, charge.algorithm, charge.member)),
                str(charge.status),
                *map(credits_cell, (charge.held, charge.charged, charge.refunded)),
                *(charge.usage.get(name, "") for name in ("cpu_seconds", "memory_mb_seconds", "wall_seconds")),
                *map(cell, (charge.price_version, charge.explanation.text, charge.reason, charge.id)),
            )
        )


def entries_csv(entries: Iterable[LedgerEntry]) -> Iterator[str]:
    """A line an entry."""
    yield _line(ENTRY_COLUMNS)
    for entry in entries:
        yield _line(
            (
                entry.sequence,
                entry.at.isoformat(),
                str(entry.kind),
                credits_cell(signed(entry.direction, entry.amount)),
                credits_cell(entry.current_balance),
                *map(cell, (entry.description, entry.reference, entry.transaction_id)),
            )
        )


def statement_csv(statement: MonthStatement) -> Iterator[str]:
    """A month's lines between its opening and its closing balance."""
    yield _line(("number", "at", "kind", "credits", "balance_credits", "description", "reference", "explanation"))
    yield _line(("", statement.starts_at.isoformat(), "opening", "", credits_cell(statement.opening), "", "", ""))
    for line in statement.lines:
        yield _line(
            (
                line.number,
                line.at.isoformat(),
                str(line.kind),
                credits_cell(line.amount),
                credits_cell(line.balance),
                *map(cell, (line.description, line.reference)),
                cell(line.charge.explanation.text if line.charge else ""),
            )
        )
    ends_at = min(statement.ends_at, statement.made_at)
    yield _line(("", ends_at.isoformat(), "closing", "", credits_cell(statement.closing), "", "", ""))


def payouts_csv(statement: PayoutStatement) -> Iterator[str]:
    """A line for each of an author's entries in a month."""
    yield _line(PAYOUT_COLUMNS)
    for line in statement.lines:
        yield _line(
            (
                line.number,
                line.at.isoformat(),
                str(line.kind),
                *map(cell, (line.algorithm, line.reference, line.description)),
                *map(credits_cell, (line.added_value, line.fee, line.amount, line.balance)),
            )
        )


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
