"""One wallet pays for a JupyterLab server, a Dask cluster started from it, and a run; each entry is metered use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_quota.catalogue import load_prices
from swath_quota.client import PurposeKind, price_usage

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ECHO = Path(__file__).parents[3] / "algorithms" / "echo" / "notebook.ipynb"


def test_one_wallet_pays_for_all_of_it(copy: Any, person: Callable[[str], Any], lab: Any, wait: Any) -> None:
    token = person("dana").sign_in().new_token()

    def ask(method: str, path: str, **sent: Any) -> Any:
        answer = httpx.request(
            method,
            f"{copy.url}services/{path}",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=60,
            **sent,
        )
        assert answer.is_success, answer.text
        return answer.json()

    given = ask("GET", "quota/wallet")["balance"]
    server = lab("dana", token)
    server.start()
    try:
        assert ask("GET", "quota/wallet")["held"] > 0, "the server's first hour"
        ask("POST", "marketplace/algorithms", json={"notebook": json.loads(ECHO.read_text())})
        told = server.answer(
            "import swath, dask\n"
            "with swath.cluster(1) as cluster, cluster.get_client() as client:\n"
            "    eight = client.submit(lambda: 8).result(timeout=60)\n"
            "run = swath.run('dana/echo')\n"
            "run.wait()\n"
            "answer = [eight, run.status]",
            seconds=180,
        )
        assert told == [8, "finished"]
    finally:
        server.stop()
    wait(lambda: ask("GET", "quota/wallet")["held"] == 0, seconds=90, what="everything is settled")

    charges = {charge["kind"]: charge for charge in ask("GET", "quota/wallet/charges")["charges"]}
    assert set(charges) == {"lab", "dask", "run"}
    entries = [one for one in ask("GET", "quota/wallet/entries")["entries"] if one["kind"] == "capture"]
    meters = {meter["hold_id"]: meter for meter in ask("GET", "quota/usage")["meters"]}
    prices = load_prices().lists[-1]
    for entry in entries:
        meter = meters.pop(entry["reference"])
        assert meter["final"]
        assert entry["amount"] == price_usage(prices, meter["usage"], PurposeKind(meter["kind"]))
    assert not meters, "nothing was used that was not charged"
    assert ask("GET", "quota/wallet")["balance"] == given - sum(entry["amount"] for entry in entries)
    audited = subprocess.run(
        [sys.executable, "-m", "swath_quota.audit"],
        env={**os.environ, "SWATH_DATA": str(copy.data)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert audited.returncode == 0, audited.stdout + audited.stderr
