"""SIGKILL at every step between a hold and what becomes of it, while others spend: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_quota.audit import audit_database
from swath_quota.client import Fault, Hold, HoldStatus, Purpose, PurposeKind, UsageEvent
from swath_service.errors import Unavailable

pytestmark = [pytest.mark.integration, pytest.mark.slow]
LAB = Purpose(kind=PurposeKind.LAB, reference="ada/")
RUN = Purpose(kind=PurposeKind.RUN, reference="r")
#: More steps than a story has: a story that dies still at this one is not the one that this test means.
MOST = 400


def repeat(work: Callable[[], Any]) -> Any:
    """What callers do who got no answer."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return work()
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.01)


class Lives:
    """The service, dying and coming back; `at` says at which step the next life ends."""

    def __init__(self, service: Any, folder: Path) -> None:
        self.service, self.armed = service, folder / "armed"
        environment = {**service.environ(), "SWATH_TEST_ARMED": str(self.armed)}
        nursery = Path(__file__).with_name("mortal_service.py")
        with (folder / "lives.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, nursery],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def begin(self, *, at: int) -> None:
        """Start the service, which dies at step `at` counted from when `armed` is there; 0: it does not."""
        assert self.process.stdin
        assert self.process.stdout
        self.armed.unlink(missing_ok=True)
        self.process.stdin.write(f"{at}\n")
        self.process.stdin.flush()
        self.child = int(self.process.stdout.readline())
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(self.service.url + "health", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def wait(self) -> None:
        """For its death."""
        assert self.process.stdout
        assert self.process.stdout.readline() == "dead\n"

    def lives(self) -> bool:
        """Whether it does; one that is dead and not waited for does not."""
        try:
            return bool(Path(f"/proc/{self.child}/cmdline").read_bytes())
        except FileNotFoundError:
            return False

    def kill(self) -> None:
        """End it here, if it did not end itself."""
        os.kill(self.child, signal.SIGKILL)
        self.wait()

    def end(self) -> None:
        """End all."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def lives(request: pytest.FixtureRequest, new_service: Any, tmp_path: Path) -> Iterator[tuple[Lives, str]]:
    """The service's lives, and its database."""
    url = f"sqlite:///{tmp_path / 'quota.sqlite'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_database"))
    made = Lives(new_service(SWATH_QUOTA_DATABASE_URL=url, SWATH_QUOTA_SWEEP_SECONDS="3600"), tmp_path)
    yield made, url
    made.end()


def story(client: Any, name: str) -> int:
    """A server's hold from its beginning to its end, every call repeated until it is answered; what it cost."""
    hold = repeat(lambda: client.hold(hold_id=name, account="ada", amount=2000, purpose=LAB, expires_in_seconds=3600))
    assert isinstance(hold, Hold)
    half = UsageEvent(
        id=f"{name}-1",
        meter=f"lab-{name}",
        hold_id=name,
        account="ada",
        kind=PurposeKind.LAB,
        sequence=1,
        usage={"cpu_seconds": 1800.0},
        at=hold.created_at,
    )
    repeat(lambda: client.report_usage([half]))
    grown = repeat(lambda: client.extend(name, expires_in_seconds=7200, amount=3000))
    assert (grown.amount, grown.asked) == (3000, 2000)
    settled = repeat(lambda: client.settle(name, usage={"cpu_seconds": 3600.0}, fault=Fault.NONE))
    assert (settled.status, settled.captured, settled.returned) == (HoldStatus.CAPTURED, 1500, 1500)
    back = repeat(lambda: client.refund(name, reason="ours", amount=500))
    assert back.returned == 500
    return 1000


class Load:
    """Others who spend meanwhile, one of them from the same wallet."""

    def __init__(self, service: Any, accounts: tuple[str, ...]) -> None:
        self.service, self.stop = service, threading.Event()
        self.counts = dict.fromkeys(accounts, 0)
        self.threads = [threading.Thread(target=self._spend, args=(account,)) for account in accounts]
        for thread in self.threads:
            thread.start()

    def _spend(self, account: str) -> None:
        with self.service.client(attempts=1, timeout_seconds=5) as client:
            while not self.stop.is_set():
                name = f"load-{account}-{self.counts[account]}"
                repeat(
                    lambda name=name: client.hold(
                        hold_id=name, account=account, amount=9, purpose=RUN, expires_in_seconds=900
                    )
                )
                repeat(lambda name=name: client.capture(name, amount=7, usage={}))
                self.counts[account] += 1

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()


def told_through_a_death(lives: Lives, name: str, *, next_at: int) -> bool:
    """Tell a story in the life that is, and on in the one after, which will end at `next_at`; whether it took both."""
    told: list[int] = []
    with lives.service.client(attempts=1, timeout_seconds=5) as client:
        teller = threading.Thread(target=lambda: told.append(story(client, name)))
        lives.armed.touch()
        teller.start()
        while teller.is_alive() and lives.lives():
            teller.join(0.005)
        died = teller.is_alive()
        if died:
            lives.wait()
            lives.begin(at=next_at)
        teller.join(120)
    assert told == [1000], name
    return died


@pytest.mark.parametrize(
    ("accounts", "stride"), [((), 1), (("ada", "bea"), 19)], ids=["at every step", "now and then, under load"]
)
def test_a_kill_loses_nothing_and_doubles_nothing(
    lives: tuple[Lives, str], accounts: tuple[str, ...], stride: int
) -> None:
    """Alone a story is cut off at each of its steps, until one is not; under load the steps are everybody's."""
    service, url = lives
    service.begin(at=1)
    client = service.service.client()
    client.wallet("ada")
    load = Load(service.service, accounts)
    stories = deaths = 0
    try:
        for step in range(1, MOST, stride):
            stories += 1
            died = told_through_a_death(service, f"s{step}", next_at=step + stride)
            deaths += died
            if not died:
                break
    finally:
        service.kill()
        service.begin(at=0)
        load.end()
    assert deaths == stories - 1 >= (20 if stride == 1 else 3)
    spent = {"ada": 1000 * stories, "bea": 0}
    for account, count in load.counts.items():
        spent[account] += 7 * count
    assert {name: 10_000_000 - client.wallet(name).balance for name in spent} == spent
    assert [client.wallet(name).held for name in spent] == [0, 0]
    report = audit_database(url)
    assert report.ok, report.breaches
    assert (report.totals.holds, report.totals.open_holds) == (stories + sum(load.counts.values()), 0)
    assert (report.usage.meters, report.usage.events) == (stories, 2 * stories)
