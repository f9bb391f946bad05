"""The rules of docs/architecture.md that a program can keep: each was a remark once."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "swath_hub": ROOT / "hub",
    "swath_marketplace": ROOT / "marketplace",
    "swath_quota": ROOT / "quota",
    "swath_archive": ROOT / "archive",
    "swath": ROOT / "kernels",
    "swath_service": ROOT / "service",
    "swath_sandbox": ROOT / "sandbox",
}
MODULES = sorted(
    path for name, folder in PACKAGES.items() for path in (folder / name).rglob("*.py") if "versions" not in path.parts
)


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_directions_of_imports() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_form_of_a_module(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "split it: an owner for each part"
    assert path.stem not in {"utils", "util", "common", "core", "helpers", "misc"}, "a shared thing has an owner"
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text), "unfinished marks do not land"
    if path.name != "__init__.py" or text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module says in a sentence what it is"


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_functions_stay_readable(path: Path) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        # A function that only registers routes or commands is a list of short functions.
        and not any(
            isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) for child in ast.walk(node) if child is not node
        )
        and node.end_lineno - node.lineno + 1 > 70
    ]
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_no_default_secret(path: Path) -> None:
    secret = re.compile(r"(?i)(^|_)(password|passwd|secret|token|api_key|passcode)$")
    found: list[str] = []

    def check(name: str, value: ast.expr | None) -> None:
        if secret.search(name) and isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
            found.append(f"{name} = …")

    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                check(getattr(target, "id", getattr(target, "attr", "")), node.value)
        elif isinstance(node, ast.AnnAssign):
            check(getattr(node.target, "id", getattr(node.target, "attr", "")), node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            args = node.args
            for arg, value in zip(reversed(args.posonlyargs + args.args), reversed(args.defaults), strict=False):
                check(arg.arg, value)
            for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
                check(arg.arg, default)
    # StrEnum members of error codes and scopes are names of things, not secrets.
    assert not [name for name in found if not name.isupper()], found


def _modules_of(package: str) -> list[str]:
    spec = importlib.import_module(package)
    return [package, *(info.name for info in pkgutil.walk_packages(spec.__path__, f"{package}."))]


@pytest.mark.parametrize("service", ["swath_quota", "swath_marketplace", "swath_archive"])
def test_every_error_has_a_status(service: str) -> None:
    from swath_service.errors import STATUSES, SwathError

    own = importlib.import_module(f"{service}.api.errors").STATUSES
    table = {**STATUSES, **own}
    kinds = {
        kind
        for name in _modules_of(service)
        if not name.endswith("__main__") and ".migrations" not in name
        for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if issubclass(kind, SwathError) and kind is not SwathError and kind.__module__.startswith(service)
    }
    unmapped = [kind.__name__ for kind in kinds if not any(parent in table for parent in kind.__mro__)]
    assert not unmapped, f"give each a status in {service}/api/errors.py"


def test_entry_points_are_importable() -> None:
    points = [
        *importlib.metadata.entry_points(group="swath.commands"),
        *importlib.metadata.entry_points(group="console_scripts").select(name="swath"),
    ]
    assert {point.name for point in points} >= {"up", "down", "status", "user", "archive", "doctor", "swath"}
    for point in points:
        assert callable(point.load()), point


@pytest.mark.parametrize(
    "lock",
    [*sorted((ROOT / "requirements").glob("*.lock")), *sorted((ROOT / "kernels/environments").glob("*/*.lock"))],
    ids=_id,
)
def test_python_locks_are_hashed_and_name_no_host(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"(?m)^[a-z0-9][a-z0-9._-]*==\S+.*(?:\n    .*)*", text)
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"https?://|--index-url|--find-links", text)
    assert not re.search(r"(?m)^rfc3987-syntax==\S+ \\$", text), "compiles a grammar at import: two seconds a process"


def test_npm_locks_name_no_registry() -> None:
    for lock in ROOT.glob("*/**/package-lock.json"):
        if "node_modules" in lock.parts or lock.is_relative_to(ROOT / ".venv"):
            continue
        packages = json.loads(lock.read_text())["packages"]
        assert not [name for name, package in packages.items() if "resolved" in package]
        assert all("integrity" in package for name, package in packages.items() if name and not package.get("link"))


def _notebooks() -> list[Path]:
    return sorted([*(ROOT / "algorithms").rglob("*.ipynb"), *(ROOT / "notebooks").rglob("*.ipynb")])


def test_there_are_notebooks() -> None:
    assert len(_notebooks()) >= 3


@pytest.mark.parametrize("path", _notebooks(), ids=_id)
def test_notebooks_carry_no_outputs(path: Path) -> None:
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs"), "strip it: jupyter nbconvert --clear-output --inplace"
        assert cell.get("execution_count") is None
