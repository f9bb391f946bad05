"""Tables: what counts as the same in CSV and Parquet, which cells, rows and columns are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from swath.compare import compare_files
from swath.contract.comparison import Comparison, Tolerance, Verdict


@pytest.fixture
def frame() -> Any:
    return pandas.DataFrame(
        {
            "date": pandas.date_range("2026-01-01", periods=6, freq="10D", tz="UTC"),
            "mean": [0.1, 0.2, numpy.nan, 0.4, 0.5, 0.6],
            "pixels": [1, 2, 3, 4, 5, 2**60 + 1],
            "field": list("abcdef"),
            "cloudy": [True, False, True, True, False, False],
            "code": pandas.array([1, None, 3, 4, 5, 2**55 + 1], dtype="Int64"),
        }
    )


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: str, frame: Any, **options: Any) -> Path:
        path = tmp_path / name
        if path.suffix == ".csv":
            frame.to_csv(path, index=False, **options)
        else:
            frame.to_parquet(path, index=False, **options)
        return path

    return write


def test_csv_and_parquet_of_one_table_are_the_same(write: Any, frame: Any) -> None:
    first = write("a.csv", frame)
    for second in (write("b.parquet", frame), write("c.parquet", frame, compression="gzip")):
        for pair in ((first, second), (second, first)):
            got = compare_files(*pair)
            assert got.verdict is Verdict.IDENTICAL, got
            assert got.compared == 36


def test_the_order_of_columns_is_encoding(write: Any, frame: Any) -> None:
    got = compare_files(write("a.csv", frame), write("b.csv", frame[frame.columns[::-1]]))
    assert got.verdict is Verdict.IDENTICAL
    assert "another order" in got.message


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_cells_that_differ_are_named(write: Any, frame: Any, suffix: str) -> None:
    other = frame.copy()
    other.loc[3, "mean"] += 0.25
    other.loc[5, "pixels"] += 1
    other.loc[1, "field"] = "z"
    other.loc[2, "mean"] = 7.0
    other.loc[4, "cloudy"] = True
    got = compare_files(write(f"a.{suffix}", frame), write(f"b.{suffix}", other))
    assert got.verdict is Verdict.DIFFERS
    told = {one.where: (one.expected, one.found, one.distance) for one in got.differences}
    assert told["row 5, column pixels"] == (str(2**60 + 1), str(2**60 + 2), 1.0)
    assert told["row 3, column mean"][2] == pytest.approx(0.25)
    assert told["row 1, column field"] == ("b", "z", None)
    assert told["row 2, column mean"] == ("nothing", "7", None)
    assert told["row 4, column cloudy"] == ("false", "true", None)
    assert (got.differing, got.largest) == (5, 1.0)
    assert "rows 1, 2, 3, 4, 5" in got.message


def test_a_share_is_of_rows_and_not_of_cells(write: Any, frame: Any) -> None:
    other = frame.copy()
    other.loc[0, ["mean", "pixels", "field"]] = [9.0, 9, "q"]
    first, second = write("a.csv", frame), write("b.csv", other)
    assert compare_files(first, second, tolerance=Tolerance(share=1 / 6)).verdict is Verdict.WITHIN
    assert compare_files(first, second, tolerance=Tolerance(share=0.16)).verdict is Verdict.DIFFERS


def test_columns_that_are_ignored_may_be_anything(write: Any, frame: Any) -> None:
    other = frame.drop(columns="field").assign(mean="none", made_at="now")
    tolerance = Tolerance(ignore=("field", "mean", "made_at"))
    assert compare_files(write("a.csv", frame), write("b.csv", other), tolerance=tolerance).verdict.same


def test_missing_and_added_columns_are_out_of_any_tolerance(write: Any, frame: Any) -> None:
    other = frame.rename(columns={"field": "parcel"})
    got = compare_files(write("a.csv", frame), write("b.csv", other), tolerance=Tolerance(share=1, atol=1e9))
    assert got.verdict is Verdict.DIFFERS
    assert {(one.where, one.expected, one.found) for one in got.differences} == {
        ("column field", "there", "nothing"),
        ("column parcel", "nothing", "there"),
    }


def test_a_missing_row_is_named(write: Any, frame: Any) -> None:
    got = compare_files(write("a.csv", frame), write("b.csv", frame.drop(index=3)), tolerance=Tolerance(share=1))
    assert got.verdict is Verdict.DIFFERS
    assert ("row 3", "there", "nothing") in {(one.where, one.expected, one.found) for one in got.differences}
    assert "5 rows instead of 6" in got.message


def test_another_order_of_rows_is_said_as_such(write: Any, frame: Any) -> None:
    got = compare_files(write("a.csv", frame), write("b.csv", frame.iloc[::-1]), tolerance=Tolerance(share=1))
    assert got.verdict is Verdict.DIFFERS
    assert "the same rows in another order" in got.message


def test_numbers_that_became_text_are_told_by_column(write: Any, frame: Any) -> None:
    got = compare_files(write("a.csv", frame), write("b.csv", frame.assign(pixels=list("uvwxyz"))))
    assert got.verdict is Verdict.DIFFERS
    assert ("column pixels", "of number", "of text") in {
        (one.where, one.expected, one.found) for one in got.differences
    }


def test_another_width_of_the_same_numbers_is_never_identical(write: Any, frame: Any) -> None:
    narrow = frame[["mean", "pixels"]].head(5)
    got = compare_files(
        write("a.parquet", narrow), write("b.parquet", narrow.astype({"mean": "float32", "pixels": "int16"})),
        tolerance=Tolerance(rtol=1e-6),
    )  # fmt: skip
    assert got.verdict is Verdict.WITHIN
    assert "column pixels is kept as int16 instead of int64" in got.message


def test_moments_are_compared_and_not_their_notation(write: Any, frame: Any) -> None:
    zoned = frame.assign(date=frame["date"].dt.tz_convert("Europe/Brussels"))
    assert compare_files(write("a.parquet", frame), write("b.parquet", zoned)).verdict.same
    plain = frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d"))
    assert compare_files(write("a.csv", frame), write("b.csv", plain)).verdict is Verdict.IDENTICAL
    later = frame.assign(date=frame["date"] + pandas.Timedelta("1s"))
    got = compare_files(write("a.parquet", frame), write("c.parquet", later))
    assert got.differing == 6
    assert got.differences[0].distance == 1.0
    assert got.largest is None, "seconds are no unit of a value"


def test_dates_and_decimals_are_what_they_say(write: Any) -> None:
    from datetime import date
    from decimal import Decimal

    first = pandas.DataFrame({"day": [date(2026, 1, 1), date(2026, 1, 2)], "price": [Decimal("1.50"), Decimal("2.00")]})
    paths = write("a.parquet", first), write("b.csv", first.astype(str))
    assert compare_files(*paths).verdict.same
    later = write("c.parquet", first.assign(day=[date(2026, 1, 1), date(2026, 1, 3)]))
    got = compare_files(paths[0], later)
    assert [(one.where, one.distance) for one in got.differences] == [("row 1, column day", 86_400.0)]


def test_lists_in_cells_are_compared_by_their_numbers(write: Any) -> None:
    first = pandas.DataFrame({"bands": [[1.0, 2.0], [3.0, 4.0]]})
    second = pandas.DataFrame({"bands": [[1.0, 2.0], [3.0, 4.5]]})
    paths = write("a.parquet", first), write("b.parquet", second)
    assert compare_files(*paths).differences[0].where == "row 1, column bands"
    assert compare_files(*paths, tolerance=Tolerance(atol=0.5)).verdict is Verdict.WITHIN


def test_every_digit_of_a_csv_counts(tmp_path: Path) -> None:
    for name, text in (("a", "0.1000000000000000055"), ("b", "0.10000000000000002")):
        (tmp_path / f"{name}.csv").write_text(f"v\n{text}\n")
    got = compare_files(tmp_path / "a.csv", tmp_path / "b.csv")
    assert got.verdict is Verdict.DIFFERS
    assert got.largest == pytest.approx(1.4e-17, rel=0.1)


def test_a_country_is_no_missing_value(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("country,n\nNA,1\n,2\n")
    (tmp_path / "b.csv").write_text("country,n\n,1\nNA,2\n")
    assert compare_files(tmp_path / "a.csv", tmp_path / "b.csv").differing == 2


def test_empty_tables(tmp_path: Path, write: Any, frame: Any) -> None:
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("\n")
    assert compare_files(tmp_path / "a.csv", tmp_path / "b.csv").verdict is Verdict.IDENTICAL
    got = compare_files(write("c.csv", frame.head(0)), write("d.csv", frame))
    assert got.verdict is Verdict.DIFFERS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    column=st.lists(st.one_of(st.floats(), st.just(float("nan"))), min_size=1, max_size=30),
    rtol=st.floats(0, 1),
    data=st.data(),
)
def test_the_rule_for_numbers_is_numpys(write: Any, column: list[float], rtol: float, data: st.DataObject) -> None:
    other = [data.draw(st.one_of(st.just(value), st.floats())) for value in column]
    first = write("a.parquet", pandas.DataFrame({"v": column}))
    second = write("b.parquet", pandas.DataFrame({"v": other}))
    got = compare_files(first, second, tolerance=Tolerance(rtol=rtol))
    with numpy.errstate(all="ignore"):
        near = numpy.isclose(other, column, rtol=rtol, atol=0, equal_nan=True)
    assert got.differing == int((~near).sum())
    assert _round_trip(got) == got


def _round_trip(got: Comparison) -> Comparison:
    return Comparison.from_dict(got.as_dict())
