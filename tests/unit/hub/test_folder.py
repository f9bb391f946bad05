"""Data folder, state, lock, ports, secrets."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from swath_hub import lock, ports, secret
from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder, default_root
from swath_hub.processes import ProcessId
from swath_hub.settings import HubSettings
from swath_hub.state import State, load, save


def test_where_data_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWATH_DATA", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("SWATH_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_root() == tmp_path / "swath"


def test_folders_are_made_closed_and_closed_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    folder.secrets.chmod(0o755)
    folder.create()
    for private in (folder.secrets, folder.hub, folder.servers, folder.clusters, folder.logs, folder.service("quota")):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700, private
    assert folder.homes.is_dir()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError) as told:
        DataFolder(tmp_path / "file" / "data").create()
    assert told.value.code == "data-folder"


def test_state_comes_back(tmp_path: Path) -> None:
    assert load(tmp_path / "state.json") == State()
    me = ProcessId.of(os.getpid())
    assert me is not None
    state = State(ports={"public": 8000, "hub": 20001}).with_hub(me, started_at="2026-01-01T00:00:00+00:00")
    save(tmp_path / "state.json", state)
    assert load(tmp_path / "state.json") == state
    assert load(tmp_path / "state.json").running
    assert state.url == "http://127.0.0.1:8000/"
    assert State(bind="0.0.0.0", ports={"public": 1}).url == "http://127.0.0.1:1/"
    assert State(bind="::1", ports={"public": 1}).url == "http://[::1]:1/"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 9}', '{"version": 1, "bind": "x", "ports": [1]}'])
def test_state_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(OperatorError) as told:
        load(tmp_path / "state.json")
    assert told.value.code == "state-unreadable"


def test_a_process_is_not_its_number(tmp_path: Path) -> None:
    del tmp_path
    me = ProcessId.of(os.getpid())
    assert me is not None
    assert me.alive()
    assert not ProcessId(pid=me.pid, started=me.started + 1, boot=me.boot).alive()
    assert not ProcessId(pid=me.pid, started=me.started, boot="another boot").alive()
    assert ProcessId.from_dict(me.as_dict()) == me
    assert ProcessId.from_dict({"pid": "x"}) is None
    assert ProcessId.from_dict(None) is None


def test_one_holds_the_lock_until_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"""
from pathlib import Path
from swath_hub import lock
lock.take(Path({str(path)!r}))
print(1, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "1\n"
        assert lock.held(path)
        with pytest.raises(OperatorError) as told:
            lock.take(path, wait_seconds=0.2)
        assert told.value.code == "already-running"
        ending = threading.Timer(0.3, holder.stdin.close)
        ending.start()
        # It waits for one that is ending.
        descriptor = lock.take(path, wait_seconds=20)
        holder.wait()
    os.close(descriptor)
    assert not lock.held(path)


def test_ports_are_free_apart_and_kept() -> None:
    first = ports.choose({}, bind="127.0.0.1", wanted=None)
    assert set(first) == {"public", *ports.INTERNAL}
    assert len(set(first.values())) == len(first)
    assert all(20_000 <= port <= 32_000 for name, port in first.items() if name != "public")
    assert ports.choose(first, bind="127.0.0.1", wanted=None) == first
    assert ports.choose(first, bind="127.0.0.1", wanted=ports.pick(first.values()))["hub"] == first["hub"]


def test_ports_that_others_took() -> None:
    kept = ports.choose({}, bind="127.0.0.1", wanted=ports.pick(()))
    with socket.create_server(("127.0.0.1", kept["quota"])):
        again = ports.choose(kept, bind="127.0.0.1", wanted=None, wait_seconds=0.1)
    assert again["quota"] != kept["quota"]
    assert {**again, "quota": 0} == {**kept, "quota": 0}
    for name in ("public", "hub"):
        with socket.create_server(("127.0.0.1", kept[name])), pytest.raises(OperatorError) as told:
            ports.choose(kept, bind="127.0.0.1", wanted=None, wait_seconds=0.1)
        assert told.value.code == "port-taken"
        assert str(kept[name]) in told.value.message


def test_a_secret_is_made_once_and_closed(tmp_path: Path) -> None:
    made: list[str] = []
    barrier = threading.Barrier(4)

    def take() -> None:
        barrier.wait()
        made.append(secret.proxy_token(tmp_path))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["proxy-token"]
    assert stat.S_IMODE((tmp_path / "proxy-token").stat().st_mode) == 0o600


def test_a_secret_that_others_may_have_read(tmp_path: Path) -> None:
    secret.cookie_secret(tmp_path)
    (tmp_path / "cookie-secret").chmod(0o644)
    with pytest.raises(OperatorError) as told:
        secret.cookie_secret(tmp_path)
    assert told.value.code == "secret-exposed"
    assert (tmp_path / "cookie-secret").read_text().strip() not in told.value.message + told.value.mend


def test_passphrases_are_long_and_readable() -> None:
    made = {secret.passphrase() for _ in range(50)}
    assert len(made) == 50
    assert all(len(one) == 23 and not set(one) & set("ilou") for one in made)


def test_settings_travel_through_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = HubSettings(data=str(tmp_path), idle_timeout_seconds=60, allow_no_cgroups=True)
    monkeypatch.delenv("SWATH_HUB_SETTINGS", raising=False)
    with pytest.raises(OperatorError, match="SWATH_HUB_SETTINGS"):
        HubSettings.from_environment()
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert HubSettings.from_environment() == settings
    assert json.loads(settings.to_environment()["SWATH_HUB_SETTINGS"])["allow_no_bwrap"] is False
    with pytest.raises(OperatorError, match="idle timeout"):
        HubSettings(data=str(tmp_path), idle_timeout_seconds=-1)
