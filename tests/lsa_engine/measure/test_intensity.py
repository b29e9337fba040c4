from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsa_engine.errors import InputError
from lsa_engine.measure import PERCENTILES, measure_matte, weighted_quantiles


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 12)), min_size=1, max_size=30),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
@settings(max_examples=200, deadline=None)
def test_quantiles_with_whole_weights_are_those_of_repeated_values(pairs, fractions) -> None:
    values, weights = (np.array(part) for part in zip(*pairs, strict=True))
    if not weights.any():
        return
    repeated = np.sort(np.repeat(values, weights))
    # In exact arithmetic: the first value whose number is not below q N.
    expected = [repeated[max(0, int(np.ceil(round(q * len(repeated), 8))) - 1)] for q in fractions]
    np.testing.assert_array_equal(weighted_quantiles(values, weights, fractions), expected)


def test_statistics_of_a_matte_are_those_of_its_pixels_repeated_as_often_as_they_are_opaque(
    rng: np.random.Generator,
) -> None:
    counts = rng.integers(0, 11, (30, 20))
    image = rng.integers(0, 65536, (30, 20, 2)).astype(np.uint16)
    found = measure_matte(counts / 10, image, channel_names=["actin", "dapi"])[0]
    assert [channel.channel for channel in found.channels] == ["actin", "dapi"]
    for index, channel in enumerate(found.channels):
        repeated = np.repeat(image[..., index].ravel().astype(float), counts.ravel())
        assert channel.mean == pytest.approx(repeated.mean(), rel=1e-6)
        assert channel.standard_deviation == pytest.approx(repeated.std(), rel=1e-6)
        expected = np.percentile(repeated, PERCENTILES, method="inverted_cdf")
        assert channel.percentiles == pytest.approx(expected, rel=1e-12)


def test_opacity_decides_how_much_a_mixed_pixel_counts() -> None:
    image = np.array([[100.0, 0.0]])
    assert measure_matte(np.array([[0.75, 0.25]]), image)[0].channels[0].mean == 75


def test_what_lies_outside_an_object_is_not_looked_at() -> None:
    image = np.array([[5.0, 5.0, np.nan, np.inf]])
    (channel,) = measure_matte(np.array([[1.0, 0.5, 0, 0]]), image)[0].channels
    assert (channel.mean, channel.standard_deviation) == (5, 0)


def test_intensities_of_a_volume_may_have_channels() -> None:
    image = np.arange(24.0).reshape(2, 3, 4)
    alpha = np.ones((2, 3, 4))
    flat = measure_matte(alpha, image, spacing=(1, 1, 1))[0].channels[0]
    stacked = measure_matte(alpha, np.stack([image, -image], -1), spacing=(1, 1, 1))[0].channels
    assert flat.mean == stacked[0].mean == -stacked[1].mean == 11.5
    assert [channel.channel for channel in stacked] == ["channel_0", "channel_1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 2], [1], [0.5]), "(2,) and the weights (1,)"),
        (([[1]], [[1]], [0.5]), "two lists"),
        (([], [], [0.5]), "No values"),
        (([1, np.nan], [1, 1], [0.5]), "1 NaN"),
        (([1, 2], [1, np.inf], [0.5]), "1 infinite"),
        (([1, 2], [1, -1], [0.5]), "-1 to 1"),
        (([1, 2], [0, 0], [0.5]), "0 to 0"),
        (([1, 2], [1, 1], [50]), "divide percentages by 100"),
        (([1, 2], [1, 1], [np.nan]), "[0, 1]"),
    ],
)
def test_quantiles_of_what_has_none_are_refused(arguments, words: str) -> None:
    with pytest.raises(InputError) as refused:
        weighted_quantiles(*arguments)
    assert words in str(refused.value)
