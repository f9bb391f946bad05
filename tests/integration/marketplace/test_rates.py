"""The doors of marketplace and archive as their bootstraps build them: counted, by what quota says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from swath_archive import bootstrap as archive
from swath_marketplace import bootstrap as marketplace
from swath_marketplace.testing import PREFIX, FakeIdentity, given_up, user
from swath_quota.client import FakeQuotaClient
from swath_sandbox import Allow
from swath_service.rate_policies import RatePolicy
from swath_service.rates import policies_of

pytestmark = pytest.mark.integration
ADA = {"Authorization": "Bearer ada"}


@contextmanager
def served(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of `app` behind a real server on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


def test_starts_of_runs_have_the_rate_of_the_callers_tier(tmp_path: Path) -> None:
    quota = FakeQuotaClient()
    quota.override(
        override_id="o",
        subject="ada",
        limit="runs.starts.minute",
        hard=1,
        reason="to be refused",
        ends_at=datetime.now(UTC) + timedelta(hours=1),
    )
    settings = marketplace.Settings(SWATH_DATA=tmp_path, SWATH_ALLOW_NO_CGROUPS=Allow.NO_CGROUPS in given_up())
    identity = FakeIdentity({"ada": user("ada")})
    app = marketplace.build(settings, quota=quota, identity=identity, prefix=PREFIX)
    with served(app) as client:
        first = client.post(f"{PREFIX}runs", headers=ADA, json={})
        assert first.status_code == 422
        assert first.headers["ratelimit-policy"] == '"api";q=6000;w=60, "runs";q=1;w=60'
        no = client.post(f"{PREFIX}runs", headers=ADA, json={})
        assert (no.status_code, no.json()["limit_name"]) == (429, "runs.starts.minute")
        assert 1 <= int(no.headers["retry-after"]) <= 60
        assert client.get(f"{PREFIX}runs", headers=ADA).status_code == 200
        assert "ratelimit" not in client.get(f"{PREFIX}health").headers


def test_the_archives_door_is_counted(tmp_path: Path) -> None:
    settings = archive.Settings(SWATH_DATA=tmp_path)
    policies = policies_of({"api": RatePolicy(quota=2, window_seconds=6000)})
    app = archive.build(settings, identity=FakeIdentity({"ada": user("ada")}), prefix="/a/", policies=policies)
    with served(app) as client:
        assert [client.get("/a/", headers=ADA).status_code for _ in range(3)] == [200, 200, 429]
