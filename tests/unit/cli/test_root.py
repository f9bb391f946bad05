"""The command's root: verbs found without importing them, help, and every error in one form."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import swath
import typer
from swath.cli import verbs
from swath.cli.app import app
from swath.cli.exits import BY_FAMILY, MEANINGS, Exit, exit_code
from swath.cli.failures import tell
from swath.client import errors
from typer.main import get_command, get_group
from typer.testing import CliRunner

SOURCE = Path(swath.__file__).parent.parent
runner = CliRunner()


def _points(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    found = [EntryPoint(name=name, value=value, group=verbs.GROUP) for name, value in values.items()]
    monkeypatch.setattr(verbs, "entry_points", lambda group: found if group == verbs.GROUP else [])


@pytest.mark.parametrize("name", sorted(verbs.CLIENT))
def test_each_verb_is_there_and_its_line_in_the_list_is_its_own_first_line(name: str) -> None:
    found = verbs.load(name)
    assert found is not None
    told = found.info.help if isinstance(found, typer.Typer) else found.__doc__
    assert str(told).splitlines()[0] == verbs.CLIENT[name].help
    result = runner.invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", sorted(verbs.CLIENT))
def test_each_verb_answers_in_json(name: str) -> None:
    found = verbs.load(name)
    if isinstance(found, typer.Typer):
        commands = []
        groups = [get_group(found)]
        while groups:
            for command in groups.pop().commands.values():
                (groups if hasattr(command, "commands") else commands).append(command)
        assert commands
    else:
        single = typer.Typer()
        single.command()(found)
        commands = [get_command(single)]
    for command in commands:
        assert any("--json" in parameter.opts for parameter in command.params), command.name


def test_help_lists_every_verb_and_every_exit_code() -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    for name in verbs.CLIENT:
        assert f" {name} " in result.output
    for code, meaning in MEANINGS.items():
        assert str(code.value) in result.output
        assert meaning.split(";")[0].split(",")[0] in result.output
    assert set(MEANINGS) == set(Exit)


def test_help_imports_no_verb_and_no_http() -> None:
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', *sorted(sys.modules)))\n"
        "sys.argv = ['swath', '--help']\n"
        "from swath.cli import main\n"
        "main()\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environ
    )
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert "swath.cli.app" in loaded
    servers = {"swath_hub", "swath_archive", "swath_marketplace", "swath_quota"}
    assert not {"httpx", "asyncio", "swath.cli.running", "swath.cli.catalogue", "swath.client.http", *servers} & loaded


def test_a_servers_verb_may_be_a_function_or_an_application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "some_server.py").write_text(
        "import typer\n"
        "def up(port: int = 1):\n    'Start.'\n    print('up', port)\n"
        "archive = typer.Typer(help='The archive.')\n"
        "@archive.command()\ndef init(): print('init')\n"
        "@archive.command('list')\ndef list_(): print('list')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _points(monkeypatch, up="some_server:up", archive="some_server:archive")
    assert runner.invoke(app, ["up", "--port", "7"]).output == "up 7\n"
    assert runner.invoke(app, ["archive", "list"]).output == "list\n"
    assert "The archive." in runner.invoke(app, ["archive", "--help"]).output
    sys.modules.pop("some_server")


def test_a_server_that_is_not_installed_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _points(monkeypatch, up="not_there_at_all:up")
    assert runner.invoke(app, ["--help"]).exit_code == 0
    result = runner.invoke(app, ["up"])
    assert result.exit_code == Exit.USAGE
    assert "not installed here" in result.stderr
    _points(monkeypatch)
    assert "not installed here" in runner.invoke(app, ["up"]).stderr


def test_a_verb_of_the_client_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    _points(monkeypatch, wallet="os:getcwd")
    assert verbs.server_verbs() == {}
    assert verbs.load("wallet") is importlib.import_module("swath.cli.account").wallet


def test_status_without_a_run_is_the_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "status_server.py").write_text(
        "def status(data: str = '', json: bool = False): print('on', data, json)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _points(monkeypatch, status="status_server:status")
    for arguments in ([], ["--json"], ["--data", "/x"]):
        result = runner.invoke(app, ["status", *arguments])
        assert result.output.startswith("on "), result.output
    assert not verbs.is_servers("status", ["r1", "--json"])
    assert not verbs.is_servers("status", ["--help"])
    _points(monkeypatch)
    assert runner.invoke(app, ["status"]).exit_code == Exit.USAGE
    sys.modules.pop("status_server")


def test_a_misspelt_verb_is_answered_with_the_nearest() -> None:
    result = runner.invoke(app, ["walet"])
    assert result.exit_code == Exit.USAGE
    assert "wallet" in result.stderr
    told = json.loads(runner.invoke(app, ["walet", "--json"]).stderr)
    assert told["error"]["code"] == "usage"


def _families() -> list[type[errors.SwathError]]:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.SwathError)]
    return [one for one in found if one is not errors.SwathError]


@pytest.mark.parametrize("family", _families(), ids=lambda family: family.__name__)
def test_every_family_of_errors_has_a_code(family: type[errors.SwathError]) -> None:
    assert any(kind.__name__ in BY_FAMILY for kind in family.__mro__)


def test_the_servers_own_errors_have_the_same_codes() -> None:
    service = pytest.importorskip("swath_service.errors")
    for kind in service.STATUSES:
        assert exit_code(kind(code="c", message="m")) is not Exit.RUN_FAILED, kind


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SWATH_DEBUG", raising=False)
    assert tell(ZeroDivisionError("oh"), as_json=False) is Exit.RUN_FAILED
    err = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in err
    assert "Traceback" not in err
    assert tell(PermissionError(13, "Permission denied", "/x"), as_json=True) is Exit.RUN_FAILED
    assert json.loads(capsys.readouterr().err)["error"]["message"] == "/x: Permission denied"
    monkeypatch.setenv("SWATH_DEBUG", "1")
    tell(ZeroDivisionError("oh"), as_json=False)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_findings_of_a_notebook_are_a_table_counted_from_one(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"code": "x", "severity": "error", "cell": 2, "line": 5, "message": "unannotated", "mend": "x: int"}
    tell(errors.Invalid("no", code="c", findings=[finding]), as_json=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2].split() == ["cell", "line", "severity", "what", "is", "wrong", "mend"]
    assert lines[3].split()[:4] == ["3", "5", "error", "unannotated"]
