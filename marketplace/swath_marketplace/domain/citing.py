"""How a version is cited: CITATION.cff, DataCite metadata and BibTeX, from what the version itself says.

Formats: https://github.com/citation-file-format/citation-file-format/blob/1.2.0/schema-guide.md,
https://datacite-metadata-schema.readthedocs.io/en/4.5/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from swath.contract import spdx

from swath_marketplace.domain.algorithms import AlgorithmVersion

DATACITE_SCHEMA = "http://datacite.org/schema/kernel-4"
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>{}|\\^`]+")
_ADDRESS = re.compile(r"https?://[^\s\"<>{}|\\^`\])]+")
_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
#: What the schema of CITATION.cff 1.2.0 takes for one; DataCite and the resolver take more.
_CFF_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+")
_SPDX_ID = re.compile(r"[A-Za-z0-9.+-]+")
_MOST_AUTHORS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Creator:
    """Somebody to be named: a person with two names, or whoever has one."""

    name: str = ""
    """Of an organisation or a user; empty for a person with `family`."""
    family: str = ""
    given: str = ""
    orcid: str = ""
    """``0000-0000-0000-0000``, or empty."""

    @property
    def full(self) -> str:
        """``Family, Given`` or the one name."""
        return ", ".join(part for part in (self.family, self.given) if part) or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """What is needed to cite one version."""

    version: AlgorithmVersion
    creators: tuple[Creator, ...]
    url: str
    """Where the version is, absolute."""
    publisher: str
    doi: str = ""

    @property
    def title(self) -> str:
        """Title of the version."""
        return str(self.version.metadata.get("title") or self.version.name)


def creators_of(told: object, *, owner: str) -> tuple[Creator, ...]:
    """The authors that a CITATION.cff of the author's own names; whoever published it where that names none."""
    authors = told.get("authors") if isinstance(told, Mapping) else None
    found = [made for one in (authors if isinstance(authors, list) else [])[:_MOST_AUTHORS] if (made := _creator(one))]
    return tuple(dict.fromkeys(found)) or (Creator(name=owner),)


def doi_of(told: object) -> str:
    """The DOI that a CITATION.cff names, without any address before it; empty where it names none."""
    value = told.get("doi") if isinstance(told, Mapping) else None
    found = _DOI.search(value) if isinstance(value, str) else None
    return found[0] if found else ""


def _creator(told: object) -> Creator | None:
    if not isinstance(told, Mapping):
        return None
    words = {key: _word(told.get(key)) for key in ("family-names", "given-names", "name", "alias", "orcid")}
    orcid = _ORCID.fullmatch(words["orcid"])
    family = words["family-names"]
    name = "" if family else words["name"] or words["given-names"] or words["alias"]
    if not (family or name):
        return None
    given = words["given-names"] if family else ""
    return Creator(name=name, family=family, given=given, orcid=orcid[1] if orcid else "")


def _word(value: object) -> str:
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def citation_cff(citation: Citation) -> str:
    """The citation as CITATION.cff 1.2.0, valid by its schema."""
    version, meta = citation.version, citation.version.metadata
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use this algorithm, please cite it by these metadata."',
        "type: software",
        f"title: {_text(citation.title)}",
        "authors:",
        *(line for creator in citation.creators for line in _cff_author(creator)),
        f"version: {_text(version.version)}",
        f'date-released: "{version.published_at:%Y-%m-%d}"',
        f"url: {_text(citation.url)}",
    ]
    if summary := str(meta.get("summary") or ""):
        lines.append(f"abstract: {_text(summary)}")
    if _CFF_DOI.fullmatch(citation.doi):
        lines.append(f"doi: {_text(citation.doi)}")
    if licences := _cff_licences(str(meta.get("license") or "")):
        lines += ["license:", *(f"  - {_text(one)}" for one in licences)]
    if keywords := _texts(meta.get("keywords")):
        lines += ["keywords:", *(f"  - {_text(word)}" for word in keywords)]
    lines += ["identifiers:", "  - type: other", f"    value: {_text(version.digest)}"]
    lines.append('    description: "Digest over notebook, interface and environment lock"')
    if citation.doi and not _CFF_DOI.fullmatch(citation.doi):
        lines += ["  - type: url", f"    value: {_text(f'https://doi.org/{quote(citation.doi)}')}"]
    return "\n".join(lines) + "\n"


def _cff_licences(expression: str) -> Sequence[str]:
    """The licences to choose from, which is what a list of them means there; empty where that cannot be told.

    The schema takes identifiers alone, of SPDX's list as it was in 2021: neither ``AND``, ``WITH`` nor what authors
    define. Those of the short list were all on it.
    """
    words = expression.split()
    choice = len(words) % 2 == 1 and set(words[1::2]) <= {"OR"} and set(words[::2]) <= set(spdx.COMMON)
    return list(dict.fromkeys(words[::2])) if choice else []


def _cff_author(creator: Creator) -> Sequence[str]:
    parts = [("family-names", creator.family), ("given-names", creator.given), ("name", creator.name)]
    if creator.orcid:
        parts.append(("orcid", f"https://orcid.org/{creator.orcid}"))
    told = [f"{key}: {_text(value)}" for key, value in parts if value]
    return [f"  - {told[0]}", *(f"    {line}" for line in told[1:])]


def datacite(citation: Citation) -> dict[str, Any]:
    """The citation as DataCite's JSON of schema 4.5: what a repository needs to register a DOI for the version."""
    version, meta = citation.version, citation.version.metadata
    published = f"{version.published_at:%Y-%m-%d}"
    told: dict[str, Any] = {
        "schemaVersion": DATACITE_SCHEMA,
        "types": {"resourceTypeGeneral": "Software", "resourceType": "Algorithm"},
        "titles": [{"title": citation.title}],
        "creators": [_datacite_creator(creator) for creator in citation.creators],
        "publisher": {"name": citation.publisher},
        "publicationYear": f"{version.published_at:%Y}",
        "version": version.version,
        "url": citation.url,
        "dates": [{"date": published, "dateType": "Issued"}],
        "subjects": [{"subject": word} for word in _texts(meta.get("keywords"))],
        "formats": ["application/x-ipynb+json"],
        "alternateIdentifiers": [
            {"alternateIdentifier": version.digest, "alternateIdentifierType": "Swath version digest"}
        ],
        "relatedIdentifiers": [
            {"relatedIdentifier": doi, "relatedIdentifierType": "DOI", "relationType": "References"}
            for doi in _dois(meta.get("references"))
        ],
    }
    if citation.doi:
        told["doi"] = citation.doi
    if summary := str(meta.get("summary") or ""):
        told["descriptions"] = [{"description": summary, "descriptionType": "Abstract"}]
    if licence := str(meta.get("license") or ""):
        told["rightsList"] = [
            {"rights": licence, "rightsIdentifier": licence, "rightsIdentifierScheme": "SPDX"}
            if _SPDX_ID.fullmatch(licence)
            else {"rights": licence}
        ]
    return told


def _datacite_creator(creator: Creator) -> dict[str, Any]:
    told: dict[str, Any] = {"name": creator.full}
    if creator.family:
        told |= {"nameType": "Personal", "familyName": creator.family}
        told |= {"givenName": creator.given} if creator.given else {}
    if creator.orcid:
        orcid = f"https://orcid.org/{creator.orcid}"
        scheme = {"nameIdentifierScheme": "ORCID", "schemeUri": "https://orcid.org"}
        told["nameIdentifiers"] = [{"nameIdentifier": orcid, **scheme}]
    return told


def bibtex(citation: Citation) -> str:
    """The citation as an entry of BibTeX, for those whose tools know nothing newer."""
    version = citation.version
    key = re.sub(r"[^A-Za-z0-9]+", "_", f"{version.owner}_{version.name}_{version.version}")
    fields = {
        "title": f"{{{_tex(citation.title)}}}",
        "author": " and ".join(_tex(one.full) if one.family else f"{{{_tex(one.full)}}}" for one in citation.creators),
        "year": f"{version.published_at:%Y}",
        "month": f"{version.published_at:%m}",
        "version": _tex(version.version),
        "publisher": _tex(citation.publisher),
        "url": citation.url.replace("{", "%7B").replace("}", "%7D"),
        "doi": _tex(citation.doi),
        "note": _tex(version.digest),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@software{{{key},", *lines, "}"]) + "\n"


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: f"\\{sign}" for sign in "{}$&#_%"
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in " ".join(text.split()))


def _text(value: str) -> str:
    """A double-quoted scalar of YAML: a JSON string, but for ``\\U``, as YAML has no pairs of surrogates."""
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    quoted = json.dumps(whole, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def unnamed(references: object, text: str) -> list[str]:
    """Those of `references` that `text` does not name already: by their DOI, by their address, or in the same words."""
    named, words = _names(text), _words(text)
    return [one for one in _texts(references) if not (_names(one) & named or _words(one) in words)]


def _names(text: str) -> set[str]:
    found = [*_DOI.findall(text), *_ADDRESS.findall(text)]
    return {one.rstrip(".,;:)]*_").casefold() for one in found}


def _words(text: str) -> str:
    return " ".join(text.casefold().split())


def _dois(references: object) -> list[str]:
    return list(dict.fromkeys(found[0].rstrip(".,;)") for one in _texts(references) if (found := _DOI.search(one))))
