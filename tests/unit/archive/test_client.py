"""What the other rooms use needs nothing but the standard library, and says the same everywhere."""

from __future__ import annotations

import subprocess
import sys

from swath_archive.client import environment


def test_environment() -> None:
    variables = environment("/archive")
    assert variables["SWATH_ARCHIVE"] == "/archive"
    assert variables["GDAL_DISABLE_READDIR_ON_OPEN"] == "EMPTY_DIR"
    assert all(isinstance(value, str) for value in variables.values())


def test_importing_the_client_imports_nothing_else() -> None:
    program = (
        "import sys, swath_archive.client; swath_archive.client.environment('/a'); "
        "print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours = {"swath_archive", "swath_service", "__main__"}
    # What an editable installation and a virtual environment import at every start.
    start_up = {name for name in done.stdout.split() if name.startswith(("_", "sitecustomize", "usercustomize"))}
    assert set(done.stdout.split()) - ours - start_up == set()
