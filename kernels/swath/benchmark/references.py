"""New references: the files themselves, and their hashes in the scenario's file, which otherwise stays as it was."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swath.contract.digest import sha256_file
from swath.contract.fields import ContractError
from swath.contract.scenarios import Scenario

_NONE = "0" * 64
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXT = "tag:yaml.org,2002:str"


def with_hashes(path: str, content: bytes, hashes: Mapping[str, str]) -> bytes:
    """The scenario's file with the hashes of `hashes`, by output; where none stands and none is given, zeros.

    Of YAML nothing but the hashes is touched: comments, order and quotes stay.

    Raises
    ------
    ContractError
        The file cannot be read.
    """
    try:
        text = content.decode()
        return (_in_json(text, hashes) if path.endswith(".json") else _in_yaml(text, hashes)).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ContractError(f"{path}: cannot be read: {str(error).splitlines()[0][:200]}") from error


def write_references(
    folder: Path, file: Path, *, scenario: Scenario, produced: Mapping[str, Path]
) -> Mapping[str, str]:
    """Take `produced`, files by output, as the references of `scenario`; answers their hashes.

    The references are written first, so that a crash in between leaves hashes that no longer fit, which is found.
    """
    hashes = {}
    for name, source in produced.items():
        target = folder / scenario.outputs[name].reference
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(source, partial)
        os.replace(partial, target)
        hashes[name] = sha256_file(target)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(with_hashes(file.name, file.read_bytes(), hashes))
    os.replace(partial, file)
    return hashes


def _in_json(text: str, hashes: Mapping[str, str]) -> str:
    data = json.loads(text)
    for name, expected in (data.get("outputs") or {}).items():
        expected["sha256"] = hashes.get(name, expected.get("sha256", _NONE))
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _in_yaml(text: str, hashes: Mapping[str, str]) -> str:
    import yaml

    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {getattr(error, 'problem', None) or 'unknown'}") from error
    edits = []
    for output, expected in _members(_members_of(root, "outputs")):
        members = {key: (key_node, value) for key, key_node, value in _entries(expected)}
        if "sha256" in members:
            value = members["sha256"][1]
            # Unquoted, a hash of digits alone is a number to YAML.
            if output in hashes or value.tag != _TEXT:
                new = hashes.get(output) or (value.value if _SHA256.fullmatch(str(value.value)) else _NONE)
                edits.append((value.start_mark.index, value.end_mark.index, f'"{new}"'))
        elif "reference" in members:
            key_node, value = members["reference"]
            gap = ", " if expected.flow_style else f"\n{' ' * key_node.start_mark.column}"
            added = f'{gap}sha256: "{hashes.get(output, _NONE)}"'
            edits.append((value.end_mark.index, value.end_mark.index, added))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _entries(node: Any) -> list[tuple[str, Any, Any]]:
    value = getattr(node, "value", None)
    pairs = value if isinstance(value, list) and all(isinstance(one, tuple) for one in value) else []
    return [(str(key.value), key, found) for key, found in pairs]


def _members(node: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, _, value in _entries(node)]


def _members_of(node: Any, name: str) -> Any:
    return next((value for known, value in _members(node) if known == name), None)
