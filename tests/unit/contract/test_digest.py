"""Canonical JSON is RFC 8785's, and a version's digest depends on all it names and on nothing else."""

from __future__ import annotations

import hashlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath.contract.digest import canonical_json, sha256_bytes, sha256_file, version_digest

#: The same cases every time; a failure in a full run can be had again.
quick = settings(deadline=None, derandomize=True, max_examples=40)

LOCK = "0" * 64
# Appendix B of RFC 8785, where the numbers have a decimal form.
NUMBERS = {
    0.0: "0",
    5e-324: "5e-324",
    -5e-324: "-5e-324",
    1.7976931348623157e308: "1.7976931348623157e+308",
    9007199254740992.0: "9007199254740992",
    295147905179352830000.0: "295147905179352830000",
    9.999999999999997e22: "9.999999999999997e+22",
    1e23: "1e+23",
    1.0000000000000001e23: "1.0000000000000001e+23",
    999999999999999700000.0: "999999999999999700000",
    999999999999999900000.0: "999999999999999900000",
    1e21: "1e+21",
    9.999999999999997e-7: "9.999999999999997e-7",
    0.000001: "0.000001",
    333333333.3333332: "333333333.3333332",
    -0.0000033333333333333333: "-0.0000033333333333333333",
    1424953923781206.2: "1424953923781206.2",
    1.0: "1",
    100.0: "100",
    4.5: "4.5",
    1e-7: "1e-7",
    123e-20: "1.23e-18",
}


@pytest.mark.parametrize(("number", "written"), NUMBERS.items())
def test_numbers(number, written):
    assert canonical_json(number).decode() == written


def test_rfc_8785_example():
    document = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical_json(document).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_rfc_8785_sorting():
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical_json(dict.fromkeys(names, 1)))) == ordered


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(values)
def test_reads_back_and_is_stable(value):
    try:
        written = canonical_json(value)
    except ValueError:
        assert any("\ud800" <= character <= "\udfff" for character in json.dumps(value, ensure_ascii=False))
        return
    assert canonical_json(json.loads(written)) == written
    # A large float may be written without a point, where it is the nearest to what stands there and not the same.
    assert json.loads(written, parse_int=float) == json.loads(json.dumps(value), parse_int=float)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, {"a": {1}}, b"a", "\ud800", object()])
def test_not_json(value):
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        canonical_json({"a": value})


def test_deep_values_are_refused():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        canonical_json(deep)


def test_version_digest():
    given = {"notebook": b"{}", "interface": {"parameters": [], "outputs": []}, "environment_lock_sha256": LOCK}
    digest = version_digest(**given)
    assert digest == version_digest(**{**given, "interface": {"outputs": [], "parameters": []}})
    assert digest == version_digest(**{**given, "environment_lock_sha256": f"sha256:{LOCK}"})
    assert digest.startswith("sha256:")
    others = {
        version_digest(**{**given, "notebook": b"{ }"}),
        version_digest(**{**given, "interface": {"parameters": [1], "outputs": []}}),
        version_digest(**{**given, "environment_lock_sha256": "1" * 64}),
    }
    assert len({digest, *others}) == 4
    # Written down: another digest for the same version would make every published one a new one.
    assert digest == "sha256:cf2061184da6430096d2f68ec8e65f87ec66c3648eb1b7bbb5af712bd162e0e4"


@pytest.mark.parametrize("lock", ["", "0" * 63, "Z" * 64, f"md5:{LOCK}"])
def test_version_digest_wants_a_lock(lock):
    with pytest.raises(ValueError, match="environment_lock_sha256"):
        version_digest(notebook=b"", interface={}, environment_lock_sha256=lock)


def test_file_digest(tmp_path):
    file = tmp_path / "large"
    file.write_bytes(b"ab" * 1_500_000)
    assert sha256_file(file) == sha256_bytes(b"ab" * 1_500_000) == hashlib.sha256(b"ab" * 1_500_000).hexdigest()
