"""The table of refusals: every limit of every tier is in it, and is what the service really answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from swath_quota.catalogue import load_tiers
from swath_quota.domain.limits import CREDITS
from swath_quota.refusals import Row, main, refusals

AT = datetime(2026, 5, 20, 12, 30, tzinfo=UTC)
FIRST = datetime(2026, 6, 1, tzinfo=UTC)
#: Those of users; the platform's own is asked for by nobody.
TIERS = [tier for tier in load_tiers().tiers if not tier.wallets]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return refusals(clock=lambda: AT)


def test_every_limit_of_every_tier_is_in_the_table(rows: list[Row]) -> None:
    wanted = {(tier.name, name) for tier in TIERS for name in tier.terms_on(AT.date()).by_name()}
    assert len(wanted) == 5 * 19
    assert [(row.tier, row.limit) for row in rows] == sorted(wanted, key=lambda pair: _place(pair))


def _place(pair: tuple[str, str]) -> tuple[int, str]:
    return ([tier.name for tier in TIERS].index(pair[0]), pair[1])


def test_each_is_refused_beyond_its_hard_limit_and_not_at_it(rows: list[Row]) -> None:
    limited = [row for row in rows if row.hard is not None]
    assert len(limited) > 75
    for row in limited:
        assert row.at_hard in {200, 201}, row
        assert (row.status, row.code) == (
            (402, "credits-exhausted") if row.limit == CREDITS else (429, "quota-exceeded")
        ), row
        assert row.message, row
        assert row.mend, row


def test_what_has_no_hard_limit_goes_on_degraded_where_it_is_soft(rows: list[Row]) -> None:
    free = {(row.tier, row.limit): row for row in rows if row.hard is None}
    assert all(row.status == 200 for row in free.values())
    assert free[("general", "transfer.bytes.30d")].code == "degraded"
    assert "1 MB/s on one connection" in free[("general", "transfer.bytes.30d")].message
    assert {row.code for key, row in free.items() if key != ("general", "transfer.bytes.30d")} == {"unrestricted"}


def test_each_says_when_it_next_fits(rows: list[Row]) -> None:
    for row in rows:
        if row.hard is None or row.limit == "api.requests.minute":
            continue
        if row.window == "calendar_month":
            assert row.next_at == FIRST.isoformat()
        elif row.window == "continuous":
            assert row.next_at is None
            assert row.retry_after_seconds is None
            assert "end something of yours" in row.mend
        else:
            assert row.next_at is not None
            assert row.seconds is not None
            # One more fits when one has drained.
            interval = timedelta(seconds=1) * row.seconds / row.hard
            wait = datetime.fromisoformat(row.next_at) - AT
            assert interval - timedelta(microseconds=1) <= wait <= interval + timedelta(microseconds=1)
            assert row.retry_after_seconds == max(1, -(-wait // timedelta(seconds=1)))
    doors = [row for row in rows if row.limit == "api.requests.minute"]
    assert len(doors) == 5
    assert all(row.next_at and row.retry_after_seconds == 1 for row in doors)


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(
        tier="general",
        limit="lab.cores",
        window="continuous",
        hard=4,
        soft=None,
        unit="core",
        seconds=None,
        at_hard=200,
        status=429,
        code="quota-exceeded",
        message="no",
        next_at=None,
        retry_after_seconds=None,
        mend="wait",
    )
    monkeypatch.setattr("swath_quota.refusals.refusals", lambda: [row])
    assert main([]) == 0
    assert "general               lab.cores" in capsys.readouterr().out
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["code"] == "quota-exceeded"
