"""Requests: what is sent, what is repeated, and how every failure is told."""

from __future__ import annotations

import json
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import swath
from swath.client.credentials import Store
from swath.client.errors import Conflict, Invalid, NotFound, NotSignedIn, Refused, Unreachable


def test_a_run_is_started_once_though_the_answer_breaks_off(signed_in: Any) -> None:
    signed_in.broken_posts = 1
    run = swath.run("ada/ndvi@^1", count=2)
    assert run.id == "r1"
    assert list(signed_in.runs) == ["r1"]
    assert signed_in.asked.count("POST /services/marketplace/runs") == 2


def test_a_run_is_started_once_though_the_proxy_says_busy(signed_in: Any) -> None:
    signed_in.busy["POST /services/marketplace/runs"] = 2
    assert swath.run("ada/ndvi@^1", count=2).id == "r1"
    assert list(signed_in.runs) == ["r1"]


def test_each_call_is_a_run_of_its_own_unless_a_key_says_otherwise(signed_in: Any) -> None:
    assert swath.run("ada/ndvi", count=2).id == "r1"
    assert swath.run("ada/ndvi", count=2).id == "r2"
    assert swath.run("ada/ndvi", count=2, idempotency_key="k").id == "r3"
    assert swath.run("ada/ndvi", count=2, idempotency_key="k").id == "r3"
    assert {body["algorithm"] for body in signed_in.bodies} == {"ada/ndvi@latest"}


def test_what_may_not_be_repeated_is_not(signed_in: Any) -> None:
    from swath.client.session import connection

    signed_in.busy["POST /services/marketplace/algorithms/ada/ndvi/versions/1.0.0/yank"] = 5
    with pytest.raises(Unreachable):
        connection().json("POST", "services/marketplace/algorithms/ada/ndvi/versions/1.0.0/yank", json={})
    assert len([asked for asked in signed_in.asked if asked.endswith("yank")]) == 1


def test_python_values_become_json(signed_in: Any) -> None:
    swath.run("ada/ndvi@^1", count=2, label=date(2023, 4, 1), bbox=(5.0, 51.2, 5.1, 51.3))
    swath.run("ada/ndvi@^1", parameters={"count": 2, "label": datetime(2023, 4, 1, tzinfo=UTC)})
    assert signed_in.bodies[0]["parameters"] == {"count": 2, "label": "2023-04-01", "bbox": [5.0, 51.2, 5.1, 51.3]}
    assert signed_in.bodies[1]["parameters"]["label"] == "2023-04-01T00:00:00+00:00"


def test_a_budget_is_told_in_credits(signed_in: Any) -> None:
    swath.run("ada/ndvi@^1", count=2, budget=1.2345)
    assert signed_in.bodies[0]["budget_millicredits"] == 1234
    with pytest.raises(Refused, match="below the quote"):
        swath.run("ada/ndvi@^1", count=2, budget="0.001")


@pytest.mark.parametrize("budget", [0, -1, 0.0001, "much", float("nan"), float("inf"), 1e30])
def test_a_budget_that_is_none_is_refused_before_anything_is_sent(signed_in: Any, budget: Any) -> None:
    with pytest.raises(Invalid, match="budget"):
        swath.run("ada/ndvi@^1", count=2, budget=budget)
    assert signed_in.asked == []


def test_every_finding_is_told_at_once(signed_in: Any) -> None:
    with pytest.raises(Invalid) as caught:
        swath.run("ada/ndvi@^1", count=2, cuont=3, x=1)
    assert [finding["field"] for finding in caught.value.findings] == ["cuont", "x"]
    assert "cuont: no such parameter (leave it out)" in str(caught.value)
    # What IPython prints in place of a traceback says the same.
    assert "cuont: no such parameter" in "".join(caught.value._render_traceback_())


def test_an_unknown_algorithm_is_not_found(signed_in: Any) -> None:
    with pytest.raises(NotFound):
        swath.run("ada/nothing", count=1)


@pytest.mark.parametrize(
    "name", ["ndvi", "/ndvi", "ada/", "ada/NDVI", "ada/ndvi/x", "", "a da/ndvi", "ada/n@1@2/../.."]
)
def test_what_names_no_algorithm_is_refused_or_stays_one_step_of_the_path(signed_in: Any, name: str) -> None:
    with pytest.raises((Invalid, NotFound)):
        swath.run(name, count=1)
    assert all(".." not in asked for asked in signed_in.asked)


def test_publishes_once_and_says_when_it_was_published_before(signed_in: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    notebook = {"cells": [], "metadata": {"swath": {"name": "mine", "version": "1.0.0"}}, "nbformat": 4}
    path.write_text(json.dumps(notebook))
    first = swath.publish(path)
    assert (str(first), first.created) == ("bob/mine@1.0.0", True)
    again = swath.publish(str(path))
    assert (again.digest, again.created) == (first.digest, False)
    path.write_text(json.dumps({**notebook, "cells": [1]}))
    with pytest.raises(Conflict, match="exists and differs") as caught:
        swath.publish(path)
    assert caught.value.extra["difference"] == ["notebook"]
    assert str(swath.publish(path, "1.1.0")) == "bob/mine@1.1.0"


def test_what_keeps_a_notebook_from_being_published_is_told_by_cell_and_line(signed_in: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text('{"cells": [], "metadata": {}}')
    with pytest.raises(Invalid) as caught:
        swath.publish(path)
    assert "cell 2, line 3: unannotated (x: int)" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"cells": 1}', b'{"worksheets": []}', b"[" * 100_000])
def test_what_is_no_notebook_is_not_sent(signed_in: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(Invalid, match="not a notebook"):
        swath.publish(path)
    assert signed_in.asked == []


def test_lists_and_shows_what_others_wrote_without_running_it(signed_in: Any) -> None:
    found = swath.algorithms("NDVI")
    assert found[0]["name"] == "ndvi"
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
    assert swath.environments()[0]["name"] == "eo"
    signed_in.run("r1", name="<img src=x>")
    run = swath.runs()[0]
    assert "<img" not in run._repr_html_()
    assert "<img" not in swath.runs()._repr_html_()


def test_the_wallet_is_told_in_credits(signed_in: Any) -> None:
    wallet = swath.wallet()
    assert (wallet.balance, wallet.held, wallet.available) == (8.5, 0.5, 8.0)
    assert "8 credits to spend" in repr(wallet)
    assert "-1.5" in repr(wallet)
    assert "<b>" not in wallet._repr_html_()


def test_says_who_is_calling_and_what_the_token_allows(signed_in: Any) -> None:
    identity = swath.whoami()
    assert (identity.name, identity.source, identity.lacking) == ("bob", "SWATH_TOKEN", ())
    assert "good-token" not in repr(identity)


def test_an_expired_token_is_told_with_where_it_came_from(signed_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWATH_TOKEN", "old-token-0123456789")
    with pytest.raises(NotSignedIn) as caught:
        swath.wallet()
    assert "SWATH_TOKEN" in str(caught.value)
    assert "/hub/token" in str(caught.value)
    assert "old-token" not in str(caught.value)


def test_a_server_that_is_down_is_told(signed_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("SWATH_URL", f"http://127.0.0.1:{free.getsockname()[1]}/")
    with pytest.raises(Unreachable, match="nothing answers") as caught:
        swath.wallet()
    assert caught.value.code == "no-connection"


@pytest.mark.parametrize("path", ["elsewhere/", "page/", "nothing/"])
def test_a_wrong_address_is_told_and_the_token_follows_no_redirect(
    signed_in: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("SWATH_URL", f"{signed_in.url}{path}")
    with pytest.raises(Unreachable) as caught:
        swath.whoami()
    # FastAPI's own 404 is JSON, and so is told as it is; what is not JSON is no hub.
    assert caught.value.code == "not-swath"


def test_signing_in_keeps_a_token_that_works_and_no_other(
    fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("SWATH_URL", "SWATH_TOKEN", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(NotSignedIn, match="does not know this token") as caught:
        swath.login(fake.url, "bad-token-0123456789")
    assert "bad-token" not in str(caught.value)
    assert not Store.default().path.exists()
    # The address of one of its pages will do.
    identity = swath.login(f"{fake.url}hub/home", "good-token-0123456789")
    assert identity.name == "bob"
    assert Store.default().path.stat().st_mode & 0o777 == 0o600
    assert swath.wallet().account == "bob"
    assert swath.whoami().source == str(Store.default().path)
