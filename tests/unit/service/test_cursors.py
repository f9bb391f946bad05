"""Cursors: what goes in comes out, and nothing else does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_service.cursors import Place, decode, encode
from swath_service.errors import Invalid

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
KINDS = {str: st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=80)}
VALUES = st.one_of(
    KINDS[str],
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_what_goes_in_comes_out(values: list[str | int | float | datetime]) -> None:
    place: Place = tuple(values)
    cursor = encode(place, of="runs?status=finished")
    assert decode(cursor, [type(value) for value in values], of="runs?status=finished") == place
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_a_time_is_the_same_moment_in_any_zone() -> None:
    there = AT.astimezone(timezone(timedelta(hours=5)))
    assert decode(encode((there,), of="x"), [datetime], of="x") == (AT,)


def test_another_list_refuses_it() -> None:
    cursor = encode((AT, "a1"), of="runs")
    with pytest.raises(Invalid) as refused:
        decode(cursor, [datetime, str], of="runs?everybody=true")
    assert refused.value.code == "bad-cursor"
    assert refused.value.findings[0]["field"] == "cursor"


@given(st.integers(0, 60), st.sampled_from("ABCxyz019-_=%é \0"))
def test_one_other_letter_is_refused(at: int, letter: str) -> None:
    cursor = encode((AT, "a1b2"), of="runs")
    at %= len(cursor)
    changed = cursor[:at] + letter + cursor[at + 1 :]
    if changed != cursor and _bytes(changed) != _bytes(cursor):
        with pytest.raises(Invalid):
            decode(changed, [datetime, str], of="runs")


@pytest.mark.parametrize("cursor", ["", "a", "====", "é", "AAAA" * 1000, encode((1,), of="runs")])
def test_what_is_no_cursor_of_it_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        decode(cursor, [datetime, str], of="runs")


@given(st.text(max_size=200))
def test_any_text_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(Invalid):
        decode(text, [datetime, str], of="runs")


def _bytes(cursor: str) -> bytes | None:
    try:
        return base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, UnicodeEncodeError):
        return None
