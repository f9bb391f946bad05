"""Work that many threads bring at once, with failures put into it: each piece is whole or not at all, none waits for
ever, and whatever failed the next one is served."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import FakeQuotaClient, Purpose, PurposeKind
from swath_quota.domain.accounts import wallet_id
from swath_quota.domain.holds import Hold
from swath_quota.domain.ports import Needs, Unit
from swath_quota.services import Desk
from swath_quota.store.batching import Batcher, Piece
from swath_quota.store.sql import SqlBooks
from swath_quota.store.unit import SqlUnit
from swath_service.actor import Actor, ActorKind, Scope

ACTOR = Actor(name="test", kind=ActorKind.SERVICE, scopes=frozenset(Scope))
AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
PURPOSE = Purpose(kind=PurposeKind.RUN, reference="r")
ADA = wallet_id("ada")
THREADS = 32


@pytest.fixture
def sql(database_url: str, open_books: Any) -> Iterator[SqlBooks]:
    """Books in which ada has a wallet; whatever a test did, they are sound and still serve."""
    with open_books(database_url) as books:
        client = FakeQuotaClient(books=books, clock=lambda: AT)
        client.wallet("ada")
        yield books
        assert client.audit().breaches == ()
        lanes = books._batcher._free_lanes, books._viewers._free_lanes
        assert lanes == (1, 1 if books.engine.dialect.name == "sqlite" else 2)
        assert client.capture(client_hold(client, "afterwards").id, amount=1, usage={}).captured == 1


def client_hold(client: FakeQuotaClient, name: str) -> Hold:
    held = client.hold(hold_id=name, account="ada", amount=5, purpose=PURPOSE, expires_in_seconds=60)
    assert isinstance(held, Hold)
    return held


def desk_of(books: SqlBooks) -> Desk:
    return Desk(books=books, tiers=load_tiers(), prices=load_prices(), clock=lambda: AT)


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Each in a thread, all beginning together: what each answered or raised."""
    barrier = threading.Barrier(len(works))

    def do(work: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        # Nobody waits for ever: a lane that is lost would let this run out.
        return [one.result(timeout=120) for one in [pool.submit(do, work) for work in works]]


def placing(books: SqlBooks, name: str, *, then: Callable[[Unit], None] | None = None) -> Callable[[], str]:
    """Work that sets 5 millicredits of ada's aside, and then maybe fails."""

    def work(unit: Unit) -> str:
        account = unit.lock([ADA])[ADA]
        grant = unit.live_grants("ada")[0]
        hold = Hold(
            id=name,
            account="ada",
            member="ada",
            amount=5,
            purpose=PURPOSE,
            allocations=((grant.id, 5),),
            price_version="2023-11-01",
            created_at=AT,
            expires_at=AT + timedelta(minutes=1),
        )
        unit.save_grant(replace(grant, held=grant.held + 5))
        unit.save_account(replace(account, held=account.held + 5))
        unit.add_hold(hold)
        if then:
            then(unit)
        return name

    return lambda: books.run(work, needs=Needs(payer_of="ada", placing=name))


def held(books: SqlBooks) -> tuple[int, set[str]]:
    return books.read(lambda reader: (reader.account(ADA).held, {hold.id for hold in reader.all_holds()}))  # type: ignore[union-attr]


class Injected(Exception):
    """A failure put into a piece of work."""


def fails(_: Unit) -> None:
    raise Injected


def is_refused(unit: Unit) -> None:
    """The database refuses what this leaves to be written: a hold without a wallet."""
    unit.add_hold(
        Hold(
            id="nobodys",
            account="nobody",
            member="nobody",
            amount=0,
            purpose=PURPOSE,
            created_at=AT,
            expires_at=AT + timedelta(minutes=1),
        )
    )


def cannot_be_written(unit: Unit) -> None:
    """No error of the database's: what is to be changed is not there."""
    account = unit.lock([ADA])[ADA]
    unit.save_account(replace(account, id="user:nobody", name="nobody"))


def breaks_the_connection(unit: Unit) -> None:
    raise OperationalError("SELECT 1", {}, RuntimeError("the server went away"))


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (fails, Injected),
        (is_refused, IntegrityError),
        (cannot_be_written, (RuntimeError, DataError)),
        (breaks_the_connection, OperationalError),
    ],
)
def test_a_piece_that_fails_undoes_itself_alone(
    sql: SqlBooks, then: Callable[[Unit], None], told: type[Exception] | tuple[type[Exception], ...]
) -> None:
    for turn in range(3):
        works = [placing(sql, f"{turn}-{number}", then=then if number % 4 == 1 else None) for number in range(THREADS)]
        answers = at_once(works)
        for number, answer in enumerate(answers):
            if number % 4 == 1:
                assert isinstance(answer, told), answer
            else:
                assert answer == f"{turn}-{number}"
    good = {f"{turn}-{number}" for turn in range(3) for number in range(THREADS) if number % 4 != 1}
    assert held(sql) == (5 * len(good), good)


def test_the_same_id_in_one_transaction_fails_for_those_who_came_second(sql: SqlBooks) -> None:
    """Work that does not look first: the second of a batch breaks it, and each is then done alone."""
    answers = at_once([placing(sql, f"h{number % 16}") for number in range(THREADS)])
    good = [answer for answer in answers if isinstance(answer, str)]
    assert sorted(good) == sorted(f"h{number}" for number in range(16))
    assert all(isinstance(one, IntegrityError) for one in answers if not isinstance(one, str))
    assert held(sql) == (80, set(good))


def test_services_at_once_with_and_without_faults(sql: SqlBooks) -> None:
    """Real work: holds, their replays, captures of what is not there, too large amounts, others' wallets."""
    desk = desk_of(sql)

    def hold(name: str, *, amount: int = 5, payer: str | None = None) -> Callable[[], Any]:
        return lambda: services.hold(
            ACTOR,
            desk,
            hold_id=name,
            account="ada",
            amount=amount,
            purpose=PURPOSE,
            expires_in_seconds=60,
            payer=payer,
        )

    works: list[Callable[[], Any]] = []
    for number in range(8):
        works += [
            hold(f"h{number}"),
            hold(f"h{number}"),
            hold(f"refused-{number}", amount=10**9),
            hold(f"strange-{number}", payer="organisation:none"),
            lambda number=number: services.capture(ACTOR, desk, hold_id=f"no-{number}", amount=1, usage={}),  # type: ignore[misc]
        ]
    answers = at_once(works)
    kinds = [type(answer).__name__ for answer in answers]
    assert kinds == ["Placed", "Placed", "Refusal", "NoSuchWallet", "NoSuchHold"] * 8
    assert sum(answer.replayed for answer in answers if type(answer).__name__ == "Placed") == 8
    assert held(sql) == (40, {f"h{number}" for number in range(8)})


@pytest.mark.parametrize("where", ["prepare", "flush"])
def test_a_transaction_that_breaks_now_and_then_loses_nothing(
    sql: SqlBooks, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Every third transaction breaks, by an error of the database's or of ours, before or after the work."""
    true, count = getattr(SqlUnit, where), [0]
    guard = threading.Lock()

    def broken(self: SqlUnit, *given: Any, **more: Any) -> Any:
        with guard:
            count[0] += 1
            turn = count[0]
        if turn % 3 == 1:
            raise [OperationalError("SELECT 1", {}, RuntimeError("database is locked")), Injected()][
                turn % 2 if where == "prepare" else 0
            ]
        return true(self, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(SqlUnit, where, broken)
        for turn in range(4):
            answers = at_once([placing(sql, f"{turn}-{number}") for number in range(THREADS)])
            assert answers == [f"{turn}-{number}" for number in range(THREADS)]
    assert held(sql)[0] == 4 * THREADS * 5


# The batcher by itself


class Lanes:
    """What a batcher is given to do its pieces with: counts who is at it, and fails when told to."""

    def __init__(self, *, every: int = 0, error: type[BaseException] = Injected) -> None:
        self.lock = threading.Lock()
        self.at_it = self.most = self.calls = 0
        self.every, self.error = every, error
        self.sizes: list[int] = []

    def together(self, pieces: list[Piece]) -> None:
        with self.lock:
            self.at_it += 1
            self.calls += 1
            self.most = max(self.most, self.at_it)
            self.sizes.append(len(pieces))
            fails = self.every and self.calls % self.every == 0
        try:
            if fails:
                raise self.error
            for piece in pieces:
                piece.settle("done", None)
        finally:
            with self.lock:
                self.at_it -= 1


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("error", [Injected, KeyboardInterrupt])
def test_no_lane_is_lost_and_nobody_waits_for_ever(lanes: int, error: type[BaseException]) -> None:
    kept = Lanes(every=3, error=error)
    batcher = Batcher(kept.together, lanes=lanes)

    def work() -> str:
        piece = Piece(work=lambda unit: None, needs=Needs())
        try:
            batcher.do(piece)
        except error:
            return "raised"
        return "done" if piece.done else "alone"

    answers = [one for _ in range(10) for one in at_once([work] * THREADS)]
    assert set(answers) <= {"done", "alone", "raised"}
    assert len(answers) == 10 * THREADS
    # Who leads a transaction that fails is told; who shared it does the own piece alone.
    assert answers.count("raised") == kept.calls // 3
    assert kept.most <= lanes
    assert sum(kept.sizes) == 10 * THREADS
    assert (batcher._free_lanes, len(batcher._waiting)) == (lanes, 0)
    for _ in range(4):
        assert work() in {"done", "raised"}
