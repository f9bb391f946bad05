"""Every requirement of the conformance classes has a test of its name, and no test claims one that there is not."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

HERE = Path(__file__).parent


def _requirements() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("swath_ogc_requirements", HERE / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {module.name_of(requirement): requirement for requirement in module.REQUIREMENTS}


def test_every_requirement_has_its_test() -> None:
    tests = {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_req__")
    }
    wanted = _requirements()
    assert len(wanted) == 113
    missing = [requirement for name, requirement in wanted.items() if name not in tests]
    assert not missing
    assert not tests - wanted.keys()
