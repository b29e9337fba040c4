"""Tools that change a trimap as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lsa_engine.errors import Cancelled, InputError
from lsa_engine.progress import CancelToken
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap
from lsa_engine.trimap_editing import (
    count_islands,
    fill_holes,
    narrow_unknown,
    remove_islands,
    smooth_outlines,
    widen_unknown,
)

F, U, B = FOREGROUND, UNKNOWN, BACKGROUND
TOOLS = [widen_unknown, narrow_unknown, smooth_outlines, fill_holes, remove_islands]


def column_band(widths: tuple[int, int, int], height: int = 40) -> Trimap:
    """Foreground, unknown and background side by side."""
    row = np.repeat(np.array([F, U, B], np.uint8), widths)
    return Trimap(np.tile(row, (height, 1)))


def counts(trimap: Trimap) -> list[int]:
    """Pixels of foreground, unknown and background in a row of the middle."""
    row = trimap.values[trimap.shape[0] // 2]
    return [int((row == kind).sum()) for kind in (F, U, B)]


def test_the_band_widens_on_both_sides_by_a_distance_in_units() -> None:
    trimap = column_band((20, 4, 20))
    assert counts(widen_unknown(trimap, 3)) == [17, 10, 17]
    # Pixels are half as wide as high.
    assert counts(widen_unknown(trimap, 3, (1.0, 0.5))) == [14, 16, 14]
    np.testing.assert_array_equal(widen_unknown(trimap, 0).values, trimap.values)


def test_widening_opens_a_band_where_foreground_and_background_touch() -> None:
    assert counts(widen_unknown(column_band((20, 0, 20)), 2)) == [18, 4, 18]


def test_the_band_narrows_on_both_sides_but_never_closes() -> None:
    trimap = column_band((20, 10, 20))
    assert counts(narrow_unknown(trimap, 3)) == [23, 4, 23]
    foreground, unknown, background = counts(narrow_unknown(trimap, 30))
    assert unknown in (1, 2)
    assert abs(foreground - background) <= 1


def test_narrowing_across_the_seams_of_tiles_is_the_same_as_in_one_piece() -> None:
    rng = np.random.default_rng(1)
    values = np.full((600, 1100), U, np.uint8)
    for kind in (F, B):
        for row, column in rng.integers(0, (590, 1090), (40, 2)):
            values[row : row + 10, column : column + 10] = kind
    from scipy import ndimage

    near = {kind: ndimage.distance_transform_edt(values != kind) for kind in (F, B)}
    expected = values.copy()
    expected[(values == U) & (near[F] <= 25) & (near[F] + 1 < near[B])] = F
    expected[(values == U) & (near[B] <= 25) & (near[B] + 1 < near[F])] = B
    np.testing.assert_array_equal(narrow_unknown(Trimap(values), 25).values, expected)


def test_a_trimap_without_anything_known_does_not_narrow() -> None:
    empty = Trimap(np.full((30, 30), U, np.uint8))
    assert (narrow_unknown(empty, 5).values == U).all()


def test_smoothing_keeps_straight_outlines_and_rounds_corners() -> None:
    trimap = column_band((20, 6, 20))
    np.testing.assert_array_equal(smooth_outlines(trimap, 6).values, trimap.values)
    values = np.full((60, 60), B, np.uint8)
    values[10:50, 10:50] = F
    values[30, 50:] = F  # a hair of a slip of the brush
    smoothed = smooth_outlines(Trimap(values), 6).values
    assert smoothed[10, 10] != F
    assert smoothed[30, 12] == F
    assert not (smoothed[30, 54:] == F).any()


def test_smoothing_across_the_seams_of_tiles_is_the_same_as_in_one_piece() -> None:
    rng = np.random.default_rng(2)
    values = rng.choice(np.array([F, U, B], np.uint8), (600, 30))
    long = np.tile(values, (1, 3))
    # The same picture, moved against the tiles.
    padded = np.pad(long, ((100, 0), (0, 0)), mode="edge")
    np.testing.assert_array_equal(
        smooth_outlines(Trimap(long), 4).values[40:], smooth_outlines(Trimap(padded), 4).values[140:]
    )


def test_small_holes_are_filled_with_what_surrounds_them() -> None:
    values = np.full((60, 90), B, np.uint8)
    values[10:50, 10:50] = F
    values[20:23, 20:23] = U
    values[30:33, 30:33] = B
    values[20:30, 35:45] = B  # too large
    values[5:7, 70:72] = U
    values[0, 80] = U  # at the frame: not surrounded
    values[30:34, 60:64] = F  # an object in the background is no hole
    expected = values.copy()
    expected[20:23, 20:23] = expected[30:33, 30:33] = F
    expected[5:7, 70:72] = B
    np.testing.assert_array_equal(fill_holes(Trimap(values), 5).values, expected)


def test_an_unknown_ring_around_an_object_is_no_hole_of_the_background() -> None:
    values = np.full((40, 40), B, np.uint8)
    values[10:20, 10:20] = U
    values[12:18, 12:18] = F
    np.testing.assert_array_equal(fill_holes(Trimap(values), 30).values, values)


def test_islands_become_what_is_around_them() -> None:
    values = np.full((60, 60), B, np.uint8)
    values[10:40, 10:40] = F
    values[50:52, 50:52] = F  # in the background
    values[20:30, 20:30] = U
    values[24:26, 24:26] = B  # in the unknown
    values[35:37, 35:37] = B  # in the foreground
    expected = values.copy()
    expected[50:52, 50:52] = B
    expected[24:26, 24:26] = U
    expected[35:37, 35:37] = F
    np.testing.assert_array_equal(remove_islands(Trimap(values), 5).values, expected)
    # In pixels of 0.1, the same islands are smaller than 0.5.
    np.testing.assert_array_equal(remove_islands(Trimap(values), 0.5, 0.1).values, expected)
    np.testing.assert_array_equal(remove_islands(Trimap(values), 0.5).values, values)


def test_the_largest_part_of_each_kind_is_never_an_island() -> None:
    values = np.full((30, 30), U, np.uint8)
    values[3:6, 3:6], values[20, 20], values[25, 2:5] = F, F, B
    result = remove_islands(Trimap(values), 100).values
    assert (result == F).sum() == 9
    assert (result == B).sum() == 3


def test_islands_are_counted_and_the_first_is_found() -> None:
    region = np.zeros((30, 30), bool)
    region[2:12, 2:12] = region[20, 21] = region[25, 25:27] = True
    assert count_islands(region, 4) == (2, (20, 21))
    assert count_islands(region, 1) == (1, (20, 21))
    assert count_islands(np.zeros((30, 30), bool), 4) == (0, (0, 0))


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_refuses_negative_distances_and_stops_when_told(tool: Callable[..., Any]) -> None:
    trimap = column_band((10, 4, 10))
    with pytest.raises(InputError, match="finite and 0 or more"):
        tool(trimap, -1)
    with pytest.raises(InputError, match="two positive numbers"):
        tool(trimap, 1, (0.0, 1.0))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        tool(trimap, 1, cancel=token)
