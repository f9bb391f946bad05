"""Versions order as semver.org says, and ranges take what they say."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath.contract.semver import BadVersion, Bump, Version, VersionRange, sufficient

#: The same cases every time; a failure in a full run can be had again.
quick = settings(deadline=None, derandomize=True, max_examples=40)

ORDER = [
    *("0.0.1", "0.1.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
    *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.10", "1.2.0", "2.0.0"),
]


def test_order():
    for low, high in itertools.pairwise(ORDER):
        assert Version.parse(low) < Version.parse(high)
    assert [str(Version.parse(text)) for text in ORDER] == ORDER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0",
        "01.0.0",
        "1.0.0.0",
        "v1.0.0",
        "1.0.0+b",
        "1.0.0-",
        "1.0.0-01",
        "-1.0.0",
        "1.0.0\n",
        "٣.0.0",
        "9" * 200,
    ],
)
def test_no_version(text):
    with pytest.raises(BadVersion):
        Version.parse(text)


# Range, versions in it, versions not in it.
RANGES = [
    ("1.2.3", "1.2.3", "1.2.4 1.2.2 1.2.3-rc.1"),
    ("=1.2.3", "1.2.3", "1.2.4"),
    ("v1.2.3", "1.2.3", "1.2.4"),
    ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
    ("1.2", "1.2.0 1.2.9", "1.3.0 1.1.9 1.2.1-a"),
    ("1.2.x", "1.2.0 1.2.9", "1.3.0"),
    ("1", "1.0.0 1.9.9", "2.0.0 0.9.9 2.0.0-rc.1"),
    ("1.*", "1.0.0 1.9.9", "2.0.0"),
    ("^1", "1.0.0 1.9.9", "2.0.0 0.9.0"),
    ("^1.2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
    ("^1.2.3", "1.2.3 1.3.0", "1.2.2 2.0.0 1.3.0-rc.1"),
    ("^1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.2 1.2.3 1.9.0", "1.2.3-beta 1.3.0-rc.1"),
    ("^0.2", "0.2.0 0.2.9", "0.3.0 0.1.0 1.0.0"),
    ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^0", "0.0.1 0.9.9", "1.0.0"),
    ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
    ("~1.2", "1.2.0 1.2.9", "1.3.0"),
    ("~1", "1.0.0 1.9.9", "2.0.0"),
    (">=1,<2", "1.0.0 1.9.9", "0.9.9 2.0.0"),
    (">=1.2.0, <1.4", "1.2.0 1.3.9", "1.4.0"),
    (">1.2.0,<=1.4.0", "1.2.1 1.4.0", "1.2.0 1.4.1"),
    (">1.2", "1.3.0", "1.2.9"),
    ("<=1.2", "1.2.9 0.1.0", "1.3.0"),
    (">=1,>=2,<5,<4", "2.0.0 3.9.9", "1.0.0 4.0.0"),
    (">=3,<2", "", "1.0.0 2.5.0 3.0.0"),
    ("latest", "0.0.1 9.9.9", "1.0.0-rc.1"),
    ("*", "0.0.1 9.9.9", "1.0.0-rc.1"),
]


@pytest.mark.parametrize(("text", "inside", "outside"), RANGES)
def test_ranges(text, inside, outside):
    wanted = VersionRange.parse(text)
    assert [version for version in inside.split() if Version.parse(version) not in wanted] == []
    assert [version for version in outside.split() if Version.parse(version) in wanted] == []
    best = wanted.best([Version.parse(version) for version in f"{inside} {outside}".split()])
    assert best == max((Version.parse(version) for version in inside.split()), default=None)


@pytest.mark.parametrize(
    "text", ["", " ", "a", "^", "1.2.3.4", ">=1 <2", "1 || 2", "^1.x.3-a", "^^1", "1,", ",1", "^1.2-rc", "1" * 200]
)
def test_no_range(text):
    with pytest.raises(BadVersion):
        VersionRange.parse(text)


def test_exact():
    assert VersionRange.parse("1.2.3").exact == Version(1, 2, 3)
    for text in ("^1.2.3", "1.2", "latest", "<=1.2.3", ">1.2.3,<=1.2.3"):
        assert VersionRange.parse(text).exact is None


versions = st.builds(
    Version, *[st.integers(0, 3)] * 3, st.lists(st.sampled_from(("a", "b", "1", "10")), max_size=2).map(tuple)
)


@quick
@given(versions, versions, st.sampled_from(Bump))
def test_bumps_and_ranges_agree(old, new, bump):
    assert Version.parse(str(old)) == old
    assert old.bumped(bump) > old
    assert sufficient(old, old.bumped(bump), bump)
    if not old.prerelease and not new.prerelease and new > old and not sufficient(old, new, Bump.MAJOR):
        # Too small a step for a breaking change is one that somebody's ^range would take.
        assert new in VersionRange.parse(f"^{old}") or old.core[:2] == (0, 0)


@pytest.mark.parametrize(
    ("old", "bump", "least"),
    [
        ("1.2.3", Bump.PATCH, "1.2.4"),
        ("1.2.3", Bump.MINOR, "1.3.0"),
        ("1.2.3", Bump.MAJOR, "2.0.0"),
        ("0.2.3", Bump.MAJOR, "0.3.0"),
        ("0.2.3", Bump.MINOR, "0.2.4"),
        ("1.0.0-rc.1", Bump.MAJOR, "1.0.0"),
    ],
)
def test_least_bumps(old, bump, least):
    assert str(Version.parse(old).bumped(bump)) == least


def test_sufficient():
    old = Version.parse("1.2.3")
    assert sufficient(old, Version.parse("2.0.0-rc.1"), Bump.MAJOR)
    assert not sufficient(old, Version.parse("1.9.0"), Bump.MAJOR)
    assert not sufficient(old, old, Bump.PATCH)
    assert not sufficient(old, Version.parse("1.2.2"), Bump.PATCH)
