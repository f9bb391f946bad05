"""The shipped algorithms can be published as they stand, and call nothing dirty clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from swath.contract.notebook import read_notebook
from swath.contract.parameters import check_parameters

ALGORITHMS = Path(__file__).parents[3] / "algorithms"
SHIPPED = sorted(path.name for path in ALGORITHMS.iterdir() if (path / "notebook.ipynb").is_file())


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_shipped_algorithm_is_publishable_without_a_remark(slug: str) -> None:
    reading = read_notebook((ALGORITHMS / slug / "notebook.ipynb").read_bytes(), environments={"eo"})
    assert reading.findings == ()
    assert reading.metadata is not None
    assert reading.metadata.name == slug
    assert reading.metadata.summary
    assert reading.metadata.references


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_shipped_algorithm_can_be_called_without_parameters(slug: str) -> None:
    interface = read_notebook((ALGORITHMS / slug / "notebook.ipynb").read_bytes(), environments=None).interface
    assert interface is not None
    assert check_parameters(interface, {})[1] == ()
    assert all(parameter.description for parameter in interface.parameters)
    assert all(output.description and output.media_type for output in interface.outputs)


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_shipped_notebook_is_clean_and_explained(slug: str) -> None:
    notebook = json.loads((ALGORITHMS / slug / "notebook.ipynb").read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len([cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]) >= 4
    readme = (ALGORITHMS / slug / "README.md").read_text()
    interface = read_notebook(notebook, environments=None).interface
    assert interface is not None
    assert not [parameter.name for parameter in interface.parameters if f"`{parameter.name}`" not in readme]


def test_both_are_there() -> None:
    assert {"echo", "ndvi-timeseries"} <= set(SHIPPED)
