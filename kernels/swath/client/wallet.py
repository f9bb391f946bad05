"""The caller's credits."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swath.client.http import QUOTA, Api, segment
from swath.display import clean, credits_text, html_table, text_table, time_text

COLUMNS = ("when", "what", "credits", "balance", "for")
GRANT_COLUMNS = ("grant", "category", "expires", "left", "of")
HOLD_COLUMNS = ("held for", "kind", "by", "until", "credits")
CHARGE_COLUMNS = ("when", "kind", "what", "held", "charged", "status", "why")
LINE_COLUMNS = ("number", "when", "what", "credits", "balance", "for")


@dataclass(frozen=True, kw_only=True, repr=False)
class Wallet:
    """Credits as they stand. Amounts are kept in millicredits; the properties without that word are credits."""

    account: str
    tier: str
    balance_millicredits: int
    held_millicredits: int
    """Set aside for runs, Lab servers and clusters that go on."""
    available_millicredits: int
    entries: tuple[Mapping[str, Any], ...]
    """What was given and taken, newest first, as the quota service tells it."""
    grants: tuple[Mapping[str, Any], ...] = ()
    """Those of which something is left."""
    holds: tuple[Mapping[str, Any], ...] = ()
    """What is set aside for what goes on."""
    forecast: Mapping[str, Any] = field(default_factory=dict)
    """Until when the credits last at the rate of the latest days, as the quota service tells it."""

    @property
    def balance(self) -> float:
        """All credits, those held included."""
        return self.balance_millicredits / 1000

    @property
    def held(self) -> float:
        """Credits set aside."""
        return self.held_millicredits / 1000

    @property
    def available(self) -> float:
        """Credits that can still be spent."""
        return self.available_millicredits / 1000

    @property
    def verdict(self) -> str:
        """One line: what there is to spend."""
        return clean(
            f"{self.account} ({self.tier}): {credits_text(self.available_millicredits)} credits to spend, "
            f"{credits_text(self.held_millicredits)} held, balance {credits_text(self.balance_millicredits)}"
        )

    @property
    def outlook(self) -> str:
        """One line: until when that lasts, at this rate; empty where the service does not say."""
        return clean(str(self.forecast.get("text") or ""))

    def grant_rows(self) -> list[tuple[str, ...]]:
        """Cells of a table of the grants."""
        return [
            (
                str(grant.get("description") or grant.get("id") or ""),
                str(grant.get("category") or grant.get("kind") or ""),
                time_text(grant["expires_at"]) if grant.get("expires_at") else "never",
                credits_text(grant.get("remaining")),
                credits_text(grant.get("amount")),
            )
            for grant in self.grants
        ]

    def hold_rows(self) -> list[tuple[str, ...]]:
        """Cells of a table of the open holds."""
        return [
            (
                str(purpose.get("description") or purpose.get("reference") or ""),
                str(purpose.get("kind") or ""),
                str(hold.get("member") or ""),
                time_text(hold.get("expires_at")),
                credits_text(hold.get("amount")),
            )
            for hold in self.holds
            for purpose in [hold.get("purpose") or {}]
        ]

    def tables(self) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        """Columns and rows of everything that there is to show: grants, holds, entries."""
        found = [
            (GRANT_COLUMNS, self.grant_rows()),
            (HOLD_COLUMNS, self.hold_rows()),
            (COLUMNS, self.rows()),
        ]
        return [(columns, rows) for columns, rows in found if rows]

    def rows(self) -> list[tuple[str, ...]]:
        """Cells of a table of the entries."""
        return [
            (
                time_text(entry.get("at")),
                str(entry.get("kind") or ""),
                _change(entry),
                credits_text(entry.get("current_balance")),
                str(entry.get("description") or entry.get("reference") or ""),
            )
            for entry in self.entries
        ]

    def as_dict(self) -> dict[str, Any]:
        """JSON object; amounts in credits and in millicredits."""
        return {
            "account": self.account,
            "tier": self.tier,
            "balance": self.balance,
            "held": self.held,
            "available": self.available,
            "balance_millicredits": self.balance_millicredits,
            "held_millicredits": self.held_millicredits,
            "available_millicredits": self.available_millicredits,
            "entries": [dict(entry) for entry in self.entries],
            "grants": [dict(grant) for grant in self.grants],
            "holds": [dict(hold) for hold in self.holds],
            "forecast": dict(self.forecast),
        }

    def __repr__(self) -> str:
        head = "\n".join(line for line in (self.verdict, self.outlook) if line)
        return "\n\n".join([head, *(text_table(columns, rows) for columns, rows in self.tables())])

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{html.escape(line)}</p>" for line in (self.verdict, self.outlook) if line)
        captions: dict[tuple[str, ...], str] = {
            GRANT_COLUMNS: "Grants",
            HOLD_COLUMNS: "Held for what goes on",
            COLUMNS: "Latest entries",
        }
        tables = (html_table(columns, rows, caption=captions[columns]) for columns, rows in self.tables())
        return head + "".join(tables)


def _change(entry: Mapping[str, Any]) -> str:
    before, after = entry.get("previous_balance"), entry.get("current_balance")
    if not isinstance(before, int) or not isinstance(after, int):
        return credits_text(entry.get("amount"))
    return f"{'+' if after > before else ''}{credits_text(after - before)}"


def read(api: Api, *, account: str | None = None) -> Wallet:
    """The caller's own wallet; another's for its members and operators."""
    told = api.json("GET", f"{QUOTA}/wallet", params={"account": account})
    ahead = told.get("forecast")
    return Wallet(
        account=str(told.get("account", "")),
        tier=str(told.get("tier", "")),
        balance_millicredits=int(told.get("balance", 0)),
        held_millicredits=int(told.get("held", 0)),
        available_millicredits=int(told.get("available", 0)),
        entries=_objects(told.get("entries")),
        grants=_objects(told.get("grants")),
        holds=_objects(told.get("holds")),
        forecast=dict(ahead) if isinstance(ahead, Mapping) else {},
    )


def charges(api: Api, *, account: str | None = None, limit: int = 50) -> tuple[Mapping[str, Any], ...]:
    """What ended in the last 30 days, newest first, each with why it cost that."""
    told = api.json("GET", f"{QUOTA}/wallet/charges", params={"account": account, "limit": limit})
    return _objects(told.get("charges"))


def charge_rows(found: tuple[Mapping[str, Any], ...]) -> list[tuple[str, ...]]:
    """Cells of a table of charges."""
    return [
        (
            time_text(one.get("at")),
            str(one.get("kind") or ""),
            str(one.get("description") or one.get("reference") or ""),
            credits_text(one.get("held")),
            credits_text(one.get("charged")),
            str(one.get("status") or ""),
            str((one.get("explanation") or {}).get("text") or one.get("reason") or ""),
        )
        for one in found
    ]


def statement(api: Api, month: str, *, account: str | None = None) -> dict[str, Any]:
    """A calendar month's statement, ``2026-05``, as the quota service tells it."""
    told = api.json("GET", statement_path(month), params={"account": account, "format": "json"})
    return dict(told)


def statement_path(month: str) -> str:
    """Where a month's statement is."""
    return f"{QUOTA}/wallet/statements/{segment(month)}"


def statement_facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A statement's sums, as pairs."""
    totals = told.get("totals") or {}
    parts = [
        (name, credits_text(totals.get(name))) for name in ("allowances", "grants", "charges", "refunds", "lapses")
    ]
    proof = "yes, to the millicredit" if told.get("adds_up") else "NO: tell an operator"
    return [
        ("account", str(told.get("account", ""))),
        ("month", str(told.get("month", "")) + ("" if told.get("is_final") else " (not over)")),
        ("opening balance", credits_text(told.get("opening"))),
        *parts,
        ("closing balance", credits_text(told.get("closing"))),
        ("adds up", proof),
    ]


def line_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells of a table of a statement's lines."""
    return [
        (
            str(line.get("number", "")),
            time_text(line.get("at")),
            str(line.get("kind") or ""),
            credits_text(line.get("amount")),
            credits_text(line.get("balance")),
            str(line.get("description") or line.get("reference") or ""),
        )
        for line in _objects(told.get("lines"))
    ]


def _objects(found: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(one for one in found if isinstance(one, Mapping)) if isinstance(found, list | tuple) else ()
