"""`import swath` is quick, complete, and calls nothing by a module's name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import swath

SOURCE = Path(swath.__file__).parent


def _python(code: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_imports_nothing_else() -> None:
    """What makes it quick, whatever the machine: no package beyond the standard library's smallest."""
    loaded = _python("import sys; before = set(sys.modules); import swath; print(*sorted(set(sys.modules) - before))")
    assert {name for name in loaded.split() if name.startswith("swath")} == {"swath"}
    assert not {"httpx", "rich", "typer", "asyncio", "json", "numpy", "xarray"} & set(loaded.split())


def test_importing_takes_little_time() -> None:
    """Processor time, which a busy machine stretches less than the clock; the aim is 100 ms, the usual is 2."""
    code = "import time; start = time.process_time(); import swath; print(time.process_time() - start)"
    assert min(float(_python(code)) for _ in range(3)) < 0.1


@pytest.mark.parametrize("name", sorted(swath.__all__))
def test_every_name_is_there(name: str) -> None:
    assert not isinstance(getattr(swath, name), type(sys))
    assert name in dir(swath)


def test_a_function_is_not_hidden_by_the_module_of_its_name() -> None:
    code = "import swath.emit, swath.cluster, swath; print(callable(swath.emit), callable(swath.cluster))"
    assert _python(code) == "True True"
    code = "import swath; swath.cluster; import swath.cluster as m, sys; print(callable(swath.cluster))"
    assert _python(code) == "True"


def test_types_can_be_named_through_their_module() -> None:
    assert _python("import swath; print(swath.types.BBox is swath.BBox)") == "True"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        swath.nothing  # noqa: B018 - the access is what is tried


def test_calling_needs_no_package_of_the_kernel() -> None:
    """`swath` alone is the client: httpx, rich and typer, and none of what a kernel has."""
    code = (
        "import sys\n"
        "for name in ('numpy', 'pandas', 'xarray', 'IPython', 'dask', 'nbformat'): sys.modules[name] = None\n"
        "import swath, swath.client.api, swath.cli.app, swath.cli.running, swath.cli.runs, swath.cli.catalogue\n"
        "print(swath.client.api.parameters_json({'x': (1, 2)}))"
    )
    assert _python(code) == "{'x': [1, 2]}"
