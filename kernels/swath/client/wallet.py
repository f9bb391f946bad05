"""The caller's credits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swath.client.http import QUOTA, Api
from swath.display import clean, credits_text, html_table, text_table, time_text

COLUMNS = ("when", "what", "credits", "balance", "for")


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
        }

    def __repr__(self) -> str:
        return f"{self.verdict}\n{text_table(COLUMNS, self.rows())}" if self.entries else self.verdict

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self.rows(), caption=self.verdict)


def _change(entry: Mapping[str, Any]) -> str:
    before, after = entry.get("previous_balance"), entry.get("current_balance")
    if not isinstance(before, int) or not isinstance(after, int):
        return credits_text(entry.get("amount"))
    return f"{'+' if after > before else ''}{credits_text(after - before)}"


def read(api: Api) -> Wallet:
    """The caller's own wallet."""
    told = api.json("GET", f"{QUOTA}/wallet")
    return Wallet(
        account=str(told.get("account", "")),
        tier=str(told.get("tier", "")),
        balance_millicredits=int(told.get("balance", 0)),
        held_millicredits=int(told.get("held", 0)),
        available_millicredits=int(told.get("available", 0)),
        entries=tuple(one for one in told.get("entries") or () if isinstance(one, Mapping)),
    )
