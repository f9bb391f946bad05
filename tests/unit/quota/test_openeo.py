"""Billing shapes against the openEO API 1.2, whose schemas are written down here by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from swath_quota.catalogue import load_tiers
from swath_quota.domain import openeo

NUMBER = {"type": "number"}
BILLING = {
    "type": "object",
    "required": ["currency"],
    "properties": {
        "currency": {"type": ["string", "null"]},
        "default_plan": {"type": "string"},
        "plans": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "description", "paid"],
                "properties": {
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "paid": {"type": "boolean"},
                    "url": {"type": "string"},
                },
            },
        },
    },
}
ME = {
    "type": "object",
    "required": ["user_id"],
    "properties": {
        "user_id": {"type": "string", "pattern": r"^[\w\-\.~]+$"},
        "budget": {"type": ["number", "null"]},
        "default_plan": {"type": "string"},
        "storage": {
            "type": ["object", "null"],
            "required": ["free", "quota"],
            "properties": {"free": {"type": "integer"}, "quota": {"type": "integer"}},
        },
    },
}
METRIC = {
    "type": "object",
    "required": ["value", "unit"],
    "additionalProperties": False,
    "properties": {"value": {"type": "number", "minimum": 0}, "unit": {"type": "string"}},
}
JOB = {
    "type": "object",
    "required": ["costs", "usage"],
    "properties": {
        "costs": {"type": ["number", "null"], "minimum": 0},
        "usage": {
            "type": "object",
            "properties": dict.fromkeys(("cpu", "memory", "duration", "network", "disk", "storage"), METRIC),
            "additionalProperties": METRIC,
        },
    },
}
ESTIMATE = {
    "type": "object",
    "anyOf": [{"required": [name]} for name in ("costs", "duration", "size")],
    "properties": {
        "costs": {"type": ["number", "null"], "minimum": 0},
        "duration": {
            "type": "string",
            "pattern": r"^P(?=[0-9T])([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
        },
        "size": {"type": "integer", "minimum": 0},
        "downloads_included": {"type": ["integer", "null"]},
        "expires": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    },
}
USED = {
    "cpu_seconds": 5099.0,
    "memory_mb_seconds": 13_400_773.0,
    "wall_seconds": 1800.0,
    "transfer_mb": 2.0,
    "storage_mb": 40.0,
    "worker_seconds": 9.0,
}


def fits(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert [fault.message for fault in Draft202012Validator(schema).iter_errors(value)] == []


def test_plans_are_the_tiers() -> None:
    tiers = load_tiers()
    told = openeo.billing(tiers)
    fits(told, BILLING)
    assert told["currency"] == "credits"
    assert [plan["name"] for plan in told["plans"]] == [tier.name for tier in tiers.tiers if not tier.wallets]
    # openEO compares plans without regard to case, so they must differ in more.
    assert len({plan["name"].lower() for plan in told["plans"]}) == len(told["plans"])
    assert told["default_plan"] in {plan["name"] for plan in told["plans"]}


def test_me_tells_money_and_room() -> None:
    told = openeo.me(
        user_id="ada", available=8_500, tier="general", storage_free_bytes=2**30, storage_quota_bytes=10 * 2**30
    )
    fits(told, ME)
    assert told == {
        "user_id": "ada",
        "budget": 8.5,
        "default_plan": "general",
        "storage": {"free": 2**30, "quota": 10 * 2**30},
    }
    without = openeo.me(user_id="ada", available=-5, tier="general")
    fits(without, ME)
    assert (without["budget"], "storage" in without) == (0, False)


def test_a_job_tells_costs_and_usage_with_units() -> None:
    told = openeo.job_costs(charged=7760, refunded=0, used=USED)
    fits(told, JOB)
    assert told["costs"] == 7.76
    assert told["usage"] == {
        "cpu": {"value": 5099.0, "unit": "cpu-seconds"},
        "memory": {"value": 13_400_773.0, "unit": "mb-seconds"},
        "duration": {"value": 1800.0, "unit": "seconds"},
        "network": {"value": 2048.0, "unit": "kb"},
        "storage": {"value": 40.0, "unit": "mb"},
    }
    assert openeo.job_costs(charged=7760, refunded=7760, used={})["costs"] == 0


@given(
    most=st.integers(0, 10**12),
    duration=st.none() | st.floats(0, 1e8),
    size=st.none() | st.integers(0, 2**50),
    expires=st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_an_estimate_fits(most: int, duration: float | None, size: int | None, expires: datetime | None) -> None:
    fits(openeo.estimate(most=most, duration_seconds=duration, size_bytes=size, expires_at=expires), ESTIMATE)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "PT0S"), (0.2, "PT1S"), (61, "PT1M1S"), (86400, "P1D"), (90061, "P1DT1H1M1S"), (1800, "PT30M")],
)
def test_durations(seconds: float, text: str) -> None:
    assert openeo.iso_duration(seconds) == text


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (openeo.PAYMENT_REQUIRED, "PaymentRequired", 402),
        (openeo.BUDGET_INVALID, "BudgetInvalid", 400),
        (openeo.PLAN_INVALID, "BillingPlanInvalid", 400),
        (openeo.PLAN_MISSING, "BillingPlanMissing", 400),
        (openeo.STORAGE_EXCEEDED, "StorageQuotaExceeded", 400),
    ],
)
def test_errors_are_those_of_the_standards_list(error: openeo.OpenEOError, code: str, status: int) -> None:
    assert (error.code, error.status) == (code, status)
    assert error.message.endswith(".")


def test_refusals_have_a_name_there() -> None:
    assert openeo.ERRORS["credits-exhausted"].code == "PaymentRequired"
    assert openeo.ERRORS["budget-too-small"].code == "BudgetInvalid"


def test_a_plan_is_ones_own_or_none() -> None:
    tiers = load_tiers()
    (one,) = tiers.tiers[:1]
    other = replace(one, name="other")
    tiers = replace(tiers, default=one.name, tiers=(one, other))
    names = [one.name, other.name]
    assert openeo.checked_plan(names[0].upper(), tiers, own=names[0]) is None
    assert openeo.checked_plan(names[1], tiers, own=names[0]) is openeo.PLAN_INVALID
    assert openeo.checked_plan("gold", tiers, own="gold") is openeo.PLAN_INVALID
    assert openeo.checked_plan(None, tiers, own=names[0]) is None
    assert openeo.checked_plan(None, tiers, own=names[0], needed=True) is openeo.PLAN_MISSING


@pytest.mark.parametrize("budget", [None, 2, 2.5, 2.0])
def test_a_budget_that_covers_it(budget: float | None) -> None:
    assert openeo.checked_budget(budget, needed=2000) is None


@pytest.mark.parametrize("budget", [1.999, 0, -1, "5", True, float("nan")])
def test_a_budget_that_does_not(budget: object) -> None:
    assert openeo.checked_budget(budget, needed=2000) is openeo.BUDGET_INVALID


def test_the_header_of_a_synchronous_result() -> None:
    assert openeo.costs_header(6000) == {"OpenEO-Costs": "6"}
    assert openeo.costs_header(1_234_567_891) == {"OpenEO-Costs": "1234567.891"}
