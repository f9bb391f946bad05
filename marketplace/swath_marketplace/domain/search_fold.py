"""The catalogue's entry of an algorithm, folded from what is stored about it: nothing is asked, nothing remembered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from swath.contract.interface import Interface, Parameter
from swath.contract.kinds import Kind
from swath.contract.scenarios import Scenario

from swath_marketplace.domain.added_value import AddedValuePrice, Per, has_area, price_at
from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.assessments import Assessment, stand
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.maturity import MaturityLevel, MaturityMark
from swath_marketplace.domain.searching import HERE, Entry, EntryKind, Facet, Price

_COLLECTION = re.compile(r"(?:.*_)?collections?", re.I)
_BAND = re.compile(r"(?:.*_)?bands?", re.I)
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:-]*")
_OPERATORS = frozenset({"AND", "OR", "WITH"})
_MARKDOWN = re.compile(r"```.*?```|!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|<[^>]*>", re.S)
_MOST_VALUES = 50
_LONGEST_VALUE = 100
_MOST_BODY = 60_000
#: Fewer runs of others tell no share of successes.
LEAST_RUNS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What ended runs of others than the author and the platform show; those that no wallet would pay for are none."""

    runs: int = 0
    users: int = 0
    finished: int = 0
    failed: int = 0
    """Through no fault of the platform, and not because somebody wanted their end."""

    @property
    def success_rate(self) -> float | None:
        """Share of finished ones among those that came to an end of their own; ``None`` of too few."""
        judged = self.finished + self.failed
        return self.finished / judged if judged >= LEAST_RUNS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything that an algorithm's entry follows from."""

    algorithm: Algorithm
    scenarios: Sequence[Scenario] = ()
    """Of the dossier that counts for its latest version."""
    card: str = ""
    """That dossier's README.md."""
    assessment: Assessment | None = None
    """The latest of its latest version."""
    mark: MaturityMark | None = None
    prices: Sequence[AddedValuePrice] = ()
    inputs: Sequence[Mapping[str, Any]] = field(default=())
    """What the platform's own runs of the latest version read. Not those of others: what they read is theirs."""
    use: Use = field(default_factory=Use)
    hidden: bool = False


def entry_of(facts: Facts, *, now: datetime, marks_raise: bool = False) -> Entry | None:
    """The entry at `now`; ``None`` where the algorithm offers no version."""
    algorithm, version = facts.algorithm, facts.algorithm.latest
    if version is None:
        return None
    known = [facts.assessment] if facts.assessment else []
    level = stand(known, mark=facts.mark, now=now, marks_raise=marks_raise).level
    interface = Interface.from_dict(version.interface)
    price = _asked(facts, interface, level, now)
    return Entry(
        kind=EntryKind.ALGORITHM,
        key=algorithm.id,
        path=version.path,
        href=f"algorithms/{quote(algorithm.owner, safe='')}/{algorithm.name}",
        title=algorithm.title,
        summary=algorithm.summary,
        keywords=algorithm.keywords,
        body=_body(facts.card, interface),
        facets={
            Facet.LEVEL: (level.value,),
            Facet.COLLECTION: _distinct(_collections(facts, interface)),
            Facet.BAND: _distinct(_bands(facts, interface)),
            Facet.LICENCE: licences(version.metadata.get("license")),
            Facet.PRICE: ((Price.PAID if price else Price.FREE).value,),
            Facet.ENVIRONMENT: (version.environment,),
            Facet.AUTHOR: (algorithm.owner,),
            Facet.PLATFORM: (HERE,),
        },
        use=facts.use.runs,
        published_at=version.published_at,
        card=_card(facts, version, level=level, price=price),
        hidden=facts.hidden,
        due_at=_due(facts, now),
    )


def licences(expression: object) -> tuple[str, ...]:
    """The licences that an SPDX expression names."""
    found = _LICENCE.findall(str(expression or ""))
    return _distinct(one for one in found if one.upper() not in _OPERATORS)


def plain_text(markdown: str) -> str:
    """The words of a card: without programs, pictures and addresses."""
    return _MARKDOWN.sub(" ", markdown[:_MOST_BODY])


def _card(
    facts: Facts, version: AlgorithmVersion, *, level: MaturityLevel, price: AddedValuePrice | None
) -> dict[str, Any]:
    algorithm, use = facts.algorithm, facts.use
    return {
        "owner": algorithm.owner,
        "name": algorithm.name,
        "latest_version": version.version,
        "maturity": level.value,
        "license": version.metadata.get("license"),
        "environment": version.environment,
        "price": {"per": price.per.value, "millicredits": price.millicredits} if price and price.per else None,
        "use": {"runs": use.runs, "users": use.users, "success_rate": use.success_rate},
        "created_at": iso(algorithm.created_at),
        "updated_at": iso(algorithm.updated_at),
    }


def _asked(facts: Facts, interface: Interface, level: MaturityLevel, now: datetime) -> AddedValuePrice | None:
    """What callers of the latest version pay its author, by the rules of `services.added_value.AddedValues.agreed`."""
    price = price_at(facts.prices, now)
    if price is None or price.per is None or not level.may_earn:
        return None
    return None if price.per is Per.KM2 and not has_area(interface) else price


def _due(facts: Facts, now: datetime) -> datetime | None:
    """When the entry becomes another though nothing is stored: a level expires, or an announced price begins."""
    ends = [facts.assessment.expires_at(level) for level in MaturityLevel] if facts.assessment else []
    begins = [price.effective_at for price in facts.prices]
    return min((moment for moment in (*ends, *begins) if moment is not None and moment > now), default=None)


def _collections(facts: Facts, interface: Interface) -> Iterator[object]:
    yield from _values(facts, interface, _COLLECTION)
    for scenario in facts.scenarios:
        yield from scenario.needs
    yield from (one.get("collection") for one in facts.inputs)


def _bands(facts: Facts, interface: Interface) -> Iterator[object]:
    yield from _values(facts, interface, _BAND)
    yield from (one.get("asset") for one in facts.inputs)


def _values(facts: Facts, interface: Interface, called: re.Pattern[str]) -> Iterator[object]:
    """What parameters of such names are: by default, by their choices, and in the author's scenarios."""
    named = [one for one in interface.parameters if called.fullmatch(one.name) and _of_text(one)]
    for parameter in named:
        yield from _each(None if parameter.required else parameter.default)
        yield from parameter.type.choices
        yield from parameter.type.items.choices if parameter.type.items else ()
        for scenario in facts.scenarios:
            if scenario.refused is None:
                yield from _each(scenario.parameters.get(parameter.name))


def _of_text(parameter: Parameter) -> bool:
    kind = parameter.type.items.kind if parameter.type.items else parameter.type.kind
    return kind in (Kind.STR, Kind.LITERAL)


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _distinct(values: Iterable[object]) -> tuple[str, ...]:
    """Texts that can be chosen, each once, in the order in which they were met."""
    words = (" ".join(value.split()) for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(word for word in words if 0 < len(word) <= _LONGEST_VALUE))[:_MOST_VALUES]


def _body(card: str, interface: Interface) -> str:
    told = [f"{one.name} {one.description}" for one in interface.parameters]
    told += [f"{one.name} {one.description}" for one in interface.outputs]
    return "\n".join([plain_text(card), *told])
