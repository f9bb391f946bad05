from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest
from swath_quota.api.errors import STATUSES
from swath_quota.client import FakeQuotaClient, Hold, HttpQuotaClient, Purpose, PurposeKind, QuotaClient, Refusal
from swath_quota.domain import errors
from swath_service.errors import Invalid, SwathError
from swath_service.problems import status_of

PROBE = """
import json, sys
import {module}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("swath_quota.client", {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "pydantic", "uvicorn", "psycopg"}),
        (
            "swath_quota.domain.holds, swath_quota.domain.ledger, swath_quota.domain.invariants, swath_quota.services",
            {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "pydantic", "httpx", "yaml"},
        ),
    ],
)
def test_what_an_import_brings_along(module: str, never: set[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)], capture_output=True, text=True, check=True
    )
    assert not set(json.loads(told.stdout)) & never


def test_every_error_has_a_status_and_a_code_of_its_own() -> None:
    own = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__} - {
        errors.Codes
    }
    assert own == set(STATUSES) == set(errors.Codes.TYPES.values())
    for code, kind in errors.Codes.TYPES.items():
        assert f"``{code}``" in (kind.__doc__ or "")
        assert 400 <= status_of(kind(code=code, message=""), STATUSES) < 500


@pytest.mark.parametrize("client", [FakeQuotaClient, HttpQuotaClient])
def test_clients_have_the_protocols_verbs_and_arguments(client: type) -> None:
    for name, promised in inspect.getmembers(QuotaClient, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(client, name)) == inspect.signature(promised), name


def test_every_fault_of_a_request_is_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        FakeQuotaClient().hold(
            hold_id="a/b",
            account=" ada\n",
            amount=-1,
            purpose=Purpose(kind=PurposeKind.RUN, reference=""),
            expires_in_seconds=0,
        )
    assert {finding["field"] for finding in caught.value.findings} == {
        "hold_id",
        "account",
        "amount",
        "purpose.reference",
        "expires_in_seconds",
    }
    assert all(finding["mend"] for finding in caught.value.findings)


def test_the_fake_can_be_down_and_does_nothing_then() -> None:
    fake = FakeQuotaClient()
    fake.down = True
    purpose = Purpose(kind=PurposeKind.RUN, reference="r")
    with pytest.raises(SwathError) as caught:
        fake.hold(hold_id="h", account="ada", amount=1, purpose=purpose, expires_in_seconds=9)
    assert caught.value.code == "quota-unreachable"
    fake.down = False
    assert fake.get_hold("h") is None


def test_a_refusal_names_what_is_needed_and_left() -> None:
    fake = FakeQuotaClient()
    purpose = Purpose(kind=PurposeKind.RUN, reference="r")
    assert isinstance(
        fake.hold(hold_id="a", account="ada", amount=4_500_250, purpose=purpose, expires_in_seconds=60), Hold
    )
    no = fake.hold(hold_id="b", account="ada", amount=10_000_000, purpose=purpose, expires_in_seconds=60)
    assert isinstance(no, Refusal)
    assert no.message == (
        "10,000 credits are needed and 5,499.75 are available (4,500.25 are held for what is running)"
    )
