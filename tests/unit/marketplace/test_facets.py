"""Sets of bits count what a plain look would, however they came about; words are made alike on both sides."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from swath_marketplace.domain.facets import FacetSets, Line, bits_of, numbers_of
from swath_marketplace.domain.search_fold import licences, plain_text
from swath_marketplace.domain.search_words import terms, tokens
from swath_marketplace.domain.searching import EntryKind, Facet
from swath_marketplace.domain.visibility import Viewer

_FACETS = (Facet.LICENCE, Facet.BAND, Facet.AUTHOR)
_VALUES = st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple)
_CHOSEN = st.dictionaries(st.sampled_from(_FACETS), st.lists(st.sampled_from("abcd"), min_size=1, unique=True))
_LINES = st.builds(
    Line,
    kind=st.sampled_from(EntryKind),
    facets=st.fixed_dictionaries(dict.fromkeys(_FACETS, _VALUES)),
    rank=st.just(0),
    use=st.just(0),
    published_us=st.just(0),
    hidden=st.booleans(),
)
_SETS = st.dictionaries(st.integers(1, 40), _LINES, max_size=12)
_CHANGES = st.dictionaries(st.integers(1, 40), st.none() | _LINES, max_size=12)


@settings(max_examples=60, deadline=None)
@given(before=_SETS, changes=_CHANGES, chosen=_CHOSEN, viewer=st.sampled_from(["a", "z", None]))
def test_sets_count_as_a_plain_look_does(
    before: dict[int, Line], changes: dict[int, Line | None], chosen: dict[Facet, list[str]], viewer: str | None
) -> None:
    sets = FacetSets.of(before).changed(changes)
    lines = {number: line for number, line in {**before, **changes}.items() if line is not None}
    assert sets == FacetSets.of(lines) or sets.lines == lines

    def seen(line: Line) -> bool:
        return line.kind is EntryKind.ALGORITHM and (not line.hidden or viewer in line.facets[Facet.AUTHOR])

    def fits(line: Line, but: Facet | None = None) -> bool:
        return all(set(line.facets[facet]) & set(chosen[facet]) for facet in chosen if facet is not but)

    within = sets.visible((EntryKind.ALGORITHM,), viewer=Viewer(owner=viewer))
    assert numbers_of(within) == sorted(number for number, line in lines.items() if seen(line))
    assert numbers_of(sets.select(chosen, within)) == sorted(n for n, one in lines.items() if seen(one) and fits(one))
    counts = sets.counts(chosen, within, most=99)
    for facet in _FACETS:
        told = {one.value: one.count for one in counts[facet] if one.count}
        values = {value for line in lines.values() for value in line.facets[facet]}
        plain = {
            value: sum(seen(one) and fits(one, facet) and value in one.facets[facet] for one in lines.values())
            for value in values
        }
        assert told == {value: count for value, count in plain.items() if count}
        assert {one.value for one in counts[facet]} >= set(chosen.get(facet, ()))


@given(numbers=st.sets(st.integers(0, 500)))
def test_a_set_holds_what_was_put_in(numbers: set[int]) -> None:
    assert numbers_of(bits_of(numbers)) == sorted(numbers)


@given(text=st.text(max_size=60))
def test_words_are_letters_and_digits_whatever_was_written(text: str) -> None:
    for word in (*tokens(text, pairs=True), *(part for term in terms(text) for part in term.parts)):
        assert word
        assert not set(word) & set("\"'():*&|!<>\\- \t\n\0")


def test_what_is_asked_is_among_what_is_kept() -> None:
    kept = tokens("Säurewerte of Time-Series, Straße; composites", pairs=True)
    for text in ("saurewerte", "SÄUREWERTE", "timeseries", "strasse", "composite", "composites", "oftime"):
        assert terms(text)[0].parts[0] in kept, text


def test_a_licence_expression_names_its_licences() -> None:
    assert licences("(MIT OR Apache-2.0) AND GPL-2.0-only WITH Classpath-exception-2.0") == (
        "MIT",
        "Apache-2.0",
        "GPL-2.0-only",
        "Classpath-exception-2.0",
    )
    assert licences(None) == ()


def test_programs_and_addresses_of_a_card_are_no_words_of_it() -> None:
    assert plain_text("See [the *map*](https://x.org/y) <b>now</b>\n```python\nsecret()\n```").split() == [
        "See",
        "[the",
        "*map*",
        "now",
    ]
