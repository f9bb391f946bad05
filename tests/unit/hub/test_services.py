"""What each managed service is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from swath_hub import ports, services
from swath_hub.settings import HubSettings
from swath_hub.state import State


@pytest.fixture
def managed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "operator's own")
    monkeypatch.setenv("SWATH_QUOTA_DATABASE_URL", "postgresql+psycopg://q:word@db/quota")
    settings = HubSettings(data=str(tmp_path), archive="/data/eo")
    settings.folder.create()
    state = State(ports={name: 20_000 + at for at, name in enumerate(["public", *ports.INTERNAL])})
    return {service["name"]: service for service in services.managed_services(settings, state)}


def test_who_stands_beside_the_hub(managed: dict[str, dict[str, object]]) -> None:
    assert set(managed) == {"quota", "marketplace", "archive", "dask-gateway", "idle-culler", "lab"}
    assert not [name for name, service in managed.items() if service.get("admin")]


def test_nothing_of_the_operators_environment_gets_in(managed: dict[str, dict[str, object]]) -> None:
    for name, service in managed.items():
        assert "operator's own" not in json.dumps(service.get("environment", {})), name


def test_a_services_own_setting_reaches_it_alone(managed: dict[str, dict[str, object]]) -> None:
    import os

    holders = [name for name, service in managed.items() if "postgresql" in json.dumps(service.get("environment", {}))]
    assert holders == ["quota"]
    # What the hub starts by itself, such as the proxy, inherits its environment.
    assert "SWATH_QUOTA_DATABASE_URL" not in os.environ


def test_secrets_of_one_service_stay_with_it(managed: dict[str, dict[str, object]], tmp_path: Path) -> None:
    for name, kept in (
        ("dask-gateway", "dask-proxy-token"),
        ("dask-gateway", "dask-database-key"),
        ("lab", "lab-quota-token"),
    ):
        value = (tmp_path / "secrets" / kept).read_text().strip()
        holders = [other for other, service in managed.items() if value in json.dumps(service)]
        assert holders == [name]


def test_a_session_in_a_browser_only_reads(managed: dict[str, dict[str, object]]) -> None:
    """With its cookie. The marketplace's pages act by authorities of their own (`test_forms`, `test_page_keys`)."""
    # An operator's session also reads what is others'.
    acts = [f"custom:swath:{scope}" for scope in ("execute", "publish", "oversee")]
    more = {"quota": ["custom:swath:oversee"], "marketplace": acts}
    for name in ("quota", "marketplace", "archive", "dask-gateway"):
        others = more.get(name, [])
        allowed = ["custom:swath:read", *others, f"access:services!service={name}"]
        assert managed[name]["oauth_client_allowed_scopes"] == allowed


def test_the_hub_lists_the_services_that_have_pages(managed: dict[str, dict[str, object]]) -> None:
    assert [name for name, service in managed.items() if service["display"]] == ["quota", "marketplace"]


def test_the_archive_an_operator_named_is_the_runs_archive(managed: dict[str, dict[str, object]]) -> None:
    environment = managed["marketplace"]["environment"]
    assert isinstance(environment, dict)
    assert environment["SWATH_MARKETPLACE_ARCHIVE"] == "/data/eo"


def test_the_gateway_knows_where_clusters_are_paid(managed: dict[str, dict[str, object]]) -> None:
    gateway, marketplace = managed["dask-gateway"]["environment"], managed["marketplace"]["environment"]
    assert isinstance(gateway, dict)
    assert isinstance(marketplace, dict)
    assert gateway["SWATH_QUOTA_URL"] == marketplace["SWATH_QUOTA_URL"]


def test_no_culler_without_a_timeout(tmp_path: Path) -> None:
    settings = HubSettings(data=str(tmp_path), idle_timeout_seconds=0)
    settings.folder.create()
    state = State(ports={name: 20_000 + at for at, name in enumerate(["public", *ports.INTERNAL])})
    assert "idle-culler" not in {service["name"] for service in services.managed_services(settings, state)}
