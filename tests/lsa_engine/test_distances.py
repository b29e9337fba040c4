"""Distances in tiles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lsa_engine.distances import count_steps, within
from lsa_engine.errors import Cancelled
from lsa_engine.progress import CancelToken, Progress, Steps
from lsa_engine.tiles import tile_count, tiles


@pytest.mark.parametrize(("distance", "spacing"), [(0, (1, 1)), (7.5, (1, 1)), (3.0, (0.5, 0.25)), (150, (1, 2))])
def test_what_lies_within_a_distance_is_the_same_in_tiles_as_in_one_piece(
    distance: float, spacing: tuple[float, float]
) -> None:
    rng = np.random.default_rng(0)
    region = rng.random((700, 1100)) > 0.9999
    whole = ndimage.distance_transform_edt(~region, sampling=spacing) <= distance
    np.testing.assert_array_equal(within(distance, region, spacing), whole)


def test_nothing_is_near_to_an_empty_region_and_all_to_a_full_one() -> None:
    empty = np.zeros((5, 600), bool)
    assert not within(1e9, empty).any()
    assert within(0, ~empty).all()


def test_tiles_cover_a_plane_once_and_their_windows_hold_the_margin() -> None:
    covered = np.zeros((700, 1300), int)
    for tile in tiles(covered.shape, (10, 200)):
        covered[tile.core] += 1
        window = np.zeros_like(covered)
        window[tile.window] = 1
        row, column = tile.core
        assert window[max(0, row.start - 10) : row.stop + 10, max(0, column.start - 200) : column.stop + 200].all()
        assert window[tile.window][tile.inside].shape == covered[tile.core].shape
    assert (covered == 1).all()
    assert len(list(tiles(covered.shape, (10, 200)))) == tile_count(covered.shape, (10, 200))


def test_the_steps_counted_before_are_those_made() -> None:
    seen: list[Progress] = []
    region = np.eye(700, dtype=bool)
    steps = Steps("measuring", count_steps((700, 700), 3.0, (1.0, 1.0)), seen.append)
    within(3.0, region, (1.0, 1.0), steps)
    assert seen[-1].done == seen[-1].total == len(seen) - 1 == 4


def test_measuring_stops_between_tiles() -> None:
    token = CancelToken()
    steps = Steps("measuring", 4, lambda progress: token.cancel() if progress.done == 1 else None, token)
    with pytest.raises(Cancelled):
        within(3.0, np.eye(700, dtype=bool), (1.0, 1.0), steps)
