"""Search over each kind of database: what is found, counted, ordered and kept true as things change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.added_value import Per
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.search_request import read_request
from swath_marketplace.domain.searching import Entry, EntryKind, Facet
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.services.searching import Answer
from swath_marketplace.testing import World, make_world, notebook, operator, user

ADA, BOB = user("ada"), user("bob")
READS = "# Which\ncollection: str = 'sentinel-2-l2a'\n# Which\nred_band: str = 'B04'\n# How many\nn: int = 3"


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        # No two things happen at the same time.
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(data: Path, database_url: str, clock: Clock) -> Iterator[World]:
    made = make_world(data, database_url=database_url, clock=clock)
    yield made
    made.made.database.dispose()


Find = Callable[..., Answer]


@pytest.fixture
def find(world: World) -> Find:
    def ask(q: str = "", *, who: Any = BOB, kind: str = "algorithm", **given: str | Sequence[str]) -> Answer:
        told = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
        return world.made.context.searches.find(who, read_request({"q": [q], **told}, kind=kind))

    return ask


def names(answer: Answer) -> list[str]:
    return [entry.path.rpartition("/")[2] for entry in answer.entries]


def publish(world: World, name: str, title: str, *, who: Any = ADA, **more: Any) -> None:
    world.registry.publish(who, notebook(name=name, title=title, **more))


def test_words_are_found_in_whatever_case_accent_and_number(world: World, find: Find) -> None:
    publish(world, "burned", "Áreas quemadas of Europe", keywords=["Fire", "Sentinel-2"])
    publish(world, "gaps", "NDVI time series", parameters=READS)
    publish(world, "land", "Land-cover maps", who=BOB)
    for text, wanted in {
        "areas": ["burned"],
        "ÁREA": ["burned"],
        "sentinel2 ": ["burned"],
        "timeseries": ["gaps"],
        "time-series": ["gaps"],
        "landcover map": ["land"],
        "ser": ["gaps"],
        "ser ": [],
        "sentinel-2-l2a": ["gaps"],
        "bob": ["land"],
        "fire ndvi": [],
        "%": [],
        "_": [],
    }.items():
        assert names(find(text)) == wanted, text
    assert len(names(find(""))) == 3


@pytest.mark.parametrize(
    "text", ['"', "a AND", "title:x*", "NEAR(a b, 2)", "-a ^b {c}:", "'; DROP TABLE", "a:* | !b", "\\", "(" * 150]
)
def test_nothing_of_a_query_is_syntax(world: World, find: Find, text: str) -> None:
    publish(world, "water", "Water")
    assert find(text).total == 0
    assert find("water").total == 1


def test_a_title_is_worth_more_than_a_summary_than_a_keyword_than_the_card(world: World, find: Find) -> None:
    publish(world, "card", "One", parameters="# How much water\nn: int = 3")
    publish(world, "keyword", "Two", keywords=["water"])
    publish(world, "summary", "Three", summary="Of water")
    publish(world, "begins", "Waterfalls")
    publish(world, "title", "Water")
    assert names(find("water")) == ["title", "begins", "summary", "keyword", "card"]
    assert names(find("water", sort="newest"))[0] == "title"


def test_facets_are_or_within_and_and_between(world: World, find: Find) -> None:
    publish(world, "aa", "A", parameters=READS, license="MIT")
    publish(world, "bb", "B", parameters=READS, license="Apache-2.0 OR MIT", who=BOB)
    publish(world, "cc", "C", license="BSD-3-Clause", who=BOB)
    answer = find(licence=["MIT", "BSD-3-Clause"], author=["bob"])
    assert names(answer) == ["cc", "bb"]
    told = {facet: {one.value: one.count for one in counts} for facet, counts in answer.facets.items()}
    # As if nothing of the same facet were chosen.
    assert told[Facet.LICENCE] == {"MIT": 1, "Apache-2.0": 1, "BSD-3-Clause": 1}
    assert told[Facet.AUTHOR] == {"ada": 1, "bob": 2}
    assert told[Facet.COLLECTION] == {"sentinel-2-l2a": 1}
    assert told[Facet.BAND] == {"B04": 1}
    assert told[Facet.PRICE] == {"free": 2}
    nothing = find(licence=["CC0-1.0"], author=["bob"])
    assert (nothing.total, [hint.facet for hint in nothing.hints]) == (0, [Facet.LICENCE])
    assert [hint.text for hint in find("licnse", author="bob").hints] == [None]


def test_pages_by_cursor_hold_while_others_publish(world: World, find: Find) -> None:
    wanted = [f"water-{number}" for number in range(5)]
    for name in wanted:
        publish(world, name, f"Water {name}")
    for sort in ("relevance", "newest", "use", "level"):
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = find("water", sort=sort, limit="2", cursor=cursor)
            seen += names(page)
            cursor = page.cursor
            publish(world, f"between-{sort}-{len(seen)}", "Water, too", who=BOB)
        assert [name for name in seen if name in wanted] == wanted[::-1], sort
        assert len(set(seen)) == len(seen)


def test_it_follows_whatever_an_entry_follows_from(world: World, find: Find, clock: Clock) -> None:
    publish(world, "water", "Water")
    assert find(level="prototype").total == 1
    world.prove("ada/water@1.0.0", MaturityLevel.VERIFIED)
    assert (find(level="prototype").total, find(level="verified").total) == (0, 1)
    world.made.context.added_values.set_price(
        ADA, "ada/water", per=Per.RUN, millicredits=10, effective_at=clock.now + timedelta(days=2)
    )
    assert find(price="paid").total == 0
    clock.now += timedelta(days=3)
    assert find(price="paid").total == 1, "an announced price began by itself"
    world.made.context.maturity.mark(operator(), "ada/water@1.0.0", level=MaturityLevel.PROTOTYPE, reason="a recall")
    assert (find(level="verified").total, find(price="paid").total) == (0, 0)
    world.registry.yank(ADA, "ada/water@1.0.0", reason="wrong")
    assert find().total == 0
    publish(world, "water", "Water again", parameters=READS)
    assert names(find("again")) == ["water"]


def test_a_level_expires_by_itself(world: World, find: Find, clock: Clock) -> None:
    publish(world, "water", "Water")
    world.prove("ada/water@1.0.0", MaturityLevel.VERIFIED, fresh_days=30)
    assert find(level="verified").total == 1
    clock.now += timedelta(days=31)
    assert find(level="verified").total == 0


def test_use_counts_the_runs_of_others(world: World, find: Find) -> None:
    publish(world, "water", "Water")
    publish(world, "fire", "Fire")
    for who in ("ada", "bob", "bob"):
        run, _ = world.runs.create(user(who), RunRequest(algorithm="ada/water", parameters={"n": 1}))
        world.look_until(run.id)
    world.made.search.index.refresh(urgent=False)
    assert names(find(sort="use")) == ["water", "fire"]
    used = find(sort="use").entries[0]
    assert (used.use, used.card["use"]["users"]) == (2, 1)


def external(key: str, **more: Any) -> Entry:
    return Entry(
        kind=EntryKind.EXTERNAL,
        key=key,
        path=f"elsewhere/{key}",
        href=f"external/{key}",
        title="Water elsewhere",
        facets={Facet.PLATFORM: ("elsewhere",), Facet.AUTHOR: ("somebody",)},
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        card={"license": "MIT"},
        **more,
    )


def test_what_runs_elsewhere_stands_beside(world: World, find: Find) -> None:
    publish(world, "water", "Water")
    index = world.made.search.index
    index.rebuild()
    for _ in range(2):
        index.index_entry(external("one"))
    assert names(find("water")) == ["water"]
    assert names(find("water", kind="any")) == ["water", "one"]
    assert find(kind="any", platform="elsewhere").entries[0].card == {"license": "MIT"}
    index.remove_entry(EntryKind.EXTERNAL, "one")
    assert find(kind="any").total == 1
    index.index_entry(external("one"))
    index.rebuild()
    assert find(kind="external").total == 0, "no record is stored that it would follow from"


def test_what_is_hidden_only_its_author_and_operators_find(world: World, find: Find) -> None:
    index = world.made.search.index
    index.rebuild()
    index.index_entry(external("one", hidden=True))
    assert find(kind="any").total == 0
    assert find(kind="any", who=user("somebody")).total == 1
    assert find(kind="any", who=operator()).total == 1


def test_made_anew_it_is_what_it_was(world: World, find: Find, data: Path, database_url: str) -> None:
    for number in range(3):
        publish(world, f"water-{number}", f"Water {number}", parameters=READS)
    world.registry.yank(ADA, "ada/water-1@1.0.0", reason="wrong")
    before = find("water")
    assert world.made.search.index.rebuild() == 3
    assert find("water").entries == before.entries
    again = make_world(data, database_url=database_url, marks_raise=True)
    try:
        after = again.made.context.searches.find(BOB, read_request({"q": ["water"]}))
        assert after.entries == before.entries
    finally:
        again.made.database.dispose()


def test_one_that_cannot_be_folded_keeps_no_other_from_being_found(
    world: World, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swath_marketplace.store import search_facts

    fold = search_facts.entry_of

    def broken(facts: Any, **more: Any) -> Entry | None:
        if facts.algorithm.name == "bad":
            raise ValueError("cannot be")
        return fold(facts, **more)

    monkeypatch.setattr(search_facts, "entry_of", broken)
    publish(world, "bad", "Water")
    publish(world, "good", "Water")
    world.made.search.index.rebuild()
    assert names(find("water")) == ["good"]
