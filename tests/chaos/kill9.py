"""``kill -9`` at random of marketplace, quota, wardens, runners and kernels, during a load of short runs.

    python tests/chaos/kill9.py --kills 200

Afterwards every run that was accepted must have ended truthfully: none lost, none started twice, none charged twice, no
process left behind, the ledger balanced, a receipt that holds for each that finished. Ends with 0 only then, and prints
what was seen. The seed is printed; the kill points depend on timing, too.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from swath.contract.envelopes import Untrusted
from swath.contract.receipts import Bundle, check_bundle
from swath.contract.signing_keys import KeySet
from swath.signatures import verify

sys.path.insert(0, str(Path(__file__).parent))
from plain_swath import PlainSwath

USERS = ["cal", "dee", "eve", "fay"]
#: What a short run does: a little work in two cells, a file that says that it ran, an output.
CELLS = (
    "import time, uuid\nfrom pathlib import Path\nimport swath\ntime.sleep(pause)",
    "swath.emit('value', {'double': 2 * n, 'mark': uuid.uuid4().hex})",
)
PARAMETERS = "# A number\nn: int = 1\n# Seconds to wait\npause: float = 0.2"


def notebook() -> dict[str, Any]:
    def cell(name: str, source: str, *tags: str) -> dict[str, Any]:
        return {
            "cell_type": "code",
            "id": name,
            "metadata": {"tags": list(tags)} if tags else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }

    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "swath": {
                "name": "short",
                "title": "A short run",
                "summary": "For the load under which processes are killed",
                "license": "Apache-2.0",
                "version": "1.0.0",
                "resources": {"cpus": 0.5, "memory_mb": 512, "wall_seconds": 60},
            },
        },
        "cells": [cell("params", PARAMETERS, "parameters"), *(cell(f"c{i}", text) for i, text in enumerate(CELLS))],
    }


class Load(threading.Thread):
    """One caller who keeps a few runs in flight, repeating a request under its key until it is answered."""

    def __init__(self, swath: PlainSwath, user: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.swath, self.user, self.stop = swath, user, stop
        self.accepted: dict[str, str] = {}
        self.unexpected: list[str] = []

    def run(self) -> None:
        open_runs: set[str] = set()
        with self.swath.client(self.user) as http:
            while not self.stop.is_set():
                open_runs = {run for run in open_runs if not self._ended(http, run)}
                if len(open_runs) < 3:
                    made = self._submit(http)
                    if made:
                        open_runs.add(made)
                time.sleep(0.2)

    def _submit(self, http: httpx.Client) -> str | None:
        key = uuid.uuid4().hex
        body = {"algorithm": f"{USERS[0]}/short@^1", "parameters": {"n": random.randint(1, 9)}}
        while True:
            try:
                answer = http.post("runs", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            if answer.status_code in (200, 201):
                self.accepted[key] = answer.json()["id"]
                return self.accepted[key]
            if answer.status_code == 503:
                time.sleep(0.2)
                continue
            self.unexpected.append(f"{answer.status_code} {answer.text[:200]}")
            return None

    def _ended(self, http: httpx.Client, run: str) -> bool:
        try:
            answer = http.get(f"runs/{run}")
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["status"] in {"finished", "error", "canceled"}


def processes_of(data: Path) -> dict[str, list[int]]:
    """Pids of wardens, runners and kernels of this data folder, by what they are."""
    found: dict[str, list[int]] = {"warden": [], "runner": [], "kernel": []}
    folders = str(data / "marketplace" / "runs")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            mounts = (entry / "mountinfo").read_text() if "python" in command else ""
        except OSError:
            continue
        if folders in command:
            found["warden"].append(int(entry.name))
        elif folders in mounts or _root_of(mounts, folders):
            kind = "kernel" if "ipykernel" in command or "faulthandler" in command else "runner"
            found[kind].append(int(entry.name))
    return found


def _root_of(mounts: str, folders: str) -> bool:
    # mountinfo names a bind mount by its path within the file system it comes from, which may lack a leading part.
    tail = "/".join(folders.strip("/").split("/")[-4:])
    return any(f"/{tail}/" in line for line in mounts.splitlines())


def strike(swath: PlainSwath, dice: random.Random, counts: collections.Counter[str]) -> None:
    """Kill something."""
    target = dice.choice(["marketplace", "marketplace", "quota", "warden", "runner", "kernel"])
    if target in ("marketplace", "quota"):
        swath.kill(target)
        counts[target] += 1
        time.sleep(dice.uniform(0, 0.5))
        swath.start(target)
        return
    pids = processes_of(swath.data)[target]
    if not pids:
        return
    try:
        os.kill(dice.choice(pids), signal.SIGKILL)
        counts[target] += 1
    except ProcessLookupError:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter of the runs")
    parser.add_argument("--data", type=Path, help="an empty folder to keep; by default one that is removed")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="swath-chaos-") as scratch:
        data = options.data or Path(scratch)
        data.mkdir(parents=True, exist_ok=True)
        # The interpreter that serves also has swath as an editable install; any other holds a copy of it.
        editable = options.python.absolute() == Path(sys.executable).absolute()
        swath = PlainSwath(data, python=options.python.absolute(), editable=editable, users=USERS)
        try:
            return storm(swath, kills=options.kills, dice=random.Random(options.seed))
        finally:
            swath.close()


def storm(swath: PlainSwath, *, kills: int, dice: random.Random) -> int:
    for service in ("quota", "marketplace"):
        swath.start(service)
    for service in ("quota", "marketplace"):
        swath.wait_ready(service)
    with swath.client(USERS[0]) as http:
        published = http.post("algorithms", json={"notebook": notebook()})
        assert published.status_code == 201, published.text
    stop = threading.Event()
    loads = [Load(swath, user, stop) for user in USERS]
    for load in loads:
        load.start()
    counts: collections.Counter[str] = collections.Counter()
    began = time.monotonic()
    while counts.total() < kills:
        # Often enough to strike within recovery, seldom enough that runs still end.
        time.sleep(dice.choice([0.1, 0.5, 1.0, 2.0, 4.0]))
        strike(swath, dice, counts)
    print(f"{counts.total()} kills in {time.monotonic() - began:.0f} s: {dict(counts)}", flush=True)
    stop.set()
    for load in loads:
        load.join(timeout=120)
    for service in ("quota", "marketplace"):
        swath.wait_ready(service)
    faults = [f"{load.user}: unexpected answer {text}" for load in loads for text in load.unexpected]
    faults += [f"the load of {load.user} did not stop" for load in loads if load.is_alive()]
    accepted = {run: load.user for load in loads for run in load.accepted.values()}
    faults += settle_and_check(swath, accepted)
    for fault in faults[:20]:
        print("FAULT", fault)
    print(f"{len(accepted)} runs accepted, {len(faults)} faults")
    return 1 if faults else 0


def settle_and_check(swath: PlainSwath, accepted: dict[str, str]) -> list[str]:
    ends: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    runs: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + 300
    for run, user in accepted.items():
        with swath.client(user) as http:
            while True:
                answer = http.get(f"runs/{run}")
                if answer.status_code != 200:
                    faults.append(f"lost: {run} answers {answer.status_code}")
                    break
                told = answer.json()
                if told["status"] in {"finished", "error", "canceled"}:
                    runs[run] = told
                    ends[told["status"] + (f":{told['error']['code']}" if told["error"] else "")] += 1
                    break
                if time.monotonic() > deadline:
                    faults.append(f"still {told['status']}: {run}")
                    break
                time.sleep(0.2)
    print("endings:", dict(ends), flush=True)
    faults += check_effects(swath.data, runs)
    faults += check_money(swath.data, runs)
    faults += check_receipts(swath, runs, accepted)
    faults += check_orphans(swath.data)
    return faults


def check_effects(data: Path, runs: dict[str, dict[str, Any]]) -> list[str]:
    """No run started twice, and what says finished did finish."""
    faults = []
    with sqlite3.connect(f"file:{data}/marketplace/marketplace.sqlite?mode=ro", uri=True) as database:
        stored = {row[0] for row in database.execute("select id from runs")}
        doubled = database.execute(
            "select idempotency_key, count(*) from runs group by caller, 1 having count(*) > 1"
        ).fetchall()
    faults += [f"one key made {count} runs" for _, count in doubled]
    faults += [f"not in the table: {run}" for run in runs if run not in stored]
    for run, told in runs.items():
        events = data / "marketplace" / "runs" / run / "out" / "events.jsonl"
        kinds = []
        if events.exists():
            for line in events.read_text(errors="replace").splitlines():
                try:
                    kinds.append(json.loads(line)["type"])
                except ValueError:
                    kinds.append("torn")  # a line cut by the kill
        if kinds.count("start") > 1:
            faults.append(f"started {kinds.count('start')} times: {run}")
        if told["status"] == "finished":
            if kinds.count("end") != 1 or "torn" in kinds:
                faults.append(f"finished, but its events say {collections.Counter(kinds)}: {run}")
            if not any(output["name"] == "value" for output in told["outputs"]):
                faults.append(f"finished without its output: {run}")
    return faults


def check_receipts(swath: PlainSwath, runs: dict[str, dict[str, Any]], accepted: dict[str, str]) -> list[str]:
    """Each finished run has one receipt that holds, and the log is as it was written."""
    faults = []
    for run, told in runs.items():
        if told["status"] == "finished":
            with swath.client(accepted[run]) as http:
                keys = KeySet.from_bytes(http.get("receipts/keys").content, verify)
                answer = http.get(f"runs/{run}/receipt")
            try:
                check_bundle(Bundle.from_bytes(answer.content), keys, verify)
            except Untrusted as error:
                faults.append(f"its receipt is {error.reason.value} ({answer.status_code}): {run}")
    environment = {**os.environ, "SWATH_DATA": str(swath.data)}
    command = [sys.executable, "-m", "swath_marketplace.audit"]
    audited = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print("receipts:", audited.stdout.strip().splitlines()[-1:], flush=True)
    return faults + ([f"audit: {audited.stdout[-500:]}{audited.stderr[-500:]}"] if audited.returncode else [])


def check_money(data: Path, runs: dict[str, dict[str, Any]]) -> list[str]:
    """One hold a run at most, settled once, for what the run says it cost; the books audited by their own rules."""
    faults = []
    audit = subprocess.run(
        [sys.executable, "-m", "swath_quota.audit", "--json", "--database", f"sqlite:///{data}/quota/quota.sqlite"],
        capture_output=True,
        text=True,
        check=False,
    )
    if audit.returncode:
        faults.append(f"the audit ended with {audit.returncode}: {audit.stdout[-500:]}{audit.stderr[-500:]}")
    with sqlite3.connect(f"file:{data}/quota/quota.sqlite?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        holds = [dict(row) for row in database.execute("select * from holds")]
    by_run: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for hold in holds:
        by_run[hold["purpose_reference"]].append(hold)
    for run, told in runs.items():
        own = by_run.pop(run, [])
        if len(own) > 1:
            faults.append(f"{len(own)} holds for one run: {run}")
        if any(hold["status"] == "held" for hold in own):
            faults.append(f"still held after the end: {run}")
        paid = sum(hold["captured"] or 0 for hold in own)
        if paid != (told["cost_millicredits"] or 0):
            faults.append(f"paid {paid}, told {told['cost_millicredits']}: {run}")
        if told["status"] == "finished" and paid <= 0:
            faults.append(f"finished and not paid: {run}")
    faults += [f"a hold for no accepted run: {reference}" for reference in by_run]
    return faults


def check_orphans(data: Path) -> list[str]:
    deadline = time.monotonic() + 10
    while any(processes_of(data).values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    faults = [f"{kind} left behind: {pids}" for kind, pids in processes_of(data).items() if pids]
    names = {path.name for path in (data / "marketplace" / "runs").iterdir()}
    groups = [path for path in Path("/sys/fs/cgroup").rglob("*run-*") if path.name.rpartition("run-")[2] in names]
    return faults + [f"a control group left behind: {group}" for group in groups[:3]]


if __name__ == "__main__":
    sys.exit(main())
