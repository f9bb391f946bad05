"""The words of entries in each kind of database: FTS5 on SQLite, tsvectors with GIN on PostgreSQL.

Words come folded (`domain.search_words`) and consist of letters and digits alone, so nothing of a query can be read as
syntax. Where a term occurs is asked column by column and no rank is: a rank of the database's own would change with
every text that others publish, and a page would begin where another ended only by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY

from swath_marketplace.domain.search_words import Term, singular, tokens
from swath_marketplace.domain.searching import Entry


class Column(StrEnum):
    """Where a word can occur."""

    TITLE = "title"
    SUMMARY = "summary"
    KEYWORDS = "keywords"
    BODY = "body"


#: A term, a column, and whether the term's last part must stand there as it is, though it may go on elsewhere.
Asked = tuple[Term, Column, bool]


class WordsTable:
    """``search_words`` of one database.

    Parameters
    ----------
    sqlite
        Whether it is FTS5's.
    """

    def __init__(self, *, sqlite: bool) -> None:
        self._sqlite = sqlite
        self._number = sa.column("rowid" if sqlite else "number", sa.Integer)
        self._words = sa.table("search_words", self._number, *(sa.column(column.value) for column in Column))
        self._delete = self._words.delete().where(self._number == sa.bindparam("of"))
        kept: dict[str, sa.ColumnElement[Any]] = {column.value: sa.bindparam(f"words_{column}") for column in Column}
        if not sqlite:
            kept = {name: sa.func.array_to_tsvector(sa.cast(value, sa.ARRAY(sa.Text))) for name, value in kept.items()}
        self._insert = self._words.insert().values({self._number.name: sa.bindparam("of"), **kept})

    def put(self, connection: sa.Connection, entries: Mapping[int, Entry]) -> None:
        """Replace the words of entries, by number."""
        self.remove(connection, list(entries))
        if entries:
            rows = [{"of": number, **self._values(entry)} for number, entry in entries.items()]
            connection.execute(self._insert, rows)

    def remove(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        """Take the words of entries out."""
        if numbers:
            connection.execute(self._delete, [{"of": number} for number in numbers])

    def matches(self, connection: sa.Connection, asked: Sequence[Asked]) -> Sequence[Sequence[int]]:
        """The numbers of the entries that each of `asked` is true of, in one statement."""
        if not asked:
            return []
        text = sa.cast(self._number, sa.Text)
        ids = sa.func.group_concat(text) if self._sqlite else sa.func.string_agg(text, ",")
        selects = [
            sa.select(sa.literal(place).label("place"), ids.label("ids")).where(self._is_in(term, column, exact=exact))
            for place, (term, column, exact) in enumerate(asked)
        ]
        if not self._sqlite:
            # For a word of every second card the planner would read the table, and unpack each card to look at it.
            connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        found: list[Sequence[int]] = [()] * len(asked)
        for place, joined in connection.execute(sa.union_all(*selects)):
            if joined:
                found[place] = list(map(int, joined.split(",")))
        return found

    def _is_in(self, term: Term, column: Column, *, exact: bool) -> sa.ColumnElement[bool]:
        if self._sqlite:
            made = _expression(term, word=_fts5_word, exact=exact, fts5=True)
            return sa.literal_column("search_words").op("MATCH")(f"{column} : ({made})")
        made = _expression(term, word=_ts_word, exact=exact, fts5=False)
        return self._words.c[column.value].op("@@")(sa.cast(made, TSQUERY))

    def _values(self, entry: Entry) -> dict[str, object]:
        texts = {
            Column.TITLE: f"{entry.title} {entry.path.rpartition('/')[2]}",
            Column.SUMMARY: entry.summary,
            Column.KEYWORDS: " ".join([*entry.keywords, entry.author, *_facet_words(entry)]),
            Column.BODY: entry.body,
        }
        words = {column.value: list(tokens(text, pairs=column is not Column.BODY)) for column, text in texts.items()}
        return {f"words_{name}": " ".join(some) if self._sqlite else some for name, some in words.items()}


def _facet_words(entry: Entry) -> list[str]:
    """Collections and bands are what people type who know the data."""
    return [value for facet, values in entry.facets.items() if facet in ("collection", "band") for value in values]


def _expression(term: Term, *, word: Callable[[str, bool], str], exact: bool, fts5: bool) -> str:
    """`term` in the syntax of one database."""
    either, both = (" OR ", " AND ") if fts5 else (" | ", " & ")
    goes_on = term.prefix and not exact

    def part(one: str, *, last: bool) -> str:
        forms = dict.fromkeys([word(one, last and goes_on), word(singular(one), False)])
        return f"({either.join(forms)})"

    parts = [part(one, last=place == len(term.parts) - 1) for place, one in enumerate(term.parts)]
    made = f"({both.join(parts)})"
    return f"({made}{either}{part(term.joined, last=True)})" if term.joined else made


def _fts5_word(word: str, goes_on: bool) -> str:
    return f'"{word}"*' if goes_on else f'"{word}"'


def _ts_word(word: str, goes_on: bool) -> str:
    return f"'{word}':*" if goes_on else f"'{word}'"
