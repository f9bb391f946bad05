"""A few of the requests that nobody thought of, at each run; many more by ``make fuzz``."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

_NAME = "swath_tests_fuzz"
_SPEC = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("fuzz.py"))
assert _SPEC
assert _SPEC.loader
fuzzing = importlib.util.module_from_spec(_SPEC)
sys.modules[_NAME] = fuzzing
_SPEC.loader.exec_module(fuzzing)

SEED = 20_260_504


def test_no_fault_no_surprise_and_no_access_across_users(tmp_path: Path) -> None:
    """Every check of schemathesis, two users: no 5xx, no status that is not documented, no answer of another form."""
    done = fuzzing.fuzz(tmp_path, examples=1, seed=SEED, phases="examples,fuzzing,stateful")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    told = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert told
    assert int(told[1]) > 100
    assert re.search(r"Tested: (\d+)", done.stdout)
