"""Channels merged to one picture."""

from __future__ import annotations

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.channels import channel_colours
from lsa_engine.errors import InputError


def test_three_channels_become_red_green_and_blue_as_they_are() -> None:
    channels = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5) * 1000
    merged = lsa.merge_channels(channels, "rgb")
    assert merged.dtype == np.uint16
    np.testing.assert_array_equal(merged, np.moveaxis(channels, 0, -1))


def test_two_channels_become_red_and_cyan() -> None:
    channels = np.stack([np.full((2, 3), 7, np.uint8), np.full((2, 3), 200, np.uint8)])
    np.testing.assert_array_equal(lsa.merge_channels(channels)[1, 2], [7, 200, 200])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 9])
def test_colours_stay_in_the_range_of_the_channels(count: int) -> None:
    weights = channel_colours(count)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights.max(axis=0) > 0).all()  # no channel is left out
    full = lsa.merge_channels(np.full((count, 2, 2), 65535, np.uint16))
    np.testing.assert_allclose(full, 65535, rtol=1e-6)


def test_projections_keep_values() -> None:
    channels = np.random.default_rng(3).integers(0, 60000, (4, 5, 6)).astype(np.uint16)
    largest = lsa.merge_channels(channels, "maximum")
    assert largest.dtype == np.uint16
    np.testing.assert_array_equal(largest, channels.max(axis=0))
    np.testing.assert_allclose(lsa.merge_channels(channels, "mean"), channels.mean(axis=0), rtol=1e-6)


def test_wide_integers_are_averaged_without_overflow() -> None:
    channels = np.full((2, 2, 2), 2**31 - 2, np.int32)
    np.testing.assert_array_equal(lsa.merge_channels(channels, "mean"), 2**31 - 2)


def test_what_are_no_channels_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"shape \(4, 5\), but \(C, H, W\) is expected"):
        lsa.merge_channels(np.zeros((4, 5)))
    with pytest.raises(InputError, match="cannot be merged by 'median': choose one of rgb, maximum, mean"):
        lsa.merge_channels(np.zeros((2, 4, 5)), "median")  # type: ignore[arg-type]
