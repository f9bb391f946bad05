"""Compute reference outputs anew by the independent paths and quote their digests in the scenarios.

``SWATH_ARCHIVE=… python tests/integration/algorithms/write_references.py SLUG…``, after a scenario was changed;
`test_independent` says whether what is committed is still what these paths compute.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from swath.contract.parameters import check_parameters

#: Algorithm -> module beside this file that computes its outputs without it.
PATHS = {
    "bap-composite": "bap_path",
    "echo": "echo_path",
    "ndvi-timeseries": "ndvi_path",
    "whittaker-smoothing": "whittaker_path",
}


def load(name: str) -> ModuleType:
    """A module beside this file, the same one that the tests have."""
    full = f"swath_tests_algorithms_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def computed(slug: str, scenario: Any, *, raw: Any) -> dict[str, Any]:
    """The outputs of a scenario by the independent path."""
    interface = load("scenarios").interface_of(slug)
    bound, findings = check_parameters(interface, scenario.parameters)
    assert findings == (), findings
    outputs: dict[str, Any] = load(PATHS[slug]).outputs(raw, load("planes"), bound)
    return outputs


def _write(slug: str, raw: Any) -> None:
    scenarios, planes = load("scenarios"), load("planes")
    folder = scenarios.ALGORITHMS / slug
    for scenario in scenarios.scenarios_of(slug):
        if scenario.refused is not None:
            continue
        outputs = computed(slug, scenario, raw=raw)
        file = folder / "scenarios" / f"{scenario.name}.yaml"
        text = file.read_text()
        for name, expected in scenario.outputs.items():
            path = folder / expected.reference
            if not path.is_file() or [*planes.differences(outputs[name], path)]:
                planes.write(outputs[name], path)
                print(f"written: {path.relative_to(folder)}, {path.stat().st_size} bytes")
            digest = sha256(path.read_bytes()).hexdigest()
            quoted = rf'(reference: {re.escape(expected.reference)}\b[^"]*sha256: ")[0-9a-f]{{64}}"'
            text, found = re.subn(quoted, rf'\g<1>{digest}"', text)
            assert found == 1, f"{file.name}: {expected.reference} is not followed by its sha256 in quotes"
        file.write_text(text)


if __name__ == "__main__":
    archive = load("raw").Raw(Path(os.environ["SWATH_ARCHIVE"]))
    for wanted in sys.argv[1:] or PATHS:
        _write(wanted, archive)
