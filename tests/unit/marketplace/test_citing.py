"""Citations of every kind of version are what the formats' schemas take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from datacite import schema45
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.citing import Citation, citation_cff, creators_of, datacite, doi_of

DOE = {"family-names": "Doe", "given-names": "Ada"}


def cited(told: object = None, **metadata: Any) -> Mapping[str, Any]:
    """What the CITATION.cff of a version says, whose DataCite metadata are valid."""
    version = AlgorithmVersion(
        algorithm_id="one",
        owner="ada",
        name="double",
        version="1.0.0",
        digest=f"sha256:{'0' * 64}",
        notebook_sha256="0" * 64,
        interface={},
        metadata={"title": "Double", "license": "MIT"} | metadata,
        environment="eo",
        environment_lock_sha256="0" * 64,
        resources=Resources(),
        published_at=datetime(2026, 2, 3, tzinfo=UTC),
    )
    citation = Citation(
        version=version,
        creators=creators_of(told, owner="ada"),
        url="https://swath.example/algorithms/ada/double/versions/1.0.0",
        publisher="Swath",
        doi=doi_of(told),
    )
    schema45.validator.validate(datacite(citation))
    read: Mapping[str, Any] = yaml.safe_load(citation_cff(citation))
    return read


@pytest.mark.parametrize(
    ("expression", "listed"),
    [
        ("MIT", ["MIT"]),
        ("MIT OR Apache-2.0 OR MIT", ["MIT", "Apache-2.0"]),
        ("MIT AND CC-BY-4.0", None),
        ("GPL-3.0-or-later WITH Classpath-exception-2.0", None),
        ("LicenseRef-own", None),
        ("Apache-2.0+", None),
        ("", None),
    ],
)
def test_licences_are_listed_where_one_may_choose(expression: str, listed: Sequence[str] | None) -> None:
    assert cited(license=expression).get("license") == listed


@pytest.mark.parametrize("text", ["Müller 陳大文", "🛰\ufe0f “é”", 'a: - {} # \\ "', "\u2028\x7f\ufeff\x85|\t\n"])
def test_every_letter_comes_back_as_it_was(text: str) -> None:
    assert cited(title=text)["title"] == text


def test_half_of_a_letter_is_marked_as_lost() -> None:
    assert cited({"authors": [{"name": "a\ud800b"}]})["authors"] == [{"name": "a\ufffdb"}]


def test_an_author_is_named_once() -> None:
    assert cited({"authors": [DOE, DOE, {"name": "Doe"}]})["authors"] == [DOE, {"name": "Doe"}]


def test_a_doi_that_the_schema_does_not_take_is_an_address() -> None:
    assert cited({"doi": "https://doi.org/10.5281/zenodo.1"})["doi"] == "10.5281/zenodo.1"
    told = cited({"doi": "10.1002/a+b%2F"})
    assert "doi" not in told
    assert told["identifiers"][-1] == {"type": "url", "value": "https://doi.org/10.1002/a%2Bb%252F"}
