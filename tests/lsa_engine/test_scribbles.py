"""Trimaps from strokes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lsa_engine.errors import Cancelled, InputError, TrimapError
from lsa_engine.progress import CancelToken, Progress
from lsa_engine.scribbles import trimap_from_scribbles
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap


def disc(height: int, width: int, radius: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A light disc on dark ground with a little noise, and where it is."""
    rows, columns = np.ogrid[:height, :width]
    inside = np.hypot(rows - height / 2, columns - width / 2) < radius
    noise = np.random.default_rng(0).integers(0, 20, (height, width))
    return np.where(inside, 200, 40).astype(np.uint8) + noise.astype(np.uint8), inside


def strokes_on(height: int, width: int) -> Trimap:
    values = np.full((height, width), UNKNOWN, np.uint8)
    values[height // 2, width // 2 - width // 20 : width // 2 + width // 20] = FOREGROUND
    values[2:4, 2:-2] = BACKGROUND
    return Trimap(values)


@pytest.mark.parametrize(("height", "width"), [(80, 100), (450, 701)])
def test_a_stroke_on_each_side_fills_in_both_and_leaves_the_outline_unknown(height: int, width: int) -> None:
    image, inside = disc(height, width, height / 4)
    trimap = trimap_from_scribbles(image, strokes_on(height, width), width=4)
    assert not trimap.foreground[~inside].any()
    assert not trimap.background[inside].any()
    assert trimap.foreground.sum() > 0.6 * inside.sum()
    assert trimap.background.sum() > 0.6 * (~inside).sum()
    # No pixel beside the outline is known.
    outline = np.zeros_like(inside)
    outline[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    assert (trimap.values[outline] == UNKNOWN).all()


def test_strokes_stay_as_they_are_even_where_the_walker_thinks_otherwise() -> None:
    image, _ = disc(80, 100, 20)
    values = strokes_on(80, 100).values.copy()
    values[40, 60:66] = BACKGROUND
    trimap = trimap_from_scribbles(image, Trimap(values))
    np.testing.assert_array_equal(trimap.values[values != UNKNOWN], values[values != UNKNOWN])


def test_more_certainty_leaves_more_unknown() -> None:
    image = gaussian_filter(disc(80, 100, 20)[0], 5)
    usual, surer = (
        trimap_from_scribbles(image, strokes_on(80, 100), certainty=certainty, width=0) for certainty in (0.8, 0.95)
    )
    assert surer.unknown[usual.unknown].all()
    assert surer.unknown.sum() > usual.unknown.sum()


def test_more_width_leaves_more_unknown() -> None:
    image, _ = disc(80, 100, 20)
    narrow, wide = (trimap_from_scribbles(image, strokes_on(80, 100), width=width) for width in (2, 5))
    assert wide.unknown[narrow.unknown].all()
    assert wide.unknown.sum() > narrow.unknown.sum()


def test_the_width_counts_in_units_of_the_pixels() -> None:
    image, _ = disc(80, 100, 20)
    strokes = strokes_on(80, 100)
    one = trimap_from_scribbles(image, strokes, width=4)
    half = trimap_from_scribbles(image, strokes, width=2, spacing=0.5)
    np.testing.assert_array_equal(one.values, half.values)


def test_colours_and_floats_of_any_range_are_walked_alike() -> None:
    image, _ = disc(80, 100, 20)
    strokes = strokes_on(80, 100)
    gray = trimap_from_scribbles(image, strokes)
    floats = trimap_from_scribbles(image.astype(np.float32) * 10, strokes, data_range=(0, 2550))
    np.testing.assert_array_equal(gray.values, floats.values)
    colours = trimap_from_scribbles(np.stack([image, image // 2, 255 - image], axis=-1), strokes)
    assert colours.foreground.sum() == pytest.approx(gray.foreground.sum(), rel=0.1)


def test_what_cannot_be_walked_is_refused() -> None:
    image, _ = disc(80, 100, 20)
    strokes = strokes_on(80, 100)
    with pytest.raises(TrimapError, match="no known foreground"):
        trimap_from_scribbles(image, Trimap(np.where(strokes.foreground, UNKNOWN, strokes.values)))
    with pytest.raises(InputError, match="between 0.5 and 1"):
        trimap_from_scribbles(image, strokes, certainty=0.5)
    with pytest.raises(InputError, match="height and width must be the same"):
        trimap_from_scribbles(image[:50], strokes)


def test_progress_is_told_to_the_end_and_the_walk_can_be_stopped() -> None:
    image, _ = disc(80, 100, 20)
    seen: list[Progress] = []
    trimap_from_scribbles(image, strokes_on(80, 100), progress=seen.append)
    assert seen[-1].done == seen[-1].total
    token = CancelToken()
    with pytest.raises(Cancelled):
        trimap_from_scribbles(image, strokes_on(80, 100), progress=lambda _: token.cancel(), cancel=token)
