"""A real Lab server and a real wallet: held for, metered, warned, stopped with the reason on screen, settled once."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: 2 GB and one processor cost 5 credits in a minute when it is busy, and in a minute and a half when idle.
PRICES = {
    "format": 1,
    "prices": [
        {
            "effective_on": "2023-11-01",
            "credits_per_cpu_hour": 100,
            "credits_per_gb_hour": 100,
            "credits_per_batch_run": 2,
            "credits_per_sync_call": 6,
        }
    ],
}
LIMITS = [{"name": "lab.servers", "window": "continuous", "unit": "server", "hard": 1}]
TIERS = {
    "format": 2,
    "default": "local",
    "tiers": [
        {
            "name": "local",
            "title": "Local",
            "description": "Everybody.",
            "terms": [{"effective_on": "2023-11-01", "monthly_credits": 5, "weight": 1, "limits": LIMITS}],
        }
    ],
}
CONFIG = """
import logging
if "JupyterHub" in c and "services" in c.JupyterHub:
    c.LabMetering.heartbeat_seconds = 1
    c.LabMetering.ahead_seconds = 45
    c.LabMetering.save_seconds = 4
    c.LabMetering.warn_seconds = 35
    c.LabMetering.warn_share = 0.3
    def noted(user, notice):
        with open({notes!r}, "a") as stream:
            stream.write(f"{{user}} {{notice.code}}\\n")
    c.LabMetering.notify = noted
    c.EventLogger.handlers = [logging.FileHandler({events!r})]
"""
CREDITS = ["credits-low", "credits-end-soon", "credits-gone"]


def browsing() -> ModuleType:
    """The module that drives Chromium, which the tests end to end have."""
    known = "swath_tests_browsing"
    if known not in sys.modules:
        place = Path(__file__).parents[2] / "e2e" / "browsing.py"
        spec = importlib.util.spec_from_file_location(known, place)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[known]


@pytest.fixture(scope="module")
def poor(
    make: Callable[[], Any],
    finish: Callable[[Any], None],
    given_up: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A copy where everybody has five credits a month, and a minute of a server costs about as much."""
    copy, folder = make(), tmp_path_factory.mktemp("poor")
    (folder / "tiers.yaml").write_text(json.dumps(TIERS))
    (folder / "prices.yaml").write_text(json.dumps(PRICES))
    config = copy.data / "hub_config.py"
    config.write_text(CONFIG.format(notes=str(copy.data / "notes"), events=str(copy.data / "events")))
    copy.options += ["--config", str(config), *given_up]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWATH_QUOTA_TIERS_FILE", str(folder / "tiers.yaml"))
        patch.setenv("SWATH_QUOTA_PRICES_FILE", str(folder / "prices.yaml"))
        try:
            copy.start()
            yield copy
        finally:
            finish(copy)


@pytest.fixture
def wallet() -> Callable[[Any], dict[str, Any]]:
    """A user's wallet, as the service tells it to her."""
    return lambda lab: lab.api("GET", "services/quota/wallet").json()


def gone(lab: Any) -> bool:
    return lab.server() is None


def test_five_credits_end_gracefully_and_the_page_says_why(
    poor: Any, visit: Callable[..., Any], wait: Callable[..., Any], wallet: Callable[[Any], dict[str, Any]]
) -> None:
    ada = visit(poor, "ada")
    ada.start()
    assert 3700 <= wallet(ada)["held"] <= 5000
    # A cell that would run for ever, and a file that it writes when it is interrupted.
    code = """
import pathlib, time
try:
    while True:
        time.sleep(0.1)
except KeyboardInterrupt:
    pathlib.Path.home().joinpath("saved.txt").write_text("in time")
"""
    ada.run(code, seconds=120)
    wait(lambda: (poor.data / "homes" / "ada" / "saved.txt").exists(), what="the kernel was interrupted")
    # With the cell that ended, the kernel shows what the hub has to say.
    assert any("this server stops in 4 seconds" in text for text in ada.shown), ada.shown
    wait(lambda: gone(ada), seconds=60, what="the server is stopped")
    after = wait(lambda: (found := wallet(ada))["held"] == 0 and found, what="the hold is settled")
    assert 0 <= after["balance"] < 2500
    spent = [entry for entry in after["entries"] if entry["kind"] == "capture"]
    assert [entry["amount"] for entry in spent] == [5000 - after["balance"]]
    assert "Lab server, Standard" in spent[0]["description"]
    notes = (poor.data / "notes").read_text().split()
    assert sorted(notes) == sorted([*CREDITS, *["ada"] * len(CREDITS)])
    told = [json.loads(line) for line in (poor.data / "events").read_text().splitlines() if "lab-credits" in line]
    assert sorted(event["action"] for event in told) == sorted(CREDITS)
    _look(poor, ada.name)
    # A start is refused now, by the API too, with everything that one wants to know.
    answer = ada.api("POST", "hub/api/users/ada/server")
    assert answer.status_code == 402
    assert "credits are needed" in answer.json()["message"]


def _look(copy: Any, name: str) -> None:
    """The pages that she then sees, drawn by a browser and kept as pictures."""
    with browsing().chromium() as browser:
        visitor = browsing().Visitor.enter(browser, copy.url)
        visitor.goto("hub/login")
        visitor.sign_in(name, copy.passcode(name))
        visitor.goto(f"user/{name}/lab")
        visitor.page.wait_for_selector("#swath-stopped")
        visitor.picture("lab-not-running")
        assert "Your server was stopped at" in visitor.page.inner_text("#swath-stopped")
        visitor.goto(f"hub/spawn/{name}")
        assert "because the credits that paid for it were used up" in visitor.page.inner_text("#swath-stopped")
        visitor.picture("lab-stopped")
        visitor.page.click("button[type=submit]")
        visitor.page.wait_for_selector(".spawn-error-msg")
        visitor.picture("lab-refused")
        text = visitor.page.inner_text("body")
        for said in ("credits, held for the first hour", "Left:", "Fits next:", "What helps:"):
            assert said in text
        assert visitor.page.get_attribute("a[href$='services/quota/']", "href") == "/services/quota/"


def test_notices_are_shown_after_a_cell(poor: Any, visit: Callable[..., Any], wait: Callable[..., Any]) -> None:
    ben = visit(poor, "ben")
    ben.start()
    ben.run("answer = 1")
    file = poor.data / "hub" / "metering" / "notices" / "ben" / "notices.jsonl"
    wait(lambda: file.stat().st_size, seconds=60, what="a warning")
    shown = ben.displayed("answer = 2")
    assert any("Swath, " in text and "credits" in text for text in shown), shown
    assert not ben.displayed("answer = 3") or file.stat().st_size
    # The user can read it, and neither write it nor see others'.
    code = """
import os
def writes(path):
    try:
        open(path, "a").close()
        return True
    except OSError:
        return False
answer = [writes("/run/swath/notices.jsonl"), sorted(os.listdir("/run/swath"))]
"""
    assert ben.answer(code) == [False, ["notices.jsonl"]]
    ben.stop()


def test_the_same_hold_pays_over_a_killed_hub(
    poor: Any, visit: Callable[..., Any], wait: Callable[..., Any], wallet: Callable[[Any], dict[str, Any]]
) -> None:
    eve = visit(poor, "eve")
    eve.start()
    held = wallet(eve)["held"]
    assert held
    poor.kill_hub()
    poor.start()
    wait(lambda: (eve.server() or {}).get("ready"), what="the server is found again")
    assert wallet(eve)["held"] >= held
    eve.stop()
    after = wait(lambda: (found := wallet(eve))["held"] == 0 and found, what="the hold is settled")
    assert [entry["kind"] for entry in after["entries"]].count("capture") == 1
    assert not list((poor.data / "hub" / "metering" / "meters").glob("*.json"))


def test_the_hubs_token_is_nowhere_but_in_its_file(poor: Any) -> None:
    token = (poor.data / "secrets" / "lab-quota-token").read_text().strip()
    assert (poor.data / "secrets" / "lab-quota-token").stat().st_mode & 0o777 == 0o600
    assert token not in poor.log()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert token.encode() not in environ.read_bytes(), environ
        except OSError:
            continue
