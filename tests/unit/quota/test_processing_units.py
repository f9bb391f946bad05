"""Golden vectors of the Copernicus Data Space Ecosystem's (Sentinel Hub's) documentation of processing units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.domain.processing_units import Correction, SampleFormat, processing_units

ORTHO = Correction.ORTHORECTIFICATION


def test_golden_vectors_of_the_documentation() -> None:
    large = processing_units(
        width=1024, height=1024, bands=4, sample_format=SampleFormat.FLOAT_32, samples=2, correction=ORTHO
    )
    assert round(large, 3) == 42.667
    small = processing_units(width=20, height=20, bands=2, sample_format=SampleFormat.BITS_16)
    assert round(small, 4) == 0.0067
    wide = processing_units(width=2000, height=2000, bands=2, sample_format=SampleFormat.BITS_16, correction=ORTHO)
    # The documentation cuts this one: rounded, the printed formula's 20.3450… would be 20.35.
    assert math.floor(wide * 100) / 100 == 20.34
    assert round(wide, 2) == 20.35


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"sample_format": SampleFormat.BITS_8}, 1),
        ({"sample_format": SampleFormat.OCTET_STREAM}, 1.4),
        ({"correction": Correction.TERRAIN}, 2.5),
        ({"speckle_filter": True}, 2),
        ({"samples": 3}, 3),
        ({"bands": 3}, 3),
    ],
)
def test_each_factor(change: dict[str, object], factor: float) -> None:
    plain = {"width": 512, "height": 512, "bands": 1, "sample_format": SampleFormat.BITS_16}
    assert processing_units(**plain | change) == pytest.approx(factor / 3)  # type: ignore[arg-type]


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), more=st.integers(0, 5000))
def test_more_pixels_never_count_less(width: int, height: int, more: int) -> None:
    def of(wide: int) -> float:
        return processing_units(width=wide, height=height, bands=1, sample_format=SampleFormat.BITS_8)

    assert of(width) <= of(width + more)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"bands": -1}, {"samples": math.nan}, {"samples": 0}])
def test_nothing_has_no_price(wrong: dict[str, float]) -> None:
    plain = {"width": 1, "height": 1, "bands": 1, "sample_format": SampleFormat.BITS_8}
    with pytest.raises(ValueError, match="above zero"):
        processing_units(**plain | wrong)  # type: ignore[arg-type]
