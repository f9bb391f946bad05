"""JSON, text, bytes and archives."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from swath.compare import compare_files
from swath.contract.comparison import Tolerance, Verdict

WriteJson = Callable[..., Path]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)
_REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


@_REUSED
@given(value=_VALUES)
def test_spaces_and_the_order_of_members_are_encoding(write_json: WriteJson, value: Any) -> None:
    first = write_json("a", value)
    second = write_json(
        "b", json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )
    try:
        second.read_bytes().decode()
    except UnicodeDecodeError:
        return
    assert compare_files(first, second).verdict is Verdict.IDENTICAL


@_REUSED
@given(first=_VALUES, second=_VALUES)
def test_whether_two_values_differ_does_not_depend_on_their_order(
    write_json: WriteJson, first: Any, second: Any
) -> None:
    paths = write_json("a", first), write_json("b", second)
    one, other = compare_files(*paths), compare_files(*reversed(paths))
    assert one.verdict is not Verdict.INCOMPARABLE, one
    assert (one.verdict, one.differing, one.largest) == (other.verdict, other.differing, other.largest)
    if one.verdict is Verdict.IDENTICAL:
        assert json.dumps(first) == json.dumps(second) or first == second or "NaN" in json.dumps(first)


def test_paths_name_what_differs(write_json: WriteJson) -> None:
    first = write_json("a", {"dates": ["x", "y"], "made at": 1, "deep": {"n": [1, {"m": 2.5}]}, "gone": None})
    second = write_json("b", {"dates": ["x"], "made at": "1", "deep": {"n": [1, {"m": 3.5}]}, "new": []})
    got = compare_files(first, second)
    assert got.verdict is Verdict.DIFFERS
    assert {(one.where, one.expected, one.found) for one in got.differences} == {
        ("$.dates", "2 items", "1 items"),
        ('$["made at"]', "1", '"1"'),
        ("$.deep.n[1].m", "2.5", "3.5"),
        ("$.gone", "null", "nothing"),
        ("$.new", "nothing", "an array of 0"),
    }
    assert got.largest == 1.0


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("$.steps[*].seconds", True),
        ("$.steps[0].seconds", True),
        ("$.steps[1].seconds", False),
        ("$.steps", True),
        ("$['steps'][*]['seconds']", True),
        ("$.*[0].*", True),
        ("$", True),
        ("$.steps[*].name", False),
        ("steps[*].seconds", False),
    ],
)
def test_ignored_paths(write_json: WriteJson, path: str, ignored: bool) -> None:
    first = write_json("a", {"steps": [{"name": "load", "seconds": 1.0}]})
    second = write_json("b", {"steps": [{"name": "load", "seconds": 2.0}]})
    got = compare_files(first, second, tolerance=Tolerance(ignore=(path,)))
    assert got.verdict is (Verdict.IDENTICAL if ignored else Verdict.DIFFERS)


@pytest.mark.parametrize("path", ["$.", "$[", "$.a[-1]", "$..a", "$[?@.a]", "$.a b", "$['a"])
def test_a_path_that_is_none_is_said_and_ignores_nothing(write_json: WriteJson, path: str) -> None:
    got = compare_files(write_json("a", 1), write_json("b", 2), tolerance=Tolerance(ignore=(path,)))
    assert got.verdict is Verdict.INCOMPARABLE
    assert "is no path" in got.message


def test_numbers_follow_the_rule_and_a_share_means_nothing(write_json: WriteJson) -> None:
    first, second = write_json("a", {"v": 100, "w": 1.0}), write_json("b", {"v": 101, "w": 1})
    assert compare_files(first, second, tolerance=Tolerance(rtol=0.01)).verdict is Verdict.WITHIN
    assert compare_files(first, second, tolerance=Tolerance(share=1)).verdict is Verdict.DIFFERS
    assert compare_files(write_json("c", True), write_json("d", 1)).verdict is Verdict.DIFFERS
    assert compare_files(write_json("e", 10**30), write_json("f", 10**30 + 1)).differences[0].distance == 1.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1, "a": 2}', "a member twice"),
        (b'{"a": ', "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"1" * 5_000, "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_what_is_no_json_is_incomparable(write_json: WriteJson, content: bytes, said: str) -> None:
    got = compare_files(write_json("a", {}), write_json("b", content))
    assert got.verdict is Verdict.INCOMPARABLE
    assert said in got.message


def test_text_by_lines(write_json: WriteJson) -> None:
    first = write_json("a", b"one\ntwo\nthree\nfour\n", ".txt")
    assert (
        compare_files(first, write_json("b", b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\nfour", ".txt")).verdict
        is Verdict.IDENTICAL
    )
    got = compare_files(first, write_json("c", b"one\ntwo\nand a half\nthree\n4\n", ".txt"))
    assert (got.verdict, got.differing) == (Verdict.DIFFERS, 2)
    assert {(one.where, one.expected, one.found) for one in got.differences} == {
        ("line 3", "nothing", "and a half"),
        ("line 4", "four", "4"),
    }
    binary = compare_files(first, write_json("d", b"\xff\xff", ".txt"))
    assert binary.verdict is Verdict.INCOMPARABLE


def test_control_characters_of_strangers_are_not_told(write_json: WriteJson) -> None:
    got = compare_files(write_json("a", b"x", ".txt"), write_json("b", "\x1b[2J\u202e".encode(), ".txt"))
    assert got.differences[0].found == "\\x1b[2J\\x202e"


def test_bytes(write_json: WriteJson) -> None:
    first = write_json("a", b"abcdef", ".bin")
    got = compare_files(first, write_json("b", b"abXdeY", ".bin"), tolerance=Tolerance(share=1, atol=300))
    assert (got.verdict, got.kind, got.differing) == (Verdict.DIFFERS, "bytes", 2)
    assert got.differences[0].where == "byte 2"
    assert compare_files(first, write_json("c", b"abcdefg", ".bin")).differences[0].where == "size"
    assert compare_files(first, write_json("d", b"abcdef", ".bin")).message == "the same bytes"


def test_archives_by_their_members(tmp_path: Path) -> None:
    def pack(name: str, year: int, **members: str) -> Path:
        with zipfile.ZipFile(
            tmp_path / name, "w", zipfile.ZIP_DEFLATED if year == 2026 else zipfile.ZIP_STORED
        ) as file:
            for member, content in members.items():
                file.writestr(zipfile.ZipInfo(member, (year, 1, 1, 0, 0, 0)), content)
        return tmp_path / name

    first = pack("a.zip", 2025, one="1", two="2")
    assert compare_files(first, pack("b.zip", 2026, two="2", one="1")).verdict is Verdict.IDENTICAL
    got = compare_files(first, pack("c.zip", 2026, one="1", three="3"))
    assert {one.where for one in got.differences} == {"member two", "member three"}
    for name, at, content in (("d.gz", 1, b"x"), ("e.gz", 2, b"x"), ("f.gz", 1, b"y")):
        (tmp_path / name).write_bytes(gzip.compress(content, mtime=at))
    assert compare_files(tmp_path / "d.gz", tmp_path / "e.gz").verdict is Verdict.IDENTICAL
    assert compare_files(tmp_path / "d.gz", tmp_path / "f.gz").verdict is Verdict.DIFFERS
