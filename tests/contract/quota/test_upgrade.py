"""A ledger of the first revision, with a life behind it, goes on under this one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from swath_quota.client import FakeQuotaClient, Hold, HoldStatus, Purpose, PurposeKind
from swath_quota.domain.grants import GrantCategory
from swath_quota.store.engine import WRITES, connect
from swath_quota.store.migrate import check_schema, config, migrate
from swath_quota.store.sql import SqlBooks
from swath_quota.store.tables import Moment

AT = datetime(2026, 5, 4, 9, tzinfo=UTC)
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
PURPOSE = Purpose(kind=PurposeKind.RUN, reference="run-2")


def table(name: str, *times: str, json: str = "") -> Any:
    """A table as revision 0001 knew it: the columns that are given here."""
    typed = [sa.column(at, Moment()) for at in times] + ([sa.column(json, sa.JSON())] if json else [])
    names = {
        "accounts": ("id", "kind", "name", "tier", "balance", "held", "sequence"),
        "transactions": ("id", "kind", "reference", "description", "actor"),
        "entries": (
            "account_id", "sequence", "transaction_id", "direction", "amount", "previous_balance", "current_balance"
        ),
        "holds": (
            "id", "account_id", "amount", "purpose_kind", "purpose_reference", "purpose_description", "status",
            "captured", "reason"
        ),
        "grants": (
            "id", "account_id", "kind", "amount", "remaining", "priority", "period", "description", "granted_by"
        ),
        "draws": ("transaction_id", "grant_id", "amount"),
    }[name]  # fmt: skip
    return sa.table(name, *(sa.column(one) for one in names), *typed)


TABLES = {
    "accounts": table("accounts", "refresh_at", "created_at"),
    "transactions": table("transactions", "at", json="usage"),
    "entries": table("entries"),
    "holds": table("holds", "created_at", "expires_at", "resolved_at", json="usage"),
    "grants": table("grants", "created_at", "expires_at"),
    "draws": table("draws"),
}


class Old:
    """Rows of a ledger at revision 0001: balances are summed as entries are made."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.sums: dict[str, list[int]] = {}

    def post(self, name: str, kind: str, source: str, target: str, amount: int) -> None:
        self.rows["transactions"].append(
            {"id": name, "kind": kind, "reference": name.partition(":")[2], "description": "é", "actor": "x"}
            | {"usage": {}, "at": AT}
        )
        for account, change in ((source, -amount), (target, amount)):
            sequence, balance = self.sums.get(account, [0, 0])
            self.sums[account] = [sequence + 1, balance + change]
            self.rows["entries"].append(
                {"account_id": account, "sequence": sequence + 1, "transaction_id": name, "amount": amount}
                | {"direction": "debit" if change < 0 else "credit"}
                | {"previous_balance": balance, "current_balance": balance + change}
            )

    def grant(self, name: str, account: str, amount: int, *, left: int, expires: datetime | None, **more: Any) -> None:
        allowance = name.startswith("allowance")
        self.post(f"grant:{name}", "allowance" if allowance else "grant", "issuer:swath", account, amount)
        self.rows["grants"].append(
            {"id": name, "account_id": account, "kind": "allowance" if allowance else "gift", "amount": amount}
            | {"remaining": left, "priority": 10 if allowance else 20, "period": "2026-05" if allowance else ""}
            | {"description": "d", "granted_by": "op", "created_at": AT, "expires_at": expires}
            | more
        )

    def hold(self, name: str, account: str, amount: int, *, status: str, captured: int = 0, late: bool = False) -> None:
        self.rows["holds"].append(
            {"id": name, "account_id": account, "amount": amount, "purpose_kind": "run", "captured": captured}
            | {"purpose_reference": name, "purpose_description": "", "status": status, "reason": "", "usage": {}}
            | {"created_at": AT, "expires_at": AT if late else NOW + timedelta(days=1)}
            | {"resolved_at": None if status == "held" else AT}
        )

    def account(self, kind: str, name: str, *, held: int = 0) -> None:
        sequence, balance = self.sums.get(f"{kind}:{name}", [0, 0])
        self.rows["accounts"].append(
            {"id": f"{kind}:{name}", "kind": kind, "name": name, "tier": "local" if kind == "user" else None}
            | {"balance": balance, "held": held, "sequence": sequence, "created_at": AT}
            | {"refresh_at": JUNE if kind == "user" else None}
        )


def a_life() -> Old:
    """Ada has spent, holds and was given more; bea's hold is overdue; cy has nothing but the allowance."""
    old = Old()
    old.grant("allowance:ada:2026-05:10000000", "user:ada", 10_000_000, left=9_999_300, expires=JUNE)
    old.grant("gift:extra", "user:ada", 500, left=500, expires=None)
    old.grant("allowance:bea:2026-05:10000000", "user:bea", 10_000_000, left=10_000_000, expires=JUNE)
    old.grant("allowance:cy:2026-05:10000000", "user:cy", 10_000_000, left=10_000_000, expires=JUNE)
    old.post("capture:done", "capture", "user:ada", "platform:swath", 700)
    old.rows["draws"].append({"transaction_id": "capture:done", "grant_id": "allowance:ada:2026-05:10000000"})
    old.rows["draws"][0]["amount"] = 700
    old.hold("done", "user:ada", 1_000, status="captured", captured=700)
    old.hold("gone", "user:ada", 1_000, status="released")
    # Over both of ada's grants: what the allowance has no more, the gift has.
    old.hold("open", "user:ada", 9_999_500, status="held")
    old.hold("late", "user:bea", 10_000_000, status="held", late=True)
    old.account("user", "ada", held=9_999_500)
    old.account("user", "bea", held=10_000_000)
    old.account("user", "cy")
    old.account("platform", "swath")
    old.account("issuer", "swath")
    return old


@pytest.fixture
def client(database_url: str) -> Iterator[FakeQuotaClient]:
    """Over a database that was made and filled at revision 0001, and then brought to the newest."""
    engine = connect(database_url)
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        alembic = config()
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, "0001")
        for name in ("accounts", "transactions", "entries", "holds", "grants", "draws"):
            connection.execute(sa.insert(TABLES[name]), a_life().rows[name])
    migrate(engine)
    check_schema(engine)
    yield FakeQuotaClient(books=SqlBooks(engine), clock=lambda: NOW)
    engine.dispose()


def test_nothing_is_lost_and_nothing_is_amiss(client: FakeQuotaClient) -> None:
    report = client.audit()
    assert report.breaches == ()
    assert (report.totals.accounts, report.totals.transactions, report.totals.holds) == (5, 5, 4)
    assert report.totals.open_holds == 2
    ada = client.wallet("ada")
    assert (ada.balance, ada.held, ada.available) == (9_999_800, 9_999_500, 300)
    assert client.audit().breaches == ()


def test_an_open_hold_says_what_backs_it_and_is_captured(client: FakeQuotaClient) -> None:
    hold = client.get_hold("open")
    assert hold is not None
    assert hold.allocations == (("allowance:ada:2026-05:10000000", 9_999_300), ("gift:extra", 200))
    assert (hold.member, hold.asked, hold.price_version) == ("ada", 9_999_500, "2023-11-01")
    assert client.capture("open", amount=9_999_400, usage={}).returned == 100
    assert client.wallet("ada").balance == 400
    assert client.capture("done", amount=700, usage={}).captured == 700
    assert client.audit().breaches == ()


def test_an_open_hold_grows_and_is_repeated_as_it_was(client: FakeQuotaClient) -> None:
    same = {"hold_id": "open", "account": "ada", "amount": 9_999_500, "expires_in_seconds": 60}
    held = client.hold(purpose=Purpose(kind=PurposeKind.RUN, reference="open"), **same)  # type: ignore[arg-type]
    assert isinstance(held, Hold)
    grown = client.extend("open", expires_in_seconds=60, amount=9_999_800)
    assert isinstance(grown, Hold)
    assert (grown.amount, client.wallet("ada").available) == (9_999_800, 0)
    assert client.release("open", reason="canceled").returned == 9_999_800
    assert client.audit().breaches == ()


def test_what_was_captured_before_is_given_back(client: FakeQuotaClient) -> None:
    """Its earner was another account than that of today, and which grants had paid is not known any more."""
    assert client.refund("done", reason="ours").returned == 700
    assert client.wallet("ada").balance == 10_000_500
    [amends] = [
        grant
        for grant in client._desk.books.read(lambda reader: list(reader.all_grants()))
        if grant.category is GrantCategory.COMPENSATION
    ]
    assert amends.expires_at == NOW + timedelta(days=31)
    assert client.audit().breaches == ()


def test_a_hold_that_nobody_settled_is_voided_and_the_month_turns(client: FakeQuotaClient) -> None:
    assert client.sweep() == 1
    assert client.get_hold("late").status is HoldStatus.EXPIRED  # type: ignore[union-attr]
    held = client.hold(hold_id="new", account="bea", amount=10_000_000, purpose=PURPOSE, expires_in_seconds=60)
    assert isinstance(held, Hold)
    later = FakeQuotaClient(books=client._desk.books, clock=lambda: JUNE + timedelta(hours=1))
    # The gift and the 9,999,300 of May that still back the open hold stay; cy's May has lapsed.
    assert later.wallet("ada").balance == 9_999_300 + 500 + 10_000_000
    assert later.wallet("cy").balance == 10_000_000
    assert later.audit().breaches == ()


def test_what_an_upgrade_made_final_stays_so(client: FakeQuotaClient) -> None:
    engine = client._desk.books.engine  # type: ignore[attr-defined]
    for statement in (
        "UPDATE entries SET hash = ''",
        "UPDATE holds SET captured = 1 WHERE id = 'done'",
        "UPDATE holds SET amount = 1 WHERE id = 'open'",
        "DELETE FROM draws",
    ):
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(sa.text(statement))
    assert client.audit().breaches == ()
