"""The arithmetic of added value: whatever the figures, the parts sum and nobody gets more than there is."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from swath_quota.catalogue import load_splits
from swath_quota.domain.accounts import ISSUER, platform_of
from swath_quota.domain.added_value import (
    AddedValue,
    Per,
    Shares,
    Split,
    Splits,
    divide,
    part_of,
    price_added,
    share_out,
)
from swath_quota.domain.earning import PAYOUTS, RESEARCH, author_of, fees_of, refund_legs
from swath_quota.domain.errors import NoSuchSplit
from swath_quota.domain.ledger import signed

AMOUNTS = st.integers(0, 10**12)
SHARES = st.integers(2, 100)
DISCOUNTS = st.integers(0, 99)


@given(resources=AMOUNTS, added=AMOUNTS, discount=DISCOUNTS, share=SHARES, held=AMOUNTS)
@example(resources=0, added=1, discount=99, share=2, held=10)
@example(resources=5, added=10**12, discount=50, share=100, held=6)
def test_the_parts_sum_exactly(resources: int, added: int, discount: int, share: int, held: int) -> None:
    made = divide(resources=resources, added=added, discount=discount, share=share, held=held)
    due = resources + added - added * discount // 100
    assert made.captured == min(due, held), "the payer pays what is due, and never more than is held"
    assert made.captured + made.discount == made.resources + made.author + made.fee, "debits are credits"
    assert made.author == made.earned * share // 100, "the author's part is rounded down"
    assert made.earned <= added
    if due <= held:
        assert (made.resources, made.earned) == (resources, added), "the author's part is that of the whole price"
    if made.earned:
        assert made.captured > 0, "what is earned has a payer"


@given(added=AMOUNTS, share=SHARES, discount=DISCOUNTS)
def test_a_discount_costs_the_author_nothing(added: int, share: int, discount: int) -> None:
    whole = divide(resources=0, added=added, discount=0, share=share, held=10**13)
    less = divide(resources=0, added=added, discount=discount, share=share, held=10**13)
    assert (less.author, less.fee) == (whole.author, whole.fee)
    assert less.captured == whole.captured - added * discount // 100


@pytest.mark.parametrize(
    ("share", "added", "author", "fee"),
    [(2, 1000, 20, 980), (2, 49, 0, 49), (2, 50, 1, 49), (100, 1000, 1000, 0), (100, 1, 1, 0), (2, 0, 0, 0)],
)
def test_the_edges_of_the_split(share: int, added: int, author: int, fee: int) -> None:
    made = divide(resources=2000, added=added, discount=0, share=share, held=10_000)
    assert (made.author, made.fee) == (author, fee)


@given(resources=AMOUNTS, added=AMOUNTS, discount=DISCOUNTS, share=SHARES, held=AMOUNTS, data=st.data(), left=AMOUNTS)
def test_a_refund_takes_back_what_was_given_and_balances(
    resources: int, added: int, discount: int, share: int, held: int, data: Any, left: int
) -> None:
    made = divide(resources=resources, added=added, discount=discount, share=share, held=held)
    if not made.captured:
        return
    amount = data.draw(st.integers(1, made.captured))
    back = part_of(made, amount=amount)
    assert back.captured == amount
    for name in ("resources", "added", "discount", "author", "fee"):
        assert getattr(back, name) <= getattr(made, name), name
    if amount == made.captured:
        assert back == made
    payer = "user:bob"
    balances = {author_of("ada"): min(left, made.author), fees_of(payer): made.fee, platform_of(payer): left}
    legs = {
        leg.account_id: signed(leg.direction, leg.amount)
        for leg in refund_legs(back, author="ada", payer=payer, balances=balances)
    }
    assert sum(legs.values()) == 0
    assert legs[payer] == amount
    assert legs.get(RESEARCH, 0) == back.discount
    assert all(balances[name] + change >= 0 for name, change in legs.items() if name in balances)
    assert legs.get(author_of("ada"), 0) == -min(back.author, balances[author_of("ada")])
    if left >= back.captured + back.discount:
        assert ISSUER not in legs, "while the platform has it, nothing is issued anew"


@given(
    per=st.sampled_from(Per),
    price=st.integers(1, 10**9),
    usage=st.fixed_dictionaries(
        {}, optional={name: st.floats(0, 1e9) for name in ("runs", "area_km2", "cpu_seconds", "wall_seconds")}
    ),
    more=st.floats(0, 1e6),
)
def test_more_usage_never_costs_less(per: Per, price: int, usage: dict[str, float], more: float) -> None:
    raised = {name: value + more for name, value in usage.items()}
    assert 0 <= price_added(per, price, usage) <= price_added(per, price, raised)


def test_each_way_of_asking_has_its_quantity() -> None:
    usage = {"runs": 1.0, "area_km2": 2.5, "cpu_seconds": 1800.0, "wall_seconds": 9.0}
    assert [price_added(per, 1001, usage) for per in (Per.RUN, Per.KM2, Per.CPU_HOUR)] == [1001, 2503, 501]
    assert [price_added(per, 1001, {}) for per in Per] == [0, 0, 0], "what was not delivered is not paid"


def test_terms_survive_their_json() -> None:
    terms = AddedValue(
        author="ada", per=Per.KM2, millicredits=5, maturity="verified", split_version="2026-01-01", discount=20
    )
    assert AddedValue.from_dict(terms.as_dict()) == terms
    made = share_out(terms, resources=100, usage={"area_km2": 10.0}, share=50, held=1000)
    assert made == Shares(resources=100, added=40, discount=10, author=25, fee=25)
    assert Shares(**made.as_dict()) == made
    with pytest.raises(ValueError, match="sum"):
        Shares(resources=1, added=5, discount=0, author=3, fee=1)


def test_the_shipped_split() -> None:
    split = load_splits().on(date(2026, 5, 20))
    assert split.shares == {"verified": 2, "validated": 50, "operational": 100}
    assert split.discount(tier="local", categories=frozenset({"research"})) == 50
    assert split.discount(tier="local", categories=frozenset({"research", "paid"})) == 0, "such grants alone"
    assert split.discount(tier="local", categories=frozenset()) == 0


def test_the_better_discount_counts_and_old_splits_are_kept() -> None:
    old = Split(effective_on=date(2025, 1, 1), shares={"verified": 2}, tier_discounts={"lab": 30}, grant_discounts={})
    new = Split(
        effective_on=date(2026, 1, 1),
        shares={"verified": 4},
        tier_discounts={"lab": 30},
        grant_discounts={"research": 50, "paid": 10},
    )
    splits = Splits(lists=(old, new))
    assert splits.on(date(2024, 1, 1)) == splits.on(date(2025, 12, 31)) == splits.version("2025-01-01") == old
    assert splits.on(date(2026, 1, 1)) == new
    assert new.discount(tier="lab", categories=frozenset({"research"})) == 50
    assert new.discount(tier="lab", categories=frozenset({"research", "paid"})) == 30
    with pytest.raises(NoSuchSplit):
        splits.version("2020-01-01")


@pytest.mark.parametrize("wrong", [{"shares": {"verified": 1}}, {"tier_discounts": {"x": 100}}])
def test_a_split_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    said: dict[str, Any] = {"effective_on": date(2025, 1, 1), "shares": {}, "tier_discounts": {}, "grant_discounts": {}}
    with pytest.raises(ValueError, match="percent"):
        Split(**{**said, **wrong})


def test_what_is_paid_out_is_an_issuers() -> None:
    assert PAYOUTS == "issuer:payouts"
    assert RESEARCH == "issuer:research"
