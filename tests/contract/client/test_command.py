"""The command as a process: what it prints, where, and with which code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TOKEN = "good-token-0123456789"


class Command:
    """Runs `swath` with an environment of its own."""

    def __init__(self, url: str, home: Path) -> None:
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "SWATH_URL": url,
            "SWATH_TOKEN": TOKEN,
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }

    def start(self, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "swath.cli", *arguments],
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            **settings,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=60)
        assert "Traceback" not in err
        return process.returncode, out, err


@pytest.fixture
def swath(fake: Any, tmp_path: Path) -> Command:
    fake.files = {"data": b"a,b\n1,2\n"}
    return Command(fake.url, tmp_path)


def test_a_quote_is_told_and_nothing_is_run(swath: Command, fake: Any) -> None:
    code, out, _ = swath("run", "ada/ndvi@^1", "-p", "count=2", "--quote")
    assert code == 0
    assert "2.01 credits, 8.0 s" in out
    assert "learnt from 40 past runs" in out
    _, told, _ = swath("run", "ada/ndvi@^1", "-p", "count=2", "--budget", "2.05", "--quote", "--json")
    assert (json.loads(told)["hold_millicredits"], json.loads(told)["estimate"]["upper"]) == (2050, 2100)
    assert swath("run", "ada/ndvi@^1", "-p", "count=2", "--quote", "--no-wait")[0] == 2
    assert fake.runs == {}


def test_runs_waits_and_saves(swath: Command, fake: Any, tmp_path: Path) -> None:
    arguments = ["-p", "count=2", "-p", "label=7", "-p", "bbox=5,51,6,52", "--budget", "2.5", "-o", str(tmp_path / "o")]
    code, out, err = swath("run", "ada/ndvi@^1", *arguments)
    assert code == 0
    assert fake.bodies[0]["parameters"] == {"count": 2, "label": "7", "bbox": [5.0, 51.0, 6.0, 52.0]}
    assert fake.bodies[0]["budget_millicredits"] == 2500
    assert (tmp_path / "o" / "data.csv").read_bytes() == b"a,b\n1,2\n"
    assert "1.5 credits" in out
    assert "ada/ndvi@1.2.0: finished" in err


def test_json_is_one_document_on_standard_output(swath: Command, tmp_path: Path) -> None:
    code, out, err = swath("run", "ada/ndvi", "-p", "count=2", "--json", "-o", str(tmp_path / "o"))
    told = json.loads(out)
    assert (code, told["status"], told["saved"][0]["name"], err) == (0, "finished", "data", "")


def test_follows_the_log(swath: Command) -> None:
    code, out, _ = swath("run", "ada/ndvi", "-p", "count=2", "--follow")
    assert code == 0
    assert out.startswith("one\ntwo\nthree\n")
    code, out, _ = swath("run", "ada/ndvi", "-p", "count=2", "--follow", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert [one.get("type") for one in told] == ["log", "log", "log", None]
    assert told[-1]["status"] == "finished"


def test_does_not_wait_when_told(swath: Command, fake: Any) -> None:
    assert swath("run", "ada/ndvi", "-p", "count=2", "--no-wait")[:2] == (0, "r1\n")
    assert fake.runs["r1"]["status"] == "created"
    code, out, _ = swath("logs", "-f", "r1")
    assert (code, out) == (0, "one\ntwo\nthree\n")
    assert swath("logs", "r1")[:2] == (0, "one\ntwo\nthree\n")
    assert swath("run", "ada/ndvi", "--no-wait", "--follow")[0] == 2


def test_reads_parameters_from_a_file_and_from_standard_input(swath: Command, fake: Any, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"count": 2, "label": "a"}')
    assert swath("run", "ada/ndvi", "--params", str(file), "-p", "label=b", "--no-wait")[0] == 0
    assert swath("run", "ada/ndvi", "--params", "-", "--no-wait", stdin='{"count": 3}')[0] == 0
    assert [body["parameters"] for body in fake.bodies] == [{"count": 2, "label": "b"}, {"count": 3}]


ERROR = {"status": "error", "error": {"code": "cell-failed", "cell": 0, "message": "boom", "traceback": "Trace\nboom"}}


@pytest.mark.parametrize(
    ("arguments", "outcome", "code", "word"),
    [
        (["run", "ada/ndvi", "-p", "count=2"], ERROR, 1, "cell-failed"),
        (["run", "ada/ndvi", "-p", "count=2"], {"status": "canceled"}, 1, "canceled"),
        (
            ["run", "ada/ndvi", "-p", "count=2"],
            {"status": "error", "refusal": {"code": "poor", "message": "m"}},
            4,
            "poor",
        ),
        (["run", "ada/ndvi", "--wrong"], {}, 2, "usage"),
        (["nothing"], {}, 2, "usage"),
        (["run", "ada/ndvi", "-p", "count=2", "--budget", "0.001"], {}, 4, "budget-too-small"),
        (["run", "ada/ndvi", "-p", "x=2"], {}, 5, "invalid-parameters"),
        (["run", "ada/ndvi", "-p", "bbox=[5,"], {}, 5, "unreadable-parameters"),
        (["run", "ada/ndvi", "-p", "nothing"], {}, 5, "unreadable-parameters"),
        (["run", "ndvi"], {}, 5, "bad-reference"),
        (["run", "ada/nothing"], {}, 6, "no-such-algorithm"),
        (["status", "nope"], {}, 6, "no-such-run"),
        (["publish", "nope.ipynb"], {}, 6, "no-such-file"),
    ],
)
def test_every_failure_has_its_code(
    swath: Command, fake: Any, arguments: list[str], outcome: dict[str, Any], code: int, word: str
) -> None:
    fake.outcome = outcome or fake.outcome
    got, _, err = swath(*arguments, "--json")
    told = json.loads(err)["error"]
    assert (got, told["exit_code"], told["code"]) == (code, code, word)
    got, _, err = swath(*arguments)
    assert got == code
    assert "Error: " in err


def test_a_failed_run_is_told_with_the_notebooks_traceback(swath: Command, fake: Any) -> None:
    fake.outcome = ERROR
    _, _, err = swath("run", "ada/ndvi", "-p", "count=2")
    assert "failed with cell-failed in cell 1: boom" in err
    assert "Trace\nboom" in err


def test_not_signed_in_and_unreachable_have_their_codes(swath: Command) -> None:
    swath.environ["SWATH_TOKEN"] = "old-token-0123456789"
    code, _, err = swath("wallet")
    assert code == 3
    assert "old-token" not in err
    del swath.environ["SWATH_TOKEN"]
    assert swath("wallet")[0] == 3
    swath.environ |= {"SWATH_TOKEN": TOKEN, "SWATH_URL": "http://127.0.0.1:9/"}
    assert swath("wallet")[0] == 8
    swath.environ["SWATH_URL"] = "http://swath.example.org/"
    code, _, err = swath("wallet")
    assert code == 5
    assert "does not encrypt" in err


def test_publishing_over_another_version_conflicts(swath: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    notebook = {"cells": [], "metadata": {"swath": {"name": "mine", "version": "1.0.0"}}, "nbformat": 4}
    path.write_text(json.dumps(notebook))
    code, out, _ = swath("publish", str(path))
    assert code == 0
    assert out.startswith("published: bob/mine@1.0.0 (sha256:")
    path.write_text(json.dumps({**notebook, "cells": [1]}))
    assert swath("publish", str(path))[0] == 7
    path.write_text(json.dumps({"cells": [], "metadata": {}}))
    code, _, err = swath("publish", str(path))
    assert code == 5
    assert "unannotated" in err
    assert "x: int" in err


@pytest.mark.parametrize("follow", [[], ["--follow"], ["--json"]])
def test_an_interrupt_lets_the_run_go_on_and_says_how_to_come_back(
    swath: Command, fake: Any, follow: list[str]
) -> None:
    fake.outcome = {"status": "running"}
    fake.stall = True
    process = swath.start("run", "ada/ndvi", "-p", "count=2", *follow)
    try:
        until = time.monotonic() + 30
        while not fake.last_ids and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "swath logs -f r1" in err
    assert "Traceback" not in err
    assert not any(asked.startswith("DELETE") for asked in fake.asked)


def test_shows_and_lists_without_letting_others_drive_the_terminal(swath: Command, fake: Any) -> None:
    fake.run("r1", status="finished", name="x\x1b[2J")
    for arguments in (["show", "ada/ndvi"], ["runs"], ["status", "r1"], ["results", "r1"], ["algorithms"], ["wallet"]):
        code, out, err = swath(*arguments)
        assert code == 0, err
        assert "\x1b" not in out
        assert out.strip()
        code, out, _ = swath(*arguments, "--json")
        assert code == 0
        assert json.loads(out)
    _, out, _ = swath("show", "ada/ndvi")
    assert "Annotated[int, Bounds(ge=1)]" in out
    assert "str | None" in out
    assert "hologram" in out
    assert "1.1.0 (yanked)" in out


def test_maturity_is_told_with_what_is_missing(swath: Command) -> None:
    code, out, err = swath("maturity", "ada/ndvi@1.2.0")
    assert code == 0, err
    assert "verified (its author may ask for added value)" in out
    assert "every criterion of verified is met" in out
    assert "Missing for validated:" in out
    assert "no validation report is attached" in out
    assert "attach validation.md" in out
    assert "eve, technical: approve (a remark)" in out
    assert "\x1b" not in out
    assert json.loads(swath("maturity", "ada/ndvi@1.2.0", "--json")[1])["next"]["level"] == "validated"
    assert "maturity     verified" in swath("show", "ada/ndvi")[1]


def test_the_history_of_assessments_is_read_page_by_page(swath: Command) -> None:
    code, out, _ = swath("maturity", "ada/ndvi@1.2.0", "--history", "--limit", "300", "--json")
    assert code == 0
    assert [one["number"] for one in json.loads(out)["assessments"]] == list(range(450, 150, -1))
    table = swath("maturity", "ada/ndvi@1.2.0", "--history", "--limit", "2")[1].splitlines()
    assert len(table) == 3
    assert table[1].split()[0] == "450"
    assert table[1].endswith("validation-report")


def test_a_review_is_given_as_text_or_file(swath: Command, fake: Any, tmp_path: Path) -> None:
    words = "I read it from the first cell to the last."
    given = ["review", "ada/ndvi@1.2.0", "--kind", "technical", "--verdict", "approve"]
    code, out, err = swath(*given, "--text", words)
    assert (code, out) == (0, "technical review no. 3 of ada/ndvi@1.2.0: approve\n")
    assert "kept as a remark" in err
    assert fake.bodies[-1] == {"kind": "technical", "verdict": "approve", "text": words}
    (tmp_path / "review.md").write_text(words * 2)
    assert json.loads(swath(*given, "--file", str(tmp_path / "review.md"), "--json")[1])["text"] == words * 2
    assert swath(*given, "--file", "-", stdin=words)[0] == 0
    assert fake.bodies[-1]["text"] == words
    count = len(fake.bodies)
    for wrong, told in (
        ([], "either --text or --file"),
        (["--text", words, "--file", "-"], "either --text or --file"),
        (["--file", str(tmp_path / "none.md")], "there is no file"),
        (["--file", str(tmp_path)], "cannot be read"),
    ):
        code, _, err = swath(*given, *wrong)
        assert code != 0
        assert told in err
    assert len(fake.bodies) == count
    code, _, err = swath(*given, "--text", "fine")
    assert (code, "too short" in err) == (5, True)


def test_cancels_yanks_and_lists_environments(swath: Command, fake: Any) -> None:
    fake.run("r1")
    assert swath("cancel", "r1")[:2] == (0, "r1 is canceled\n")
    assert swath("yank", "ada/ndvi@1.1.0", "--reason", "wrong bands")[:2] == (0, "Yanked ada/ndvi@1.1.0: wrong bands\n")
    assert "eo" in swath("environments")[1]
    assert json.loads(swath("runs", "--status", "canceled", "--json")[1])["runs"][0]["id"] == "r1"
    assert swath("runs", "--status", "nonsense")[0] == 2


def test_signs_in_by_standard_input_and_out_again(swath: Command, fake: Any) -> None:
    del swath.environ["SWATH_TOKEN"], swath.environ["SWATH_URL"]
    code, out, err = swath("login", fake.url)
    assert code == 5, "without a terminal and without --token-stdin nothing can be asked"
    code, out, err = swath("login", fake.url, "--token-stdin", stdin=TOKEN + "\n")
    assert (code, out) == (0, f"Signed in as bob at {fake.url}\n")
    assert TOKEN not in out + err
    assert json.loads(swath("whoami", "--json")[1])["name"] == "bob"
    code, out, _ = swath("logout")
    assert code == 0
    assert f"{fake.url}hub/token" in out
    assert swath("whoami")[0] == 3
    assert swath("logout")[0] == 3
    assert swath("login", "http://127.0.0.1:9/", "--token-stdin", stdin="x")[0] == 8
    assert swath("login", fake.url, "--token-stdin", stdin="wrong-token\n")[0] == 3


def test_asks_for_the_token_unseen_on_a_terminal(swath: Command, fake: Any) -> None:
    pty = pytest.importorskip("pty")
    del swath.environ["SWATH_TOKEN"], swath.environ["SWATH_URL"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "swath.cli", "login", fake.url], swath.environ)
    seen = b""
    try:
        while b"Token (is not shown)" not in seen:
            seen += os.read(terminal, 4096)
        os.write(terminal, TOKEN.encode() + b"\n")
        while b"Signed in as bob" not in seen:
            seen += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert TOKEN.encode() not in seen
    assert b"/hub/token" in seen


def test_a_closed_pipe_is_no_fault(swath: Command, fake: Any) -> None:
    fake.events["r1"] = [{"seq": 0, "type": "log", "text": "x" * 3_000_000}]
    fake.run("r1")
    process = swath.start("logs", "r1")
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=30)
    assert "Traceback" not in err
    assert "Error" not in err


def test_two_runs_are_compared_by_their_results(swath: Command, fake: Any, tmp_path: Path) -> None:
    for run_id in ("r1", "r2"):
        fake.run(run_id, status="finished")
    code, out, _ = swath("diff", "r1", "r2")
    assert code == 0
    assert "data" in out
    assert "identical" in out
    swath("results", "r1", "-o", str(tmp_path / "kept"))
    (tmp_path / "kept" / "data.csv").write_text("a,b\n1,3\n")
    code, out, _ = swath("diff", str(tmp_path / "kept"), "r2", "--json")
    assert code == 1
    assert json.loads(out)["comparisons"]["data"]["differences"][0]["where"] == "row 0, column b"
    assert swath("diff", "r1", "nobody")[0] == 6


def test_the_server_compares_two_runs_and_only_the_answer_is_fetched(swath: Command, fake: Any, tmp_path: Path) -> None:
    words = ["--on-server", "--rtol", "0.001", "--ignore", "$.a b", "--only", "data", "--pictures", str(tmp_path / "p")]
    code, out, err = swath("diff", "r1", "r2", *words)
    assert code == 1
    assert "band 1, row 0, column 0" in out
    assert str(tmp_path / "p" / "data.png") in err
    assert (tmp_path / "p" / "data.png").read_bytes() == b"\x89PNG"
    assert "GET /services/marketplace/runs/r2/comparison" in fake.asked
    assert "with=r1&rtol=0.001&ignore=%24.a+b&name=data" in fake.asked
    assert not [path for path in fake.asked if path.endswith("/results")]
