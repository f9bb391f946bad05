"""What callers get of cards: domain objects as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from swath.contract.interface import json_schema

from swath_marketplace.api.markdown import to_html
from swath_marketplace.api.shapes import Shapes
from swath_marketplace.domain.cards import Card, Example, VersionNote
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.externals import ListedEntry
from swath_marketplace.domain.following import Kept
from swath_marketplace.domain.reviews import Review


class CardShapes:
    """Shapes answers; links stand where those of `shapes` do."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def version_path(self, owner: str, name: str, version: str) -> str:
        """Where a version is."""
        return self._shapes.below(f"algorithms/{quote(owner, safe='')}/{name}/versions/{quote(version, safe='')}")

    def algorithm_path(self, owner: str, name: str) -> str:
        """Where an algorithm is."""
        return self._shapes.below(f"algorithms/{quote(owner, safe='')}/{name}")

    def card(self, card: Card) -> dict[str, Any]:
        """A card."""
        version = card.version
        here = self.version_path(version.owner, version.name, version.version)
        standing = card.standing
        return {
            "algorithm": version.path,
            "version": self._shapes.version(version),
            "runs_count": card.algorithm.runs_count,
            "readme": {"markdown": card.readme, "html": str(to_html(card.readme, files_href=f"{here}/dossier/files"))},
            "interface": {"schema": json_schema(card.interface), **card.interface.as_dict()},
            "example": self.example(card.example, here) if card.example else None,
            "versions": [self.note(note) for note in card.versions],
            "evidence": {
                "level": standing.level.value,
                "message": standing.told,
                "expires_at": iso(standing.expires_at),
                "met": [one.as_dict() for one in standing.latest.results if one.met] if standing.latest else [],
                "missing": [one.as_dict() for one in standing.missing],
                "next_level": standing.next_level.value if standing.next_level else None,
            },
            "price": self._price(card),
            "statistics": card.statistics.as_dict(),
            "reviews": [_review(one) for one in card.reviews],
            "cite": {name: f"{here}/{name}" for name in ("CITATION.cff", "datacite.json", "citation.bib")},
            "favourite": card.favourite,
            "follows": card.follows,
            "links": {
                "self": f"{self.algorithm_path(version.owner, version.name)}/card",
                "run": f"{here}/run",
                "notebook": f"{here}/notebook",
                "schema": f"{here}/schema",
                "maturity": f"{here}/maturity",
                "dossier": f"{here}/dossier",
            },
        }

    def example(self, example: Example, here: str) -> dict[str, Any]:
        """The example of the version at `here`."""
        return {
            "scenario": example.scenario,
            "title": example.title,
            "parameters": dict(example.parameters),
            "ended_at": iso(example.ended_at),
            "wall_seconds": example.wall_seconds,
            "cost_millicredits": example.cost_millicredits,
            "outputs": [
                {**one.file.as_dict(), "href": f"{here}/example/{one.file.name}" if one.kept else None}
                for one in example.outputs
            ],
            "links": {"round": self._shapes.below(f"rounds/{example.round_id}")},
        }

    def note(self, note: VersionNote) -> dict[str, Any]:
        """A version with what changed."""
        version, old = note.version, note.predecessor
        here = self.version_path(version.owner, version.name, version.version)
        return {
            "version": version.version,
            "digest": version.digest,
            "maturity": note.level.value,
            "published_at": iso(version.published_at),
            "yanked_at": iso(version.yanked_at),
            "yank_reason": version.yank_reason,
            "changelog": {"markdown": note.changelog, "html": str(to_html(note.changelog))} if note.changelog else None,
            "changes": list(note.computed),
            "since": old.version if old else None,
            "bump": str(note.bump) if note.bump is not None else None,
            "interface": note.changes.as_dict() if note.changes else None,
            "links": {
                "self": here,
                "comparison": f"{here}/comparison?with={quote(old.version, safe='')}" if old else None,
            },
        }

    def kept(self, one: Kept) -> dict[str, Any]:
        """An algorithm in a user's list."""
        return {
            "algorithm": f"{one.owner}/{one.name}",
            "since": iso(one.at),
            "links": {"self": self.algorithm_path(one.owner, one.name)},
        }

    def external(self, listed: ListedEntry) -> dict[str, Any]:
        """An entry of another platform."""
        entry = listed.entry
        links = [
            {"rel": one.rel, "title": one.title, "href": one.href, "type": one.media_type, "pinned": one.pinned}
            for one in entry.links
        ]
        return {
            **entry.as_dict(),
            "external": True,
            "runnable_here": False,
            "links": links,
            "record_sha256": listed.record_sha256,
            "imported_at": iso(listed.imported_at),
            "href": self._shapes.below(f"external/{entry.key}"),
        }

    def _price(self, card: Card) -> dict[str, Any]:
        asked, price = card.price.asked, card.price
        added: Mapping[str, Any] | None = None
        if asked is not None and asked.per is not None:
            added = {"per": asked.per.value, "millicredits": asked.millicredits, "since": iso(asked.effective_at)}
        return {"added_value": added, "quote": price.quote, "why_no_quote": price.why_none or None}


def _review(review: Review) -> dict[str, Any]:
    return {
        "number": review.sequence,
        "kind": review.kind.value,
        "verdict": review.verdict.value,
        "text": review.text if review.withheld is None else "",
        "withheld": review.withheld,
        "reviewer": review.reviewer,
        "counts": review.counts,
        "at": iso(review.at),
    }
