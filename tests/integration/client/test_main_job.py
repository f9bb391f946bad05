"""The main job through the client and the command, with the real marketplace, runner and sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import swath
from swath.client.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn, RunFailed

pytestmark = pytest.mark.integration

WORK = """
import swath
for step in range(n):
    print("step", step, flush=True)
    swath.progress((step + 1) / n, f"step {step}")
swath.emit("double", {"value": 2 * n, "text": "\\u2028"})
"""


def _command(stack: Any, *arguments: str, user: str = "bob") -> tuple[int, str, str]:
    environ = {**os.environ, **stack.environ, "SWATH_TOKEN": user, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "swath.cli", *arguments],
        env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert 'Traceback (most recent call last):\n  File "/' not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def published(stack: Any, write_notebook: Any) -> str:
    """A version that counts, published through the command as `ada`."""
    code, out, err = _command(stack, "publish", str(write_notebook(WORK, name="counting")), "--json", user="ada")
    assert code == 0, err
    told = json.loads(out)
    assert told["created"]
    return f"{told['owner']}/{told['name']}@{told['version']}"


def test_a_notebook_becomes_a_service_that_another_calls(
    stack: Any, as_user: Any, published: str, tmp_path: Path
) -> None:
    as_user("bob")
    assert [one["name"] for one in swath.algorithms("counting")] == ["counting"]
    run = swath.run("ada/counting", n=4)
    assert "".join(run.logs(follow=True)).count("step") == 4
    run.wait(timeout=90, progress=False)
    assert (run.status, run.progress, run.error) == ("finished", 1.0, None)
    assert 0 < run.cost <= run.quote
    assert set(run.results) == {"double", "notebook", "notebook-html"}
    assert run.results["double"].open() == {"value": 8, "text": "\u2028"}
    assert run.results["notebook"].open()["cells"]
    saved = run.results.download(tmp_path)
    assert sorted(path.name for path in saved) == ["double.json", "notebook-html.html", "notebook.ipynb"]
    assert run.logs() == "".join(run.logs(follow=True))
    assert swath.runs(limit=5)[0].id == run.id
    assert swath.get_run(run.id).digest == run.digest


def test_the_same_key_is_the_same_run(as_user: Any, published: str) -> None:
    as_user("bob")
    first = swath.run("ada/counting", n=1, idempotency_key="mine")
    assert swath.run("ada/counting", n=1, idempotency_key="mine").id == first.id
    with pytest.raises(Invalid, match="another request"):
        swath.run("ada/counting", n=2, idempotency_key="mine")
    first.wait(timeout=90, progress=False)


def test_parameters_that_do_not_fit_are_all_told_before_anything_is_held(as_user: Any, published: str) -> None:
    as_user("bob")
    before = len(swath.runs(limit=200))
    with pytest.raises(Invalid) as caught:
        swath.run("ada/counting", n="three", m=1)
    assert {finding["field"] for finding in caught.value.findings} == {"n", "m"}
    assert all(finding["mend"] for finding in caught.value.findings)
    assert len(swath.runs(limit=200)) == before


def test_a_failed_cell_is_told_with_its_traceback(as_user: Any, write_notebook: Any) -> None:
    as_user("ada")
    path = write_notebook("import swath\nprint('before')", "1 / 0", "swath.emit('x', n)", name="failing")
    swath.publish(path)
    with pytest.raises(RunFailed) as caught:
        swath.run("ada/failing").wait(timeout=90, progress=False)
    assert caught.value.code == "cell-failed"
    assert caught.value.cell == 2
    assert "ZeroDivisionError" in caught.value.traceback
    assert "cell 3" in str(caught.value)


def test_publishing_again_changes_nothing_and_another_under_its_number_conflicts(
    as_user: Any, write_notebook: Any
) -> None:
    as_user("ada")
    path = write_notebook(name="again", version="1.0.0")
    first = swath.publish(path)
    again = swath.publish(path)
    assert (first.created, again.created, again.digest) == (True, False, first.digest)
    with pytest.raises(Conflict):
        swath.publish(write_notebook("import swath\nswath.emit('other', n)", name="again", version="1.0.0"))


def test_a_notebook_that_cannot_be_published_is_told_alike_here_and_there(as_user: Any, write_notebook: Any) -> None:
    as_user("ada")
    path = write_notebook("open('/etc/passwd')", name="wrong", environment="nowhere", parameters="x = 1\ny: set = 2")
    here = swath.validate(path)
    assert not here.ok
    assert here.environments_checked
    with pytest.raises(Invalid) as caught:
        swath.publish(path)
    assert [(f["code"], f.get("cell"), f.get("line")) for f in caught.value.findings] == [
        (f["code"], f.get("cell"), f.get("line")) for f in here.findings
    ]


def test_who_may_not_is_told(as_user: Any, stack: Any, published: str) -> None:
    as_user("reader")
    assert swath.whoami().lacking == ("custom:swath:publish", "custom:swath:execute")
    with pytest.raises(Forbidden, match="custom:swath:execute"):
        swath.run("ada/counting", n=1)
    as_user("nobody-knows-this-token")
    with pytest.raises(NotSignedIn):
        swath.runs()
    as_user("bob")
    run = swath.run("ada/counting", n=1)
    as_user("cyd")
    with pytest.raises(NotFound):
        swath.get_run(run.id)
    as_user("bob")
    run.wait(timeout=90, progress=False)


def test_the_command_walks_it_too(stack: Any, published: str, tmp_path: Path) -> None:
    code, out, err = _command(stack, "run", published, "-p", "n=3", "-o", str(tmp_path / "o"), "--follow")
    assert code == 0, err
    assert out.startswith("step 0\nstep 1\nstep 2\n")
    assert json.loads((tmp_path / "o" / "double.json").read_text())["value"] == 6
    code, out, _ = _command(stack, "show", "ada/counting")
    assert code == 0
    assert "How many" in out
    assert _command(stack, "run", published, "-p", "n=x")[0] == 5
    assert _command(stack, "run", "ada/nothing-here")[0] == 6
    assert _command(stack, "run", f"{published.partition('@')[0]}@^9")[0] == 6


def test_a_run_is_canceled_while_it_goes(as_user: Any, stack: Any, write_notebook: Any) -> None:
    as_user("ada")
    swath.publish(write_notebook("import time\nprint('on', flush=True)\ntime.sleep(600)", name="sleeping"))
    as_user("bob")
    run = swath.run("ada/sleeping")
    assert next(run.logs(follow=True)).strip() == "on"
    code, _, err = _command(stack, "cancel", run.id)
    assert code == 0, err
    run.wait(timeout=60, progress=False, raise_on_error=False)
    assert run.status == "canceled"


def test_a_version_is_yanked_with_a_reason(stack: Any, write_notebook: Any) -> None:
    path = str(write_notebook(name="yanking", version="1.0.0"))
    assert _command(stack, "publish", path, user="ada")[0] == 0
    assert _command(stack, "yank", "ada/yanking@1.0.0", "--reason", "wrong bands", user="bob")[0] in (3, 6)
    assert _command(stack, "yank", "ada/yanking@1.0.0", "--reason", "wrong bands", user="ada")[0] == 0
    code, _, err = _command(stack, "run", "ada/yanking@^1", "-p", "n=1")
    assert code in (5, 6, 7), err
