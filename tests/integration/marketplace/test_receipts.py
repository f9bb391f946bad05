"""A real notebook in the real sandbox leaves a receipt that holds, and cannot reach what it is signed with."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath.client.credentials import Credentials
from swath.client.http import Api
from swath.client.runs import get_run
from swath.client.trust import Pins
from swath.client.verifying import Verdict, Verifier
from swath.contract.receipts import Bundle, check_bundle
from swath.contract.signing_keys import KeySet
from swath.signatures import verify
from swath_marketplace.testing import notebook

pytestmark = pytest.mark.integration

SMALL = {"memory_mb": 512, "wall_seconds": 120}
LOOK = """
import pathlib, swath
found = []
for place in PLACES:
    try:
        found += [str(path) for path in pathlib.Path(place).rglob('*.pem')]
    except OSError:
        pass
swath.emit('double', {'value': 2 * n, 'keys': [one for one in found if 'marketplace' in one]})
"""


def run(client: httpx.Client, algorithm: str, *, seconds: float = 120) -> dict[str, Any]:
    made = client.post("runs", json={"algorithm": algorithm, "parameters": {"n": 4}})
    assert made.status_code == 201, made.text
    deadline = time.monotonic() + seconds
    while True:
        told: dict[str, Any] = client.get(f"runs/{made.json()['id']}").json()
        if told["status"] in {"finished", "error", "canceled"}:
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def test_a_receipt_of_a_real_run_survives_kill_and_restart(own_stack: Any, tmp_path: Path) -> None:
    look = LOOK.replace("PLACES", repr([str(own_stack.data), str(own_stack.data / "marketplace" / "keys")]))
    with own_stack.client("ada") as ada, own_stack.client("bob") as bob:
        assert ada.post("algorithms", json={"notebook": notebook(look, resources=SMALL)}).status_code == 201
        done = run(bob, "ada/double")
        assert done["status"] == "finished", done
        content = bob.get(f"runs/{done['id']}/receipt").content
        published = bob.get("receipts/keys").content
        result = bob.get(f"runs/{done['id']}/results/double")
        assert result.json() == {"value": 8, "keys": []}, "the notebook sees no private key"
    keys = KeySet.from_bytes(published, verify)
    believed = check_bundle(Bundle.from_bytes(content), keys, verify)
    stated = {output.name: output.sha256 for output in believed.statement.outputs}
    assert stated == {output["name"]: output["sha256"] for output in done["outputs"]}
    assert stated["double"] == hashlib.sha256(result.content).hexdigest()
    assert {"notebook", "notebook-html"} <= set(stated)
    assert believed.statement.executor == "local"
    assert believed.statement.cost_millicredits == done["cost_millicredits"]

    own_stack.kill("marketplace")
    own_stack.start("marketplace")
    with own_stack.client("bob") as bob:
        assert bob.get("receipts/keys").content == published
        again = Bundle.from_bytes(bob.get(f"runs/{done['id']}/receipt").content)
        assert again.receipt == Bundle.from_bytes(content).receipt
        assert run(bob, "ada/double")["status"] == "finished"

    with_token = Credentials(url=own_stack.url("marketplace").partition("services/")[0], token="bob", source="the test")
    api, pins = Api(with_token), Pins(tmp_path / "trust.json")
    file = get_run(api, done["id"]).results["double"].download(tmp_path / "double.json")
    found = Verifier(api=api, pins=pins).file(file)
    assert found.ok, found
    file.write_bytes(result.content.replace(b"8", b"9"))
    assert Verifier(api=api, pins=pins).file(file).verdict is Verdict.REFUSED
    api.close()
