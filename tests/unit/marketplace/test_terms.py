"""Weights and concurrency come from quota, and no trouble of quota's stops or slows the queue."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from swath_marketplace.domain.fairness import Terms
from swath_marketplace.services.terms import TermsBook, terms_of
from swath_service.errors import Unavailable


def standing(weight: float = 1.0, concurrent: int | None = 2) -> Any:
    """As `swath_quota.client.Standing`."""
    limit = SimpleNamespace(name="runs.concurrent", hard=concurrent)
    return SimpleNamespace(weight=weight, limit=lambda name: limit if name == "runs.concurrent" else None)


class Quota:
    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def standing(self, account: str) -> Any:
        self.asked.append(account)
        self.gate.wait(10)
        answer = self.answers[account]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def quota() -> Quota:
    return Quota()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(quota: Quota, clock: Clock) -> TermsBook:
    return TermsBook(quota.standing, monotonic=clock, patience=5)


def settle(book: TermsBook) -> None:
    """Wait until whatever was asked in the background is answered."""
    book._pool.submit(lambda: None).result(10)


def test_they_are_told_at_first_sight_and_kept(quota: Quota, book: TermsBook, clock: Clock) -> None:
    quota.answers = {"ada": standing(2.5, 7), "bob": standing(0.1, None)}
    assert book.of(["ada", "bob"]) == {"ada": Terms(weight=2.5, concurrent=7), "bob": Terms(weight=0.1)}
    clock.now = 59
    book.of(["ada"])
    assert quota.asked == ["ada", "bob"]


def test_old_ones_are_used_while_new_ones_are_fetched(quota: Quota, book: TermsBook, clock: Clock) -> None:
    quota.answers = {"ada": standing(2)}
    book.of(["ada"])
    quota.answers = {"ada": standing(0.5)}
    clock.now = 61
    assert book.of(["ada"])["ada"].weight == 2
    settle(book)
    assert book.of(["ada"])["ada"].weight == 0.5


def test_a_silent_quota_is_asked_once_and_not_waited_for_again(quota: Quota, book: TermsBook, clock: Clock) -> None:
    quota.answers = dict.fromkeys("abc", Unavailable(code="quota-unreachable", message="m", mend="m"))
    assert book.of("abc") == {}
    assert book.of("abc") == {}
    assert quota.asked == ["a"]
    clock.now = 16
    quota.answers = {name: standing(3) for name in "abc"}
    assert book.of("abc") == dict.fromkeys("abc", Terms(weight=3, concurrent=2))


def test_a_slow_quota_holds_nobody_up(quota: Quota, clock: Clock) -> None:
    book = TermsBook(quota.standing, monotonic=clock, patience=0)
    quota.answers = {"ada": standing(2)}
    quota.gate.clear()
    assert book.of(["ada"]) == {}
    quota.gate.set()
    settle(book)
    assert book.of(["ada"]) == {"ada": Terms(weight=2, concurrent=2)}


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_weight_is_not_believed(quota: Quota, book: TermsBook, weight: float) -> None:
    with pytest.raises(ValueError, match="no weight"):
        terms_of(standing(weight))
    quota.answers = {"ada": standing(weight)}
    assert book.of(["ada"]) == {}


def test_a_client_that_knows_no_standings_leaves_all_equal() -> None:
    assert TermsBook(None).of(["ada"]) == {}
