"""What the files of each shipped algorithm show by themselves: with green rounds, nothing up to verified is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from swath.contract.digest import sha256_bytes
from swath.contract.notebook import read_notebook
from swath.scenario_files import read_folder
from swath_marketplace.criteria_files import shipped_criteria
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.assessments import Cause, assess
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.evidence import Document, Evidence
from swath_marketplace.services.reading_dossiers import read_dossier

FOLDER = Path(__file__).parents[3] / "algorithms"
#: Criteria that files alone meet or miss.
STATIC = {
    "overview",
    "licence",
    "typed-interface",
    "example",
    "scenarios",
    "parameters-exercised",
    "references",
    "documentation",
    "lifecycle",
}
#: What an algorithm lacks, and keeps lacking: `echo` computes nothing, so no publication stands behind it.
LACKING = {"echo": {"references"}}


def evidence(folder: Path) -> Evidence:
    """What is known of an algorithm that nobody has run."""
    reading = read_notebook(json.loads((folder / "notebook.ipynb").read_text()), environments=None)
    assert reading.interface is not None
    assert reading.metadata is not None
    files = read_folder(folder)
    scenarios, findings = read_dossier(files, reading.interface)
    assert not findings
    now = datetime.now(UTC)
    addresses = {path: sha256_bytes(content) for path, content in files.items()}
    dossier = Dossier(
        algorithm_id="a",
        version_digest="sha256:1",
        sequence=1,
        digest="sha256:d",
        files=addresses,
        scenarios=scenarios,
        put_by="swath",
        put_at=now,
    )
    version = AlgorithmVersion(
        algorithm_id="a",
        owner="swath",
        name=folder.name,
        version="1.0.0",
        digest="sha256:1",
        notebook_sha256="",
        interface=reading.interface.as_dict(),
        metadata=reading.metadata.as_dict(),
        environment="eo",
        environment_lock_sha256="",
        resources=Resources(),
        published_at=now,
    )
    documents = {
        path: Document(sha256=addresses[path], bytes=len(content), text=content.decode(errors="replace"))
        for path, content in files.items()
        if "/" not in path
    }
    return Evidence(version=version, interface=reading.interface, now=now, dossier=dossier, documents=documents)


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in FOLDER.glob("*/notebook.ipynb")), ids=lambda p: p.name
)
def test_the_files_of_a_shipped_algorithm_lack_nothing(folder: Path) -> None:
    found = assess(evidence(folder), shipped_criteria(), cause=Cause.CLOCK)
    missing = {one.criterion: one.told for one in found.results if one.criterion in STATIC and not one.met}
    assert set(missing) == LACKING.get(folder.name, set()), missing
    assert {one.criterion for one in found.results} >= STATIC
