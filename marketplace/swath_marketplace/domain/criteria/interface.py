"""What a version says of itself: overview, licence, typed parameters, an example, what its scenarios exercise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from swath.contract import spdx
from swath.contract.interface import Parameter
from swath.contract.scenarios import Scenario

from swath_marketplace.domain.criteria.protocol import Finding, criterion, named
from swath_marketplace.domain.evidence import Evidence

#: A reference file's suffix that tells a format as well as a media type does.
_TELLING = frozenset(
    {".tif", ".tiff", ".nc", ".csv", ".parquet", ".geojson", ".gpkg", ".png", ".jpg", ".jpeg", ".svg", ".json", ".txt"}
    | {".md", ".html", ".xml", ".pdf", ".zip", ".ipynb"}
)


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The summary that callers see where they search."""

    key: ClassVar[str] = "overview"
    title: ClassVar[str] = "An overview is given"
    words: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether the summary has enough words to say something."""
        found = len(str(evidence.version.metadata.get("summary") or "").split())
        return Finding(
            met=found >= self.words,
            told=f"the summary has {found} words" if found else "there is no summary",
            mend=f"write a summary of at least {self.words} words into the notebook's swath metadata and publish again",
            evidence={"words": found},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """An SPDX expression of licences that are known: not their texts, and not whether they fit one another."""

    key: ClassVar[str] = "licence"
    title: ClassVar[str] = "A licence in SPDX form"

    def check(self, evidence: Evidence) -> Finding:
        """Whether the licence is one of SPDX's usual ones, or the author's own ``LicenseRef-…``."""
        licence = str(evidence.version.metadata.get("license") or "")
        found = spdx.identifiers(licence) or []
        strange = [one for one in found if not spdx.is_common(one)]
        if not licence:
            told = "no licence is given"
        elif not found:
            told = f"{licence[:80]!r} is no SPDX expression"
        else:
            told = f"{strange[0]!r} is not among the usual licences" if strange else f"licensed as {licence}"
        return Finding(
            met=bool(found) and not strange,
            told=told,
            mend='name the licence in the notebook\'s swath metadata, such as "Apache-2.0", and publish again',
            evidence={"licence": licence or None},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class TypedInterface:
    """Types are kept at publishing; that every parameter and output is described is asked here."""

    key: ClassVar[str] = "typed-interface"
    title: ClassVar[str] = "Typed parameters and outputs, each described"
    outputs: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether every parameter has a description, and enough outputs are declared."""
        interface = evidence.interface
        bare = [parameter.name for parameter in interface.parameters if not parameter.description.strip()]
        few = len(interface.outputs) < self.outputs
        if bare:
            told = f"not described: {named(bare)}"
        elif few:
            told = f"{len(interface.outputs)} outputs are declared, and {self.outputs} or more are asked for"
        else:
            count = len(interface.parameters)
            told = "1 parameter is typed and described" if count == 1 else f"{count} parameters are typed and described"
        return Finding(
            met=not bare and not few,
            told=told,
            mend="write a comment above each parameter, call swath.emit with a literal name, and publish again",
            evidence={
                "parameters": len(interface.parameters),
                "outputs": len(interface.outputs),
                "undescribed": bare[:20],
            },
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A scenario is an example: what to call it with, and what comes back in which format."""

    key: ClassVar[str] = "example"
    title: ClassVar[str] = "An example with the format of its outputs"
    least: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether enough scenarios declare the format of each output they name."""
        told_formats = [scenario.name for scenario in evidence.accepting if _formats_told(evidence, scenario)]
        examples = len(evidence.accepting)
        return Finding(
            met=len(told_formats) >= self.least,
            told=f"{len(told_formats)} of {examples} examples tell the format of every output"
            if examples
            else "there is no example",
            mend="put a scenario with outputs into scenarios/, and emit each of them with a format= or a file name",
            evidence={"examples": told_formats[:20]},
        )


def _formats_told(evidence: Evidence, scenario: Scenario) -> bool:
    for name, expected in scenario.outputs.items():
        output = evidence.interface.output(name)
        declared = output is not None and output.media_type is not None
        if not declared and PurePosixPath(expected.reference).suffix.lower() not in _TELLING:
            return False
    return bool(scenario.outputs)


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class ParametersExercised:
    """A parameter is exercised when a scenario that brings something back gives it another value than its default."""

    key: ClassVar[str] = "parameters-exercised"
    title: ClassVar[str] = "Scenarios exercise the parameters"
    share: float

    def check(self, evidence: Evidence) -> Finding:
        """Whether the share of exercised parameters is large enough; where there are none, nothing is lacking."""
        idle = [one.name for one in evidence.interface.parameters if not _exercised(one, evidence)]
        count = len(evidence.interface.parameters)
        share = 1.0 if not count else (count - len(idle)) / count
        return Finding(
            met=share >= self.share,
            told=f"{share:.0%} of {count} parameters are exercised; asked for: {self.share:.0%}",
            mend=f"give these another value than their default in a scenario: {named(idle)}",
            evidence={"share": round(share, 4), "idle": idle[:20]},
        )


def _exercised(parameter: Parameter, evidence: Evidence) -> bool:
    given = [one.parameters[parameter.name] for one in evidence.accepting if parameter.name in one.parameters]
    return any(parameter.required or value != parameter.default for value in given)
