"""Homes that hostile users filled, samples, kernelspecs."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from swath_hub import homes, kernelspecs
from swath_hub.errors import OperatorError


def test_a_home_is_its_users_alone(tmp_path: Path) -> None:
    home = tmp_path / "ada"
    homes.prepare(home, uid=None)
    (home / "kept").write_text("x")
    home.chmod(0o777)
    homes.prepare(home, uid=None)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / "kept").read_text() == "x"
    assert (home / "samples").is_dir()


def test_a_link_in_place_of_samples_is_moved_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    home = tmp_path / "ada"
    home.mkdir()
    (home / "samples").symlink_to(target)
    homes.prepare(home, uid=os.geteuid())
    assert not (home / "samples").is_symlink()
    assert (home / "samples").is_dir()
    assert not list(target.iterdir())
    assert len(list(home.glob("samples.*"))) == 1


def test_a_home_that_is_a_link_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(OperatorError) as told:
            homes.prepare(tmp_path / name, uid=None)
        assert told.value.code == "home-unusable"


def test_samples_are_rebuilt_whole(tmp_path: Path) -> None:
    source = tmp_path / "algorithms"
    (source / "ndvi" / "__pycache__").mkdir(parents=True)
    (source / "ndvi" / "notebook.ipynb").write_text("{}")
    target = tmp_path / "samples"
    homes.build_samples(target, [source])
    (target / "old.txt").write_text("stale")
    homes.build_samples(target, [source])
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == [
        "algorithms/ndvi/notebook.ipynb"
    ]
    assert stat.S_IMODE((target / "algorithms" / "ndvi" / "notebook.ipynb").stat().st_mode) == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["algorithms", "samples"]


def _environment(folder: Path, name: str, **fields: object) -> Path:
    place = folder / name
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").write_text("")
    (place / "environment.json").write_text(json.dumps({"name": name, "title": name.upper(), **fields}))
    return place


def test_only_whole_environments_are_kernels(tmp_path: Path) -> None:
    built = tmp_path / "environments"
    _environment(built, "eo", python="bin/python")
    _environment(built, "sar")
    _environment(built, "gone", python="/no/such/python")
    (_environment(built, "half") / "environment.json").unlink()
    (_environment(built, "broken") / "environment.json").write_text("{")
    found = kernelspecs.built(built)
    assert [environment.name for environment in found] == ["eo", "sar"]
    assert all(environment.python.is_absolute() for environment in found)
    target = tmp_path / "jupyter"
    (target / "kernels" / "stale").mkdir(parents=True)
    kernelspecs.write(target, found)
    assert sorted(path.name for path in (target / "kernels").iterdir()) == ["python3", "sar"]
    spec = json.loads((target / "kernels" / "python3" / "kernel.json").read_text())
    assert spec["display_name"] == "EO"
    assert spec["argv"][0] == str(built / "eo" / "bin" / "python")
    assert spec["env"] == {"SWATH_ENVIRONMENT": "eo"}
    settings = json.loads((target / "settings" / "jupyter_server_config.json").read_text())
    assert settings["KernelManager"]["transport"] == "ipc"


def test_no_environment_is_no_kernel(tmp_path: Path) -> None:
    assert kernelspecs.built(tmp_path / "none") == []
    assert kernelspecs.default([]) is None
    kernelspecs.write(tmp_path / "jupyter", [])
    assert list((tmp_path / "jupyter" / "kernels").glob("*")) == []
