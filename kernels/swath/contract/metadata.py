"""The ``swath`` block of a notebook's metadata: what an algorithm is called, and what it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from swath.contract import spdx
from swath.contract.faults import bad_text, spoken_type
from swath.contract.fields import ContractError, Fields, nearest
from swath.contract.findings import Findings
from swath.contract.semver import BadVersion, Version

SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}")
DEFAULT_ENVIRONMENT = "eo"
_MEMBERS = (
    "name",
    "title",
    "summary",
    "version",
    "license",
    "keywords",
    "references",
    "environment",
    "resources",
)
_EXAMPLE = (
    '{"swath": {"name": "my-algorithm", "title": "…", "summary": "…", "version": "1.0.0", "license": "Apache-2.0"}}'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What one run may use; it is killed beyond."""

    cpus: float = 1.0
    memory_mb: int = 2048
    wall_seconds: int = 900
    dask: bool = False
    """Whether a run may open Dask clusters, and so reach the network of the gateway."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "cpus": self.cpus,
            "memory_mb": self.memory_mb,
            "wall_seconds": self.wall_seconds,
            "dask": self.dask,
        }

    @classmethod
    def from_dict(cls, data: object) -> Resources:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "resources")
        return cls(
            cpus=fields.number("cpus", least=0),
            memory_mb=fields.integer("memory_mb", least=1),
            wall_seconds=fields.integer("wall_seconds", least=1),
            dask=fields.flag("dask"),
        )


#: Least, greatest and whether whole. An operator may allow less; nobody can mean more.
_RANGES: dict[str, tuple[float, float, bool]] = {
    "cpus": (0.1, 64, False),
    "memory_mb": (128, 262_144, True),
    "wall_seconds": (10, 86_400, True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmMetadata:
    """What stands about an algorithm in its notebook."""

    name: str
    title: str
    summary: str = ""
    version: str | None = None
    """``None`` when the one who publishes is to say it."""
    license: str | None = None
    """SPDX expression."""
    keywords: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    environment: str = DEFAULT_ENVIRONMENT
    resources: Resources = field(default_factory=Resources)

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "version": self.version,
            "license": self.license,
            "keywords": list(self.keywords),
            "references": list(self.references),
            "environment": self.environment,
            "resources": self.resources.as_dict(),
        }

    @classmethod
    def from_dict(cls, data: object) -> AlgorithmMetadata:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "metadata")
        fields.only(*_MEMBERS)
        if not SLUG.fullmatch(fields.text("name")):
            raise ContractError("metadata.name: not a name an algorithm can have")
        return cls(
            name=fields.text("name"),
            title=fields.text("title"),
            summary=fields.either("summary", fields.text, otherwise=""),
            version=fields.maybe("version", fields.text),
            license=fields.maybe("license", fields.text),
            keywords=fields.items("keywords", str),
            references=fields.items("references", str),
            environment=fields.text("environment"),
            resources=Resources.from_dict(fields.raw("resources")),
        )


def read_metadata(
    block: object, findings: Findings, *, environments: Collection[str] | None, heading: str
) -> AlgorithmMetadata | None:
    """The metadata in `block`, or ``None`` with findings.

    Parameters
    ----------
    environments
        Names that exist, or ``None`` where nobody can tell.
    heading
        First heading of the notebook, which stands in for a missing title.
    """
    if block is None:
        findings.error(
            "no-metadata",
            "the notebook's metadata has no 'swath' block, so the algorithm has no name",
            f"add to the notebook's metadata: {_EXAMPLE}",
        )
        return None
    if not isinstance(block, Mapping):
        findings.error("bad-metadata", f"'swath' is {spoken_type(block)}, not an object", f"write {_EXAMPLE}")
        return None
    return _Reader(block, findings).read(environments=environments, heading=heading)


class _Reader:
    def __init__(self, block: Mapping[str, Any], findings: Findings) -> None:
        self._block = block
        self._findings = findings
        self._right = True

    def read(self, *, environments: Collection[str] | None, heading: str) -> AlgorithmMetadata | None:
        self._refuse_unknown(self._block, _MEMBERS, "")
        name = self._name()
        title = self._text("title", 120) or heading[:120]
        if not title:
            self._missing("title", "callers see only the name", f'add "title": "{name or "…"}"')
        summary = self._text("summary", 2000)
        if summary is None:
            self._missing("summary", "callers cannot see what it does", "add a sentence or two as 'summary'")
        version, licence = self._version(), self._licence()
        keywords = tuple(self._texts("keywords", most=30, length=60))
        references = tuple(self._texts("references", most=50, length=500))
        environment = self._environment(environments)
        resources = self._resources()
        if not self._right or name is None:
            return None
        return AlgorithmMetadata(
            name=name,
            title=title or name,
            summary=summary or "",
            version=version,
            license=licence,
            keywords=keywords,
            references=references,
            environment=environment,
            resources=resources,
        )

    def _error(self, message: str, mend: str, *, code: str = "bad-metadata") -> None:
        self._right = False
        self._findings.error(code, message, mend)

    def _missing(self, member: str, harm: str, mend: str) -> None:
        self._findings.warning("missing-metadata", f"swath.{member} is missing: {harm}", mend)

    def _refuse_unknown(self, block: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
        for name in block:
            if name not in known:
                meant = nearest(name, known)
                self._error(
                    f"swath.{prefix}{name[:60]!a} is not known".replace("'", ""),
                    f"did you mean {meant!r}?" if meant else f"remove it; there are {', '.join(known)}",
                    code="unknown-metadata",
                )

    def _name(self) -> str | None:
        name = self._text("name", 200)
        if name is None:
            if self._block.get("name") is None:
                self._error("swath.name is missing", 'add "name": "my-algorithm"')
            return None
        if not SLUG.fullmatch(name):
            self._error(
                "swath.name is not a name an algorithm can have",
                "begin with a letter and use 2 to 63 lower-case letters, digits and hyphens",
            )
            return None
        return name

    def _text(self, member: str, length: int) -> str | None:
        value = self._block.get(member)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > length or bad_text(value):
            self._error(f"swath.{member} is no text of 1 to {length} characters", f"correct '{member}'")
            return None
        return value.strip()

    def _version(self) -> str | None:
        text = self._text("version", 100)
        try:
            return None if text is None else str(Version.parse(text))
        except BadVersion as error:
            self._error(f"swath.version is no semantic version: {error}", 'write for example "1.0.0"')
            return None

    def _licence(self) -> str | None:
        text = self._text("license", 300)
        if text is None:
            if self._block.get("license") is None:
                self._missing("license", "nobody may reuse it", 'add an SPDX identifier, such as "Apache-2.0"')
            return None
        named = spdx.identifiers(text)
        meant = spdx.meant(text)
        mend = f"did you mean {meant!r}?" if meant else "write an SPDX expression, such as 'Apache-2.0' or 'MIT'"
        if named is None:
            self._error("swath.license is no SPDX expression", mend)
        elif not all(spdx.is_common(one) for one in named):
            self._findings.warning(
                "unusual-license", "swath.license names a licence that is not among the usual ones", mend
            )
        return text

    def _texts(self, member: str, *, most: int, length: int) -> Iterator[str]:
        value = self._block.get(member)
        if value is None:
            return
        right = isinstance(value, list) and len(value) <= most
        if not right or not all(isinstance(one, str) and 0 < len(one.strip()) <= length for one in value):
            self._error(
                f"swath.{member} is no list of up to {most} texts of up to {length} characters", f"correct '{member}'"
            )
            return
        yield from dict.fromkeys(one.strip() for one in value)

    def _environment(self, known: Collection[str] | None) -> str:
        name = self._text("environment", 100) or DEFAULT_ENVIRONMENT
        if known is not None and name not in known:
            meant = nearest(name, known)
            listed = ", ".join(sorted(known)) or "none"
            self._error(
                f"there is no environment {name!a}",
                f"did you mean {meant!r}?" if meant else f"choose one of: {listed}",
                code="unknown-environment",
            )
        return name

    def _resources(self) -> Resources:
        block = self._block.get("resources")
        if block is None:
            return Resources()
        if not isinstance(block, Mapping):
            self._error("swath.resources is no object", 'write for example {"cpus": 2, "memory_mb": 4096}')
            return Resources()
        self._refuse_unknown(block, (*_RANGES, "dask"), "resources.")
        given: dict[str, Any] = {}
        for member, (least, most, whole) in _RANGES.items():
            value = block.get(member)
            if value is None:
                continue
            number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not number or not least <= value <= most:
                what = "a whole number" if whole else "a number"
                self._error(f"swath.resources.{member} is not {what} from {least} to {most}", f"correct '{member}'")
            else:
                given[member] = value if whole else float(value)
        dask = block.get("dask", False)
        if not isinstance(dask, bool):
            self._error("swath.resources.dask is not true or false", "correct 'dask'")
            dask = False
        return Resources(**given, dask=dask)
