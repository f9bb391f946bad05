"""Pages by place: what comes after an item in the order of a list, by its values and not by how many are before it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from swath_service.cursors import Place


def after(
    place: Place, columns: Sequence[sa.ColumnElement[object]], *, descending: Sequence[bool]
) -> sa.ColumnElement[bool]:
    """Whether a row comes after `place` in the order of `columns`, none of which may be null.

    Written out column by column, because directions differ and a row value knows but one.

    Parameters
    ----------
    columns
        Those that the list is ordered by; together they are unique.
    descending
        Of each column, whether the greatest comes first.
    """
    alternatives: list[sa.ColumnElement[bool]] = []
    same: list[sa.ColumnElement[bool]] = []
    for column, value, down in zip(columns, place, descending, strict=True):
        beyond = column < value if down else column > value
        alternatives.append(sa.and_(*same, beyond))
        same.append(column == value)
    return sa.or_(*alternatives)


def newest_first(
    place: Place | None, at: sa.ColumnElement[object], identifier: sa.ColumnElement[object]
) -> list[sa.ColumnElement[bool]]:
    """The condition for a list ordered by `at`, the newest first, then by `identifier`; none without a place."""
    return [] if place is None else [after(place, (at, identifier), descending=(True, False))]
