"""The files beside a notebook, and the scenarios among them: what `swath publish FOLDER` sends and a service reads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from swath.contract.fields import ContractError
from swath.contract.scenarios import SCENARIO_FOLDER, Scenario

NOTEBOOK = "notebook.ipynb"
CARD = "README.md"
MAX_FILES = 300
MAX_FILE_BYTES = 4 << 20
MAX_BYTES = 10 << 20
_MAX_SCENARIO_BYTES = 64 << 10
_SUFFIXES = (".yaml", ".yml", ".json")
_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DEEPEST = 8
#: What editors, JupyterLab and Python leave in a folder.
_LITTER = frozenset({"__pycache__", "Thumbs.db"})


def checked_path(path: str) -> str:
    """`path`, when it may name a file of a dossier: plain steps with forward slashes, none of them hidden.

    Raises
    ------
    ContractError
    """
    steps = path.split("/")
    if len(path) > 300 or len(steps) > _DEEPEST or not all(_STEP.fullmatch(step) for step in steps):
        raise ContractError(
            f"{path[:100]!a}: the path of a file is up to {_DEEPEST} steps of letters, digits, '_', '-' and '.', "
            "none of which begins with a '.'"
        )
    return path


def scenario_name(path: str) -> str | None:
    """The name of the scenario that the file `path` holds; ``None`` for any other file."""
    folder, _, name = path.rpartition("/")
    if folder != SCENARIO_FOLDER or not name.endswith(_SUFFIXES):
        return None
    return PurePosixPath(name).stem


def parse_scenario(path: str, content: bytes) -> Scenario:
    """The scenario in the file `path`, YAML or JSON.

    Raises
    ------
    ContractError
        Naming the file and the member that is wrong.
    """
    name = scenario_name(path)
    if name is None:
        raise ContractError(f"{path[:100]!a}: a scenario is {SCENARIO_FOLDER}/<name>.yaml or .json")
    if len(content) > _MAX_SCENARIO_BYTES:
        raise ContractError(f"{path}: a scenario has at most {_MAX_SCENARIO_BYTES >> 10} KiB; keep data in references/")
    try:
        data = json.loads(content) if path.endswith(".json") else _yaml(content.decode())
    except (ValueError, RecursionError) as error:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ContractError(f"{path}: cannot be read: {first}") from error
    return Scenario.from_dict(name, data)


def _yaml(text: str) -> Any:
    """YAML without aliases, which a few lines of can fill a machine's memory, and without its own idea of dates."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value]
            if twice := next((key for key in keys if keys.count(key) > 1), None):
                raise ValueError(f"the member {str(twice)[:60]!a} stands there twice")
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ValueError("it has aliases (*name), which scenarios may not")
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or 'not YAML'}") from error


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files beside the notebook in `folder`, by path; hidden ones and what tools leave behind are left out.

    Raises
    ------
    ContractError
        A name that no dossier can have, a link, or too much.
    """
    found: dict[str, bytes] = {}
    size = 0
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        for name in sorted(names):
            path = Path(top, name).relative_to(folder).as_posix()
            if _is_litter(name) or path == NOTEBOOK:
                continue
            file = folder / path
            if file.is_symlink():
                raise ContractError(f"{path}: a link; put the file itself there")
            size += file.stat().st_size
            _check_size(path, file.stat().st_size, count=len(found) + 1, total=size)
            found[checked_path(path)] = file.read_bytes()
    return found


def check_sizes(files: Mapping[str, bytes]) -> None:
    """Refuse more than a dossier may hold.

    Raises
    ------
    ContractError
        Naming the file.
    """
    total = 0
    for count, (path, content) in enumerate(files.items(), start=1):
        total += len(content)
        _check_size(path, len(content), count=count, total=total)


def _check_size(path: str, size: int, *, count: int, total: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ContractError(f"{path}: a file has at most {MAX_FILE_BYTES >> 20} MiB; reduce what the scenario asks for")
    if count > MAX_FILES:
        raise ContractError(f"{path}: more than {MAX_FILES} files")
    if total > MAX_BYTES:
        raise ContractError(f"{path}: more than {MAX_BYTES >> 20} MiB in all; reduce what the scenarios ask for")


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name in _LITTER
