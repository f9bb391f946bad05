"""The client in a Jupyter kernel: a display that moves, errors without frames, an interrupt that hurts no run."""

from __future__ import annotations

import asyncio
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

pytestmark = pytest.mark.integration

STEPS = """
import swath
for step in range(n):
    swath.progress((step + 1) / n, f"step <b>{step}</b>")
swath.emit("double", 2 * n)
"""
SLEEP = "import time\nprint('on', flush=True)\ntime.sleep(600)"


def _notebook(*cells: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def _texts(cell: Any) -> str:
    told = []
    for output in cell.outputs:
        data = output.get("data", {})
        told += [output.get("text", ""), data.get("text/html", ""), data.get("text/plain", "")]
    return "".join(told)


@pytest.fixture(scope="module")
def published(stack: Any, write_notebook: Any) -> None:
    """`ada/stepping` and `ada/long`."""
    from swath.client.algorithms import publish
    from swath.client.credentials import Credentials
    from swath.client.http import Api

    api = Api(Credentials(url=stack.url, token="ada", source="test"))
    publish(api, write_notebook(STEPS, name="stepping"))
    publish(api, write_notebook(SLEEP, name="long"))


def test_waiting_shows_one_display_that_ends_full(published: None, as_user: Any) -> None:
    as_user("bob")
    notebook = _notebook(
        "import swath\nrun = swath.run('ada/stepping', n=3)\nassert run.wait() is run",
        "run",
        "run.results",
        "run.results['double'].open()",
        "swath.runs()",
        "swath.algorithms('stepping')",
    )
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    displays = [output for output in notebook.cells[0].outputs if output.output_type == "display_data"]
    assert len(displays) == 1
    shown = displays[0]["data"]["text/html"]
    assert "value='1.000'" in shown
    assert "ada/stepping 1.0.0: finished 100%" in shown
    assert "<b>" not in shown
    assert "<table>" in _texts(notebook.cells[1])
    assert "notebook-html" in _texts(notebook.cells[2])
    assert _texts(notebook.cells[3]) == "6"
    assert "bob" not in _texts(notebook.cells[4])
    assert "ada/stepping" in _texts(notebook.cells[5])


def test_an_error_is_told_with_its_findings_and_without_frames(published: None, as_user: Any) -> None:
    as_user("bob")
    notebook = _notebook("import swath\nswath.run('ada/stepping', n='three', m=1)")
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (error,) = [output for output in notebook.cells[0].outputs if output.output_type == "error"]
    text = "\n".join(error["traceback"])
    assert "m: " in text
    assert "n: " in text
    assert "httpx" not in text
    assert len(text.splitlines()) < 8


async def test_an_interrupt_ends_the_waiting_and_not_the_run(published: None, as_user: Any) -> None:
    as_user("bob")
    notebook = _notebook(
        "import swath\nrun = swath.run('ada/long')\nnext(run.logs(follow=True))\nrun.wait()",
        "told = swath.get_run(run.id).status\n"
        "assert told == 'running', told\n"
        "run.cancel().wait(raise_on_error=False).status",
    )
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True)
    async with client.async_setup_kernel():
        waiting = asyncio.ensure_future(client.async_execute_cell(notebook.cells[0], 0))
        while not any(output.output_type == "display_data" for output in notebook.cells[0].outputs):
            assert not waiting.done(), notebook.cells[0].outputs
            await asyncio.sleep(0.05)
        await client.km.interrupt_kernel()
        await waiting
        await client.async_execute_cell(notebook.cells[1], 1)
    assert "swath.get_run(" in _texts(notebook.cells[0])
    assert [output.ename for output in notebook.cells[0].outputs if output.output_type == "error"] == [
        "KeyboardInterrupt"
    ]
    assert "canceled" in _texts(notebook.cells[1])
