"""What kernels show of what the hub has to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from swath import notices


def line(text: str) -> str:
    return json.dumps({"code": "credits-low", "text": text, "at": "2026-03-04T12:03:00+00:00"}) + "\n"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(notices, "_show", lambda notice: found.append(notice["text"]))
    return found


def test_each_new_line_is_shown_once(tmp_path: Path, shown: list[str]) -> None:
    path = tmp_path / "notices.jsonl"
    path.write_text(line("one"))
    watcher = notices.Watcher(str(path))
    watcher()
    watcher()
    with path.open("a") as stream:
        stream.write(line("two") + "no JSON\n" + "[]\n" + line("three")[:10])
    watcher()
    assert shown == ["one", "two"]
    with path.open("a") as stream:
        stream.write(line("three")[10:])
    watcher()
    assert shown == ["one", "two", "three"]


def test_a_file_begun_anew_is_read_anew(tmp_path: Path, shown: list[str]) -> None:
    path = tmp_path / "notices.jsonl"
    path.write_text(line("a long one"))
    watcher = notices.Watcher(str(path))
    watcher()
    path.write_text("")
    watcher()
    path.write_text(line("new"))
    watcher()
    assert shown == ["a long one", "new"]


def test_no_file_no_word_and_no_exception(tmp_path: Path, shown: list[str]) -> None:
    notices.Watcher(str(tmp_path / "none"))()
    (tmp_path / "folder").mkdir()
    notices.Watcher(str(tmp_path / "folder"))()
    assert shown == []


def test_in_a_shell_it_comes_after_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notices.jsonl"
    path.write_text("")
    monkeypatch.setenv(notices.VARIABLE, str(path))
    shell = InteractiveShell.instance()
    try:
        shell.run_cell("%load_ext swath.notices")
        assert notices.watch(), "a second time changes nothing"
        path.write_text(line("Credits run low."))
        shell.run_cell("print('cell')")
        printed = capsys.readouterr().out
        assert printed.index("cell") < printed.index("Swath, 12:03 UTC. Credits run low.")
        assert printed.count("Credits run low.") == 1
        path.unlink()
        assert shell.run_cell("1 + 1").success
        assert "rror" not in capsys.readouterr().out
    finally:
        shell.run_cell("%unload_ext swath.notices")
        InteractiveShell.clear_instance()


def test_outside_a_lab_server_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(notices.VARIABLE, raising=False)
    assert notices.watch() is False
