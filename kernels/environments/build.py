"""Builds a locked kernel environment: ``build.py NAME --uv UV --python PYTHON --target FOLDER``.

Standard library alone, because it runs before anything is installed. What is already as it should be is left alone, so
a second call takes a fraction of a second. `environment.json` is written last: a folder without it is half built, and
nobody uses it.

FOLDER becomes a link to ``FOLDER@<first 12 digits of the lock's sha256>``, where the environment really stands: a new
lock is built beside the older ones, so that versions published with those go on running, and a build that fails takes
nothing away.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import places  # noqa: E402 - it stands beside this script

CHECKOUT = HERE.parent.parent
STAMP = ".swath-stamp.json"
#: Variables that would change what uv installs, or keep bytecode from being written.
_UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")


class BuildFailed(Exception):
    """One step of the build did not succeed; the message says which."""


def digest(files: Iterable[Path]) -> str:
    """Of the files' names and contents, in a fixed order."""
    total = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        total.update(f"{path.relative_to(CHECKOUT)}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def sources() -> list[Path]:
    """Everything that goes into the installed `swath` distribution and can matter in a kernel."""
    found = [path for path in (CHECKOUT / "kernels" / "swath").rglob("*") if path.is_file()]
    own = [path for path in found if "__pycache__" not in path.parts and path.suffix != ".pyc"]
    return [*own, CHECKOUT / "pyproject.toml"]


class Builder:
    """Builds one environment into the folder of its lock, and lets its name point there."""

    def __init__(self, name: str, *, uv: str, python: str, target: Path) -> None:
        self.name, self.uv, self.python, self.current = name, uv, python, target
        self.folder = HERE / name
        self.lock = self.folder / "requirements.lock"
        if not self.lock.is_file():
            raise BuildFailed(f"There is no environment {name!r}: {self.lock} is missing.")
        self.lock_sha256 = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        self.target = places.place_of(target, self.lock_sha256)
        self.interpreter = self.target / "bin" / "python"
        self.environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}

    def build(self) -> bool:
        """Bring the folder to what the checkout says; False when it already was."""
        wanted = {
            "base": digest([self.lock, Path(__file__).resolve(), *self.folder.glob("*.json")]),
            "swath": digest(sources()),
            "python": self.python,
            "target": str(self.target),
        }
        stamp = self._stamp()
        ready = (self.target / "environment.json").is_file() and self._starts()
        if ready and stamp == wanted:
            return places.point(self.current, self.target)
        (self.target / "environment.json").unlink(missing_ok=True)
        if not ready or any(stamp.get(key) != wanted[key] for key in ("base", "python", "target")):
            self._install_lock()
            self._prepare_matplotlib()
        self._install_swath()
        self._describe()
        (self.target / STAMP).write_text(json.dumps(wanted, indent=1))
        places.point(self.current, self.target)
        return True

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.target / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _starts(self) -> bool:
        """Whether the interpreter still runs: the Python below a virtual environment may have gone."""
        try:
            return subprocess.run([self.interpreter, "-S", "-c", ""], env=self.environment, check=False).returncode == 0
        except OSError:
            return False

    def _install_lock(self) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._uv("venv", "--clear", "--python", self.python, "--prompt", self.name, str(self.target))
        self._pip("sync", "--require-hashes", "--compile-bytecode", str(self.lock))
        shutil.copyfile(self.lock, self.target / "requirements.lock")

    def _install_swath(self) -> None:
        # The version stays the same while the sources change, so the old build has to be passed over.
        fresh = ("--reinstall-package", "swath", "--refresh-package", "swath")
        self._pip("install", "--no-deps", "--compile-bytecode", *fresh, str(CHECKOUT))

    def _prepare_matplotlib(self) -> None:
        """Keep matplotlib's list of fonts in the environment: a run's home is empty and would build it anew."""
        folder = self.target / "share" / "swath" / "matplotlib"
        folder.mkdir(parents=True, exist_ok=True)
        code = "import importlib.util as u; u.find_spec('matplotlib') and __import__('matplotlib.font_manager')"
        self._run([str(self.interpreter), "-c", code], {"MPLCONFIGDIR": str(folder), "MPLBACKEND": "agg"})

    def _describe(self) -> None:
        about = tomllib.loads((self.folder / "pyproject.toml").read_text())
        title = about["tool"]["swath"]["environment"]["title"]
        spec = (self.folder / "kernel.json").read_text()
        for key, value in (("python", str(self.interpreter)), ("title", title)):
            spec = spec.replace("{" + key + "}", json.dumps(value)[1:-1])
        kernel = self.target / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
        kernel.parent.mkdir(parents=True, exist_ok=True)
        # The installer links files from its cache: written in place, ipykernel's own spec would change in every
        # environment of this machine.
        kernel.unlink(missing_ok=True)
        kernel.write_text(spec)
        described = {
            "name": self.name,
            "title": title,
            "lock_sha256": self.lock_sha256,
            "python": str(self.interpreter),
        }
        partial = self.target / ".environment.json.partial"
        partial.write_text(json.dumps(described, indent=1) + "\n")
        os.replace(partial, self.target / "environment.json")

    def _pip(self, command: str, *arguments: str) -> None:
        self._uv("pip", command, "--python", str(self.interpreter), *arguments)

    def _uv(self, *arguments: str) -> None:
        self._run([self.uv, *arguments[:1], "--quiet", *arguments[1:]], {})

    def _run(self, command: list[str], more: dict[str, str]) -> None:
        done = subprocess.run(command, env={**self.environment, **more}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise BuildFailed(f"{' '.join(command[:4])} … failed with exit code {done.returncode}:\n{said}")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description="Build a locked kernel environment.")
    parser.add_argument("name", help="a folder beside this script, e.g. eo")
    parser.add_argument("--uv", required=True, help="the uv program")
    parser.add_argument("--python", required=True, help="the interpreter to build on")
    parser.add_argument("--target", required=True, type=Path, help="a link to the environment, made or moved")
    chosen = parser.parse_args(arguments)
    uv = str(Path(chosen.uv).resolve()) if "/" in chosen.uv else chosen.uv
    try:
        builder = Builder(chosen.name, uv=uv, python=chosen.python, target=chosen.target.absolute())
        built = builder.build()
    except (BuildFailed, places.Occupied, OSError) as error:
        print(f"environment {chosen.name}: {error}", file=sys.stderr)
        return 1
    if built:
        print(f"environment {chosen.name}: built in {builder.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
