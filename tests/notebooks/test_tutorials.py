"""The shipped notebooks, run by nbval where a reader runs them: in a JupyterLab server's sandbox, from its samples."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHIPPED = [*TUTORIALS, *sorted((ROOT / "algorithms").glob("*/notebook.ipynb"))]
#: Runs in her kernel. The hub's Python, on which the server itself runs, has nbval; what nbval starts is the
#: environment's kernel.
NBVAL = """
import json, os, subprocess
done = subprocess.run(
    [{python!r}, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-c", os.devnull,
     "--rootdir", os.path.dirname({path!r}), "--color=no", "--nbval-lax", "--nbval-cell-timeout=120", {path!r}],
    cwd="/tmp", env={{**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}}, capture_output=True, text=True,
)
print(json.dumps({{"exit_code": done.returncode, "said": done.stdout + done.stderr}}))
"""


def _code_cells(path: Path) -> int:
    return sum(1 for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")


@pytest.fixture(scope="module")
def nbval(execute: Callable[[str], str]) -> Callable[[str], dict[str, Any]]:
    """`pytest --nbval-lax` on a notebook, by its path in her sandbox."""

    def run(path: str) -> dict[str, Any]:
        code = NBVAL.format(python=sys.executable, path=path)
        told: dict[str, Any] = json.loads(execute(code).splitlines()[-1])
        return told

    return run


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_every_cell_runs(notebook: Path, nbval: Callable[[str], dict[str, Any]]) -> None:
    done = nbval(f"/home/ada/samples/notebooks/{notebook.name}")
    assert done["exit_code"] == 0, done["said"]
    assert f"{_code_cells(notebook)} passed" in done["said"]


@pytest.mark.e2e
@pytest.mark.slow
def test_a_cell_that_fails_is_found(execute: Callable[[str], str], nbval: Callable[[str], dict[str, Any]]) -> None:
    """The control: were it not for this, a broken tutorial could pass unseen."""
    broken = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in ("import swath", "swath.open_cube('no-such-collection')")]
    )
    broken.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    execute(f"import pathlib; (pathlib.Path.home() / 'broken.ipynb').write_text({nbformat.writes(broken)!r})")
    done = nbval("/home/ada/broken.ipynb")
    assert done["exit_code"] == 1
    assert "1 failed, 1 passed" in done["said"]
    assert "there is no collection 'no-such-collection'" in done["said"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_is_stored_as_it_should_be(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[] for _ in code]
    assert [cell.execution_count for cell in code] == [None for _ in code]
    assert re.match(r"# \S", notebook.cells[0].source), "the first cell is the title"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert not [link for link in links if "://" not in link and not (path.parent / link).is_file()]


def test_there_are_tutorials() -> None:
    assert len(TUTORIALS) >= 3
