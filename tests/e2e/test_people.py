"""Who comes in, and what of others' they see: with a browser, on the pages that are there for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
RUNS = "services/marketplace/runs"
#: Of the same origin, and no page of ours: a script may ask for anything here, as in a page of somebody's Lab server.
DATA = "services/marketplace/environments"


@pytest.fixture(scope="module")
def tokens(copy: Any) -> dict[str, str]:
    """Two users, of whom each has run something."""
    return {name: copy.person(name).token("e2e") for name in ("mia", "noa")}


@pytest.fixture(scope="module")
def runs(copy: Any, tokens: dict[str, str], until: Any) -> dict[str, str]:
    """Each one's run of the shipped `echo`."""
    for token in tokens.values():
        copy.as_user(token, "publish", str(ROOT / "algorithms" / "echo" / "notebook.ipynb"))
    wanted = {"algorithm": "mia/echo@^1", "parameters": ECHO}
    started = {name: copy.post(RUNS, token, wanted).json()["id"] for name, token in tokens.items()}

    def statuses() -> set[str]:
        return {copy.get(f"{RUNS}/{run}", tokens[name]).json()["status"] for name, run in started.items()}

    until(lambda: statuses() == {"finished"}, what="both runs are over")
    return started


def _echo() -> dict[str, Any]:
    """The required parameters of `echo`, with values of their types."""
    from swath.contract.notebook import read_notebook

    reading = read_notebook((ROOT / "algorithms" / "echo" / "notebook.ipynb").read_bytes(), environments=None)
    assert reading.interface is not None
    values: dict[str, Any] = {"int": 1, "float": 0.5, "str": "x", "bool": True}
    return {one.name: values[one.as_dict()["type"]["kind"]] for one in reading.interface.parameters if one.required}


ECHO = _echo()


def test_a_wrong_passcode_is_told_and_lets_nobody_in(visitor: Callable[[], Any], copy: Any) -> None:
    copy.passcode("mia")
    mia = visitor()
    mia.goto("")
    mia.sign_in("mia", "not-the-passcode")
    assert mia.page.locator(".login_error").inner_text() == "Invalid username or password"
    mia.picture("wrong-passcode")
    assert mia.goto("hub/home").request.redirected_from is not None
    assert "/hub/login" in mia.page.url


def test_a_passcode_works_once(visitor: Callable[[], Any], copy: Any) -> None:
    passcode = copy.passcode("mia")
    first, second = visitor(), visitor()
    first.goto("")
    first.sign_in("mia", passcode)
    assert first.page.url == f"{copy.url}hub/home"
    second.goto("")
    second.sign_in("mia", passcode)
    assert second.page.locator(".login_error").inner_text() == "Invalid username or password"


def test_a_signed_in_person_makes_a_token_and_sees_her_own_runs_with_it(
    visitor: Callable[[], Any], copy: Any, runs: dict[str, str]
) -> None:
    mia = visitor()
    mia.goto("hub/token")
    mia.sign_in("mia", copy.passcode("mia"))
    assert mia.page.url == f"{copy.url}hub/token"
    mia.page.fill("#token-note", "for my scripts")
    mia.page.click("#request-token-form button[type=submit]")
    mia.page.wait_for_selector("#token-result:not(:empty)")
    token = mia.page.inner_text("#token-result").strip()
    assert mia.complaints == []
    assert mia.hosts == {"127.0.0.1"}

    told = copy.get(RUNS, token).json()
    assert [run["id"] for run in told["runs"]] == [runs["mia"]]
    assert {run["caller"] for run in told["runs"]} == {"mia"}
    assert copy.get(f"{RUNS}/{runs['mia']}", token).json()["status"] == "finished"


def test_a_person_opens_her_runs_in_the_browser_and_not_another_ones(
    visitor: Callable[[], Any], copy: Any, runs: dict[str, str]
) -> None:
    """The service sends her to the hub to sign in, and gets her back to what she asked for."""
    mia = visitor()
    mia.goto(RUNS)
    assert "/hub/login" in mia.page.url
    mia.sign_in("mia", copy.passcode("mia"))
    assert mia.page.url == f"{copy.url}{RUNS}"
    links = mia.page.locator("tbody a").evaluate_all("(all) => all.map((one) => one.href.split('/').pop())")
    assert links == [runs["mia"]]
    page = mia.goto(f"{RUNS}/{runs['mia']}").text()
    mia.page.wait_for_selector(".result pre")
    assert "finished" in page
    assert "verified" in page
    # Her token stays with the service: the browser holds but the name of a session.
    cookies = {cookie["name"]: cookie for cookie in mia.page.context.cookies()}
    assert cookies["swath-marketplace-session"]["httpOnly"]

    assert mia.complaints == []
    answer = mia.goto(f"{RUNS}/{runs['noa']}")
    assert answer.status == 404
    assert "no-such-run" in answer.text()
    assert mia.goto(f"{RUNS}/{runs['noa']}/results/notebook-html").status == 404
    assert mia.hosts == {"127.0.0.1"}


def test_a_runs_page_is_saved_and_not_shown_as_a_page_of_ours(
    visitor: Callable[[], Any], copy: Any, runs: dict[str, str]
) -> None:
    """What a notebook wrote must not act in the name of whoever looks at it."""
    mia = visitor()
    mia.goto(DATA)
    mia.sign_in("mia", copy.passcode("mia"))
    address = f"/{RUNS}/{runs['mia']}/results/notebook-html"
    look = f"fetch('{address}').then(answer => [answer.status, Object.fromEntries(answer.headers)])"
    status, headers = mia.page.evaluate(look)
    assert status == 200
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"


def test_another_ones_run_is_not_there(copy: Any, tokens: dict[str, str], runs: dict[str, str]) -> None:
    for path in ("", "/log", "/events", "/results", "/results/notebook"):
        answer = copy.get(f"{RUNS}/{runs['noa']}{path}", tokens["mia"])
        assert (path, answer.status_code) == (path, 404)
        assert answer.json()["code"] == "no-such-run"
    assert copy.delete(f"{RUNS}/{runs['noa']}", tokens["mia"]).status_code == 404


def test_her_cookies_read_and_start_or_cancel_nothing(
    visitor: Callable[[], Any], copy: Any, runs: dict[str, str]
) -> None:
    """A cookie says who somebody is, and not that she wanted this: what changes something needs a token."""
    mia = visitor()
    mia.goto(DATA)
    mia.sign_in("mia", copy.passcode("mia"))
    assert mia.page.url == f"{copy.url}{DATA}"
    start = f"""
        fetch('/{RUNS}', {{
            method: 'POST',
            headers: {{'Content-Type': 'application/json', 'Idempotency-Key': 'stolen'}},
            body: {json.dumps(json.dumps({"algorithm": "mia/echo@^1", "parameters": ECHO}))},
        }}).then(async answer => [answer.status, (await answer.json()).code])
    """
    assert mia.page.evaluate(start) == [401, "no-token"]
    assert (
        mia.page.evaluate(f"fetch('/{RUNS}/{runs['mia']}', {{method: 'DELETE'}}).then(answer => answer.status)") == 401
    )
