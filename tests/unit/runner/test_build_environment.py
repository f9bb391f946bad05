"""Building an environment: what is installed when, with a stand-in for uv that only takes notes."""

from __future__ import annotations

import importlib.util
import json
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "kernels/environments/build.py"
UV = """#!{python}
import os, pathlib, sys
arguments = sys.argv[1:]
with open({notes!r}, "a") as notes:
    notes.write(" ".join(arguments[:3]) + "\\n")
if "PYTHONDONTWRITEBYTECODE" in os.environ:
    sys.exit("bytecode would not be written")
if pathlib.Path({broken!r}).exists() and arguments[0] == "pip":
    sys.exit("no such package")
if arguments[0] == "venv":
    folder = pathlib.Path(arguments[-1])
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin/python").unlink(missing_ok=True)
    (folder / "bin/python").symlink_to({python!r})
"""


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, moved to a small checkout of its own."""
    spec = importlib.util.spec_from_file_location("swath_build_environment", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checkout = tmp_path / "checkout"
    here = checkout / "kernels/environments"
    (here / "eo").mkdir(parents=True)
    (checkout / "kernels/swath").mkdir()
    (checkout / "kernels/swath/__init__.py").write_text("")
    (checkout / "pyproject.toml").write_text("")
    (here / "build.py").write_text("")
    (here / "eo/requirements.lock").write_text("numpy==1\n")
    (here / "eo/pyproject.toml").write_text('[tool.swath.environment]\ntitle = "A \\"title\\""\n')
    (here / "eo/kernel.json").write_text((SCRIPT.parent / "eo/kernel.json").read_text())
    monkeypatch.setattr(module, "HERE", here)
    monkeypatch.setattr(module, "CHECKOUT", checkout)
    monkeypatch.setattr(module, "__file__", str(here / "build.py"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    uv = tmp_path / "uv"
    broken, notes = str(tmp_path / "broken"), str(tmp_path / "notes")
    uv.write_text(UV.format(python=sys.executable, notes=notes, broken=broken))
    uv.chmod(0o755)
    return module


def call(build: Any, tmp_path: Path, *, name: str = "eo") -> tuple[int, list[str]]:
    """Build, and say what uv was asked for."""
    notes = tmp_path / "notes"
    notes.unlink(missing_ok=True)
    arguments = [name, "--uv", str(tmp_path / "uv"), "--python", sys.executable, "--target", str(tmp_path / "data/eo")]
    code = build.main(arguments)
    return code, notes.read_text().splitlines() if notes.exists() else []


FULL = ["venv --quiet --clear", "pip --quiet sync", "pip --quiet install"]
OURS = ["pip --quiet install"]


def test_a_fresh_environment_is_built_and_described(build: Any, tmp_path: Path) -> None:
    assert call(build, tmp_path) == (0, FULL)
    target = tmp_path / "data/eo"
    lock = (tmp_path / "checkout/kernels/environments/eo/requirements.lock").read_bytes()
    place = target.with_name(f"eo@{sha256(lock).hexdigest()[:12]}")
    assert target.readlink() == Path(place.name)
    assert json.loads((target / "environment.json").read_text()) == {
        "name": "eo",
        "title": 'A "title"',
        "lock_sha256": sha256(lock).hexdigest(),
        "python": str(place / "bin/python"),
    }
    assert (target / "requirements.lock").read_bytes() == lock
    kernel = json.loads((target / "share/jupyter/kernels/python3/kernel.json").read_text())
    assert kernel["argv"][0] == str(place / "bin/python")
    assert kernel["display_name"] == 'A "title"'


def test_what_is_current_is_left_alone(build: Any, tmp_path: Path) -> None:
    call(build, tmp_path)
    assert call(build, tmp_path) == (0, [])


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("kernels/swath/__init__.py", OURS),
        ("kernels/swath/new.py", OURS),
        ("kernels/swath/__pycache__/x.pyc", []),
        ("pyproject.toml", OURS),
        ("kernels/environments/eo/requirements.lock", FULL),
        ("kernels/environments/eo/kernel.json", FULL),
    ],
)
def test_a_change_installs_what_it_touches(build: Any, tmp_path: Path, path: str, asked: list[str]) -> None:
    call(build, tmp_path)
    changed = tmp_path / "checkout" / path
    changed.parent.mkdir(exist_ok=True)
    changed.write_text((changed.read_text() if changed.exists() else "") + "\n")
    assert call(build, tmp_path) == (0, asked)
    assert call(build, tmp_path) == (0, [])


def test_a_build_that_fails_leaves_nothing_that_counts_as_built(
    build: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(build, tmp_path)
    (tmp_path / "broken").touch()
    (tmp_path / "checkout/pyproject.toml").write_text("changed = true\n")
    assert call(build, tmp_path)[0] == 1
    assert "no such package" in capsys.readouterr().err
    assert not (tmp_path / "data/eo/environment.json").exists()
    (tmp_path / "broken").unlink()
    assert call(build, tmp_path) == (0, FULL)


def change_lock(tmp_path: Path, content: str) -> str:
    """Another lock in the checkout; answers the first digits of its sha256."""
    (tmp_path / "checkout/kernels/environments/eo/requirements.lock").write_text(content)
    return sha256(content.encode()).hexdigest()[:12]


def test_a_new_lock_is_built_beside_the_older_one(build: Any, tmp_path: Path) -> None:
    call(build, tmp_path)
    target = tmp_path / "data/eo"
    first = target.resolve()
    second = change_lock(tmp_path, "numpy==2\n")
    assert call(build, tmp_path) == (0, FULL)
    assert target.resolve().name == f"eo@{second}"
    assert (first / "environment.json").is_file()
    change_lock(tmp_path, "numpy==1\n")
    assert call(build, tmp_path) == (0, []), "the older build is still whole: its name is all that changes"
    assert target.resolve() == first
    assert call(build, tmp_path) == (0, [])


def test_a_new_lock_that_cannot_be_built_leaves_the_older_build_in_use(build: Any, tmp_path: Path) -> None:
    call(build, tmp_path)
    first = (tmp_path / "data/eo").resolve()
    change_lock(tmp_path, "numpy==2\n")
    (tmp_path / "broken").touch()
    assert call(build, tmp_path)[0] == 1
    assert (tmp_path / "data/eo").resolve() == first
    assert (first / "environment.json").is_file()


def plain_folder(build: Any, tmp_path: Path) -> Path:
    """An environment as it was before there was one build for each lock: a folder of its name."""
    call(build, tmp_path)
    target, place = tmp_path / "data/eo", (tmp_path / "data/eo").resolve()
    (place / "bin/tool").write_text(f"#!{place}/bin/python\nprint()\n")
    (place / "bin/tool").chmod(0o755)
    target.unlink()
    place.rename(target)
    build.places._say_where(target, before=place)
    return target


def test_a_plain_folder_is_used_for_its_own_lock_and_set_aside_for_another(build: Any, tmp_path: Path) -> None:
    target = plain_folder(build, tmp_path)
    assert (target / "bin/tool").read_text().startswith(f"#!{target}/bin/python")
    assert call(build, tmp_path) == (0, [])
    first, second = sha256(b"numpy==1\n").hexdigest()[:12], change_lock(tmp_path, "numpy==2\n")
    assert call(build, tmp_path) == (0, FULL)
    assert target.readlink() == Path(f"eo@{second}")
    aside = target.with_name(f"eo@{first}")
    assert json.loads((aside / "environment.json").read_text())["python"] == f"{aside}/bin/python"
    assert (aside / "bin/tool").read_text().startswith(f"#!{aside}/bin/python")
    assert (aside / "bin/tool").stat().st_mode & 0o111
    kernel = json.loads((aside / "share/jupyter/kernels/python3/kernel.json").read_text())
    assert kernel["argv"][0] == f"{aside}/bin/python"
    change_lock(tmp_path, "numpy==1\n")
    assert call(build, tmp_path) == (0, []), "set aside, it counts as built"


def test_what_is_no_environment_is_not_touched(build: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/eo").mkdir(parents=True)
    (tmp_path / "data/eo/thesis.txt").write_text("mine")
    assert call(build, tmp_path)[0] == 1
    assert "move it away" in capsys.readouterr().err
    assert (tmp_path / "data/eo/thesis.txt").read_text() == "mine"


def test_an_interpreter_that_is_gone_is_built_anew(build: Any, tmp_path: Path) -> None:
    call(build, tmp_path)
    python = tmp_path / "data/eo/bin/python"
    python.unlink()
    python.symlink_to("nowhere")
    assert call(build, tmp_path) == (0, FULL)


def test_an_environment_that_is_not_there(build: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(build, tmp_path, name="none") == (1, [])
    assert "There is no environment 'none'" in capsys.readouterr().err


def test_the_lock_names_hashes_and_no_host() -> None:
    for lock in SCRIPT.parent.glob("*/requirements.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        assert "rfc3987-syntax" not in text
        packages = [line for line in text.splitlines() if line[:1].isalnum()]
        assert len(packages) > 50
        assert all("==" in line and line.endswith("\\") for line in packages)
