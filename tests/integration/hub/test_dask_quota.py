"""Dask Gateway under a real hub, with what a user may have and what it costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_quota.client import Prices, price_run

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Periods that let a test see in seconds what takes minutes.
GATEWAY = """
if "DaskGateway" in c:
    c.MeteredBackend.upkeep_period = 1
    c.MeteredBackend.usage_report_period = 2
    c.MeteredBackend.cluster_heartbeat_period = 2
    c.MeteredBackend.credit_grace_seconds = 8
    c.MeteredBackend.worker_least_seconds = 5
"""

TIERS = {
    "format": 2,
    "default": "small",
    "tiers": [
        {
            "name": "small",
            "title": "Small",
            "description": "For these tests.",
            "terms": [
                {
                    "effective_on": "2023-11-01",
                    "monthly_credits": 100,
                    "weight": 1,
                    "limits": [
                        {"name": "dask.clusters", "window": "continuous", "unit": "cluster", "hard": 3},
                        {"name": "dask.cores", "window": "continuous", "unit": "core", "hard": 5},
                    ],
                }
            ],
        }
    ],
}

PRICEY = 1200.0
# So that the first hold is less than the wallet has.
SHORT = """
if "DaskGateway" in c:
    c.MeteredBackend.hold_ahead_seconds = 60
"""

# Runs lines of Python in one namespace, each answered with one line of JSON: a kernel without a server around it.
LOOP = """
import json, sys, warnings
warned, names = [], {}
warnings.simplefilter("always")
warnings.showwarning = lambda message, *_, **__: warned.append(str(message))
names["warned"] = warned
out, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    try:
        exec(json.loads(line), names)
        answer = {"answer": names.pop("answer", None)}
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {error}", "code": getattr(error, "code", "")}
    print(json.dumps(answer), file=out, flush=True)
"""


class Notebook:
    """Somebody's Python, signed in."""

    def __init__(self, copy: Any, token: str, *, per_cpu_hour: float) -> None:
        self.token, self.per_cpu_hour = token, per_cpu_hour
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(copy.data / "archive"),
            "SWATH_URL": copy.url,
            "SWATH_TOKEN": token,
            "SWATH_DASK_GATEWAY_PROXY": f"gateway://127.0.0.1:{copy.state['ports']['dask_scheduler']}",
        }
        self._errors = (copy.data / f"notebook-{token[:6]}.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
        )

    def run(self, code: str) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._errors.seek(0) or self._errors.read()
        told: dict[str, Any] = json.loads(line)
        return told

    def answer(self, code: str) -> Any:
        """What `code` leaves in `answer`."""
        told = self.run(code)
        assert "error" not in told, told
        return told["answer"]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@pytest.fixture
def start(
    second_copy: Any, person: Callable[[str], Any], wait: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Start a copy where a core's hour costs so much, and sit down at it."""
    with ExitStack() as stack:

        def begin(*names: str, per_cpu_hour: float = 1.5, config: str = "") -> list[Notebook]:
            prices = {
                "effective_on": date(2023, 11, 1).isoformat(),
                "credits_per_cpu_hour": per_cpu_hour,
                "credits_per_gb_hour": 0,
                "credits_per_batch_run": 2,
                "credits_per_sync_call": 6,
            }
            for kind, content in (("PRICES", {"format": 1, "prices": [prices]}), ("TIERS", TIERS)):
                # JSON is YAML.
                (tmp_path / f"{kind}.yaml").write_text(json.dumps(content))
                monkeypatch.setenv(f"SWATH_QUOTA_{kind}_FILE", str(tmp_path / f"{kind}.yaml"))
            (second_copy.data / "extra_config.py").write_text(GATEWAY + config)
            second_copy.options += ["--config", str(second_copy.data / "extra_config.py")]
            second_copy.start()
            someone = type(person("ada"))
            notebooks = []
            for name in names:
                token = wait(lambda name=name: _token(someone(second_copy, name)), what=f"{name} is signed in")
                notebook = Notebook(second_copy, token, per_cpu_hour=per_cpu_hour)
                stack.callback(notebook.close)
                notebook.answer("import swath, time")
                notebooks.append(notebook)
            return notebooks

        yield begin


def _token(person: Any) -> str:
    """A token, or nothing while the hub, which has just started, does not let anybody in yet."""
    answer = person.submit(person.copy.passcode(person.name))
    return str(person.new_token()) if answer.status_code == 200 else ""


def workers(notebook: Notebook, cluster: str) -> int:
    return int(notebook.answer(f"answer = len({cluster}.get_client().scheduler_info()['workers'])"))


def test_a_users_cores_are_shared_by_the_users_clusters(start: Any, second_copy: Any, wait: Any) -> None:
    ada, ben = start("ada", "ben")
    ada.answer("one = swath.cluster(2)")
    # Two schedulers and two workers are four of five cores: one worker of three, and a warning that says why.
    ada.answer("two = swath.cluster(3)")
    assert workers(ada, "two") == 1
    warned = ada.answer("answer = warned[:]; warned.clear()")
    text = next(one for one in warned if "quota-exceeded (dask.cores): you get 1 of 3 workers" in one)
    assert "you use 4 of 5 cores over your clusters" in text
    # The report of the cluster says it too.
    report = "answer = two.gateway.get_cluster(two.name).options"
    assert ada.answer(report)["notice"] == text
    # A third cluster has no room, though the limit of clusters is not reached.
    refused = ada.run("three = swath.cluster(1)")
    assert refused["code"] == "quota-exceeded"
    assert refused["error"].startswith("Refused: quota-exceeded (dask.cores): a cluster with one worker needs 2 cores;")
    # Somebody else has cores of their own.
    ben.answer("cluster = swath.cluster(4)")
    assert workers(ben, "cluster") == 4
    assert not ben.answer("answer = [one for one in warned if 'quota' in one]")

    # Adapting is held by the same limit, however much there is to do.
    ada.answer(
        "two.adapt(minimum=1, maximum=8); client = two.get_client();"
        "tasks = client.map(lambda i: __import__('time').sleep(1), range(400), pure=False)"
    )
    wait(lambda: "[count: 8," in second_copy.log(), what="the scheduler wants eight")
    seen = [workers(ada, "two")]
    for _ in range(3):
        seen.append(workers(ada, "two"))
        ada.answer("time.sleep(1)")
    assert max(seen) <= 1
    # What one cluster gives back, the other gets.
    ada.answer("one.scale(0)")
    wait(lambda: workers(ada, "two") == 3, seconds=60, what="the other cluster has grown into it")
    ada.answer("client.cancel(tasks); two.close(); one.close()")
    # One cluster after another is no trouble.
    ada.answer("three = swath.cluster(4)")
    assert workers(ada, "three") == 4


def test_a_cluster_whose_owner_has_no_credits_left_is_scaled_to_zero_and_closed(
    start: Any, second_copy: Any, wait: Any
) -> None:
    # Five cores are 1.7 credits a second here, and there are 100.
    (ada,) = start("ada", per_cpu_hour=PRICEY, config=SHORT)
    ada.answer("cluster = swath.cluster(4); name = cluster.name")
    assert workers(ada, "cluster") == 4
    assert _get(second_copy, ada, "wallet")["held"] > 0
    told = "your credits are used up, so the workers of this Dask cluster are stopped"
    wait(lambda: any(told in one for one in ada.answer("answer = warned")), seconds=120, what="it is told")
    wait(lambda: workers(ada, "cluster") == 0, seconds=30, what="the workers are gone")
    report = "r = cluster.gateway.get_cluster(name); answer = [r.status.name, r.options.get('notice')]"
    wait(lambda: ada.answer(report)[0] == "STOPPED", seconds=60, what="the cluster is closed")
    assert "was closed because your credits are used up" in ada.answer(report)[1]
    refused = ada.run("swath.cluster(1)")
    assert refused["code"] == "credits-exhausted"
    assert "a cluster's first hour is set aside" in refused["error"]
    wait(lambda: _get(second_copy, ada, "wallet")["held"] == 0, seconds=30, what="the hold is settled")
    _books_add_up(second_copy, ada, expected=1)


def test_after_a_restart_what_lives_goes_on_and_what_died_is_settled(start: Any, second_copy: Any, wait: Any) -> None:
    (ada,) = start("ada")
    ada.answer("one = swath.cluster(1); two = swath.cluster(1)")
    one, two = (ada.answer(f"answer = {name}.name") for name in ("one", "two"))
    before = _account(second_copy, one)
    second_copy.swath("down", "--keep")
    died = json.loads(
        (second_copy.data / "hub" / "clusters" / two / "wardens" / "scheduler" / "warden.json").read_text()
    )
    os.kill(died["pid"], signal.SIGKILL)
    last_known = _account(second_copy, two)["usage"]
    second_copy.start()
    wait(lambda: _account(second_copy, two)["phase"] == "settled", seconds=60, what="the dead one is settled")
    assert _account(second_copy, two)["usage"] == last_known
    assert ada.answer("answer = one.get_client().submit(lambda: 8, pure=False).result(timeout=60)") == 8
    after = _account(second_copy, one)
    assert (after["phase"], after["chapter"]) == ("live", 1)
    assert after["usage"]["cpu_seconds"] > before["usage"]["cpu_seconds"]
    ada.answer("one.close()")
    wait(lambda: _get(second_copy, ada, "wallet")["held"] == 0, seconds=60, what="the holds are settled")
    _books_add_up(second_copy, ada, expected=2)


def _account(copy: Any, cluster: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((copy.data / "hub" / "dask-accounts" / f"{cluster}.json").read_text())
    return found


def _get(copy: Any, notebook: Any, path: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {notebook.token}"}
    answer = httpx.get(f"{copy.url}services/quota/{path}", headers=headers, trust_env=False, timeout=20)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _books_add_up(copy: Any, notebook: Any, *, expected: int) -> None:
    """What was captured is what the usage stream tells, at the price of the list; and the books are in order."""
    entries = [entry for entry in _get(copy, notebook, "wallet/entries")["entries"] if entry["kind"] == "capture"]
    meters = {meter["hold_id"]: meter for meter in _get(copy, notebook, "usage")["meters"]}
    assert len(entries) == len(meters) == expected
    per_cpu_hour = round(notebook.per_cpu_hour * 1000)
    prices = Prices(
        effective_on=date(2023, 11, 1), per_cpu_hour=per_cpu_hour, per_gb_hour=0, per_batch_run=0, per_sync_call=0
    )
    for entry in entries:
        meter = meters[entry["reference"]]
        used = {name: meter["usage"][name] for name in ("cpu_seconds", "memory_mb_seconds")}
        assert entry["amount"] == min(meter["amount"], price_run(prices, **used, batch=False))
        assert meter["final"]
    audited = subprocess.run(
        [sys.executable, "-m", "swath_quota.audit"],
        env={**os.environ, "SWATH_DATA": str(copy.data)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert audited.returncode == 0, audited.stdout + audited.stderr
