"""What stands in the files beside a version: the card and its sections, references, policy of its life, validation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from swath_marketplace.domain.criteria.protocol import Finding, criterion, named
from swath_marketplace.domain.evidence import LIFECYCLE, Evidence

_DEEPEST = 6
_FENCE = re.compile(r" {0,3}(```|~~~)")
#: Crossref's pattern for the DOIs that it gives out: https://www.crossref.org/blog/dois-and-matching-regular-expressions/
DOI = re.compile(r"\b10\.\d{4,9}/[-._;()/:a-zA-Z0-9]+")
_REPORT_SUFFIXES = frozenset({".md", ".pdf", ".html"})
#: Other spellings of a heading that mean the same.
_SAME = {"license": "licence"}


def sections(card: str) -> Mapping[str, str]:
    """Heading, in lower case, -> the text below it, subsections with it. Headings in code are none."""
    found: dict[str, list[str]] = {}
    open_: list[tuple[int, str]] = []
    fenced = ""
    for line in card.splitlines():
        fence = _FENCE.match(line)
        if fence and (not fenced or fence.group(1) == fenced):
            fenced = "" if fenced else fence.group(1)
        depth, words = (0, "") if fenced or fence else _heading(line)
        if not depth:
            for _, name in open_:
                found[name].append(line)
            continue
        name = _SAME.get(words, words)
        open_ = [*(one for one in open_ if one[0] < depth), (depth, name)]
        found.setdefault(name, [])
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def _heading(line: str) -> tuple[int, str]:
    """How deep an ATX heading is, and its words in lower case; 0 for another line. Takes time by the line's length."""
    depth = len(line) - len(line.lstrip("#"))
    text = line[depth:]
    if not 1 <= depth <= _DEEPEST or not text[:1].isspace():
        return 0, ""
    words = text.strip()
    bare = words.rstrip("#")
    # Closing marks are none of its words, unless they touch one: C#.
    if not bare or bare[-1].isspace():
        words = bare
    words = " ".join(words.casefold().split())
    return (depth, words) if words else (0, "")


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Documentation:
    """The card says under headings of its own what a caller must know."""

    key: ClassVar[str] = "documentation"
    title: ClassVar[str] = "A card with every section"
    sections: tuple[str, ...]
    words: int
    """That a section has at least."""

    def check(self, evidence: Evidence) -> Finding:
        """Whether every section is there and says something."""
        there = sections(evidence.card)
        lacking = [one for one in self.sections if one.casefold() not in there]
        empty = [one for one in self.sections if one not in lacking and len(there[one.casefold()].split()) < self.words]
        if not evidence.card:
            told = "there is no card (README.md)"
        elif lacking or empty:
            told = "; ".join(
                f"{what}: {named(which)}" for what, which in (("missing", lacking), ("too short", empty)) if which
            )
        else:
            told = f"all {len(self.sections)} sections are there"
        return Finding(
            met=not lacking and not empty,
            told=told,
            mend=f"write these headings into README.md, each with at least {self.words} words:"
            f" {named([*lacking, *empty])}",
            evidence={"missing": lacking, "too_short": empty},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """A publication stands behind the method. Whether the DOI leads anywhere is not looked up: only its form is."""

    key: ClassVar[str] = "references"
    title: ClassVar[str] = "References with a DOI"
    least: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether enough different DOIs stand in the notebook's metadata or under the card's references."""
        listed = [str(one) for one in evidence.version.metadata.get("references") or ()]
        text = "\n".join([*listed, sections(evidence.card).get("references", "")])
        found = list(dict.fromkeys(doi.rstrip(".,;:").lower() for doi in DOI.findall(text)))
        return Finding(
            met=len(found) >= self.least,
            told=f"{len(found)} references have a DOI; asked for: {self.least}",
            mend="name the publication behind the method with its DOI (10.1234/…) under References in README.md",
            evidence={"dois": found[:20]},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Lifecycle:
    """Callers know how long a version is kept up, and what announces its end."""

    key: ClassVar[str] = "lifecycle"
    title: ClassVar[str] = "A policy of its life"
    words: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether the policy is there and says something."""
        document = evidence.documents.get(LIFECYCLE)
        words = len(document.text.split()) if document else 0
        return Finding(
            met=words >= self.words,
            told=f"{LIFECYCLE} has {words} words" if document else f"there is no {LIFECYCLE}",
            mend=f"put {LIFECYCLE} beside the notebook: how long versions are kept up, how changes are announced,"
            f" who answers (at least {self.words} words)",
            evidence={"sha256": document.sha256 if document else None, "words": words},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationReport:
    """A report compares the results with independent ones. It is there; people judge it (reviews)."""

    key: ClassVar[str] = "validation-report"
    title: ClassVar[str] = "A validation report"
    bytes: int
    """That it has at least."""

    def check(self, evidence: Evidence) -> Finding:
        """Whether ``validation.md``, ``.pdf`` or ``.html`` is there and no stub."""
        reports = {
            name: document
            for name, document in evidence.documents.items()
            if PurePosixPath(name).stem.lower() == "validation"
            and PurePosixPath(name).suffix.lower() in _REPORT_SUFFIXES
        }
        name = max(reports, key=lambda one: reports[one].bytes, default="")
        size = reports[name].bytes if name else 0
        return Finding(
            met=size >= self.bytes,
            told=f"{name} has {size} bytes" if name else "no validation report is attached",
            mend="attach validation.md, .pdf or .html beside the notebook: against what independent data the results"
            f" were held and how far they are off (at least {self.bytes} bytes)",
            evidence={"file": name or None, "sha256": reports[name].sha256 if name else None, "bytes": size},
        )
