"""Mattes of several objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.inference.objects import matte_objects, object_trimap
from lsa_engine.progress import CancelToken, Progress


@pytest.fixture
def cells() -> tuple[np.ndarray, np.ndarray]:
    """Three soft discs, the first two side by side, and their labels."""
    rows, columns = np.mgrid[:160, :420].astype(np.float32)
    image = np.full((160, 420, 3), 0.1, np.float32)
    labels = np.zeros((160, 420), np.uint16)
    for label, (row, column, radius) in {3: (80, 60, 30), 5: (80, 122, 30), 9: (70, 350, 40)}.items():
        distance = np.hypot(rows - row, columns - column)
        alpha = np.clip((radius - distance) / 6 + 0.5, 0, 1)[..., None]
        image = alpha * np.float32([0.9, 0.5 + 0.05 * label, 0.3]) + (1 - alpha) * image
        labels[distance < radius] = label
    return image, labels


def test_every_object_has_the_matte_of_its_surroundings(cells: Any) -> None:
    image, labels = cells
    mattes = list(matte_objects(image, labels, inner=5, outer=6, method="closed-form"))
    assert [matte.label for matte in mattes] == [3, 5, 9]
    for matte in mattes:
        trimap = object_trimap(labels[matte.box], matte.label, inner=5, outer=6)
        expected = lsa.matte(image[matte.box], trimap, method="closed-form")
        np.testing.assert_array_equal(matte.alpha[matte.box], expected.alpha)
        assert matte.alpha.shape == labels.shape
        outside = matte.alpha.copy()
        outside[matte.box] = 0
        assert not outside.any()
    rows, columns = mattes[2].box
    assert (rows.start, columns.start) == (0, 350 - 39 - 6 - 64)


def test_what_lies_deep_in_another_object_is_background(cells: Any) -> None:
    _, labels = cells
    trimap = object_trimap(labels, 3, inner=5, outer=20)
    assert trimap.foreground[80, 60]
    assert trimap.unknown[80, 93]  # at the rim of the neighbour, 2 pixels deep
    assert trimap.background[80, 103]  # 11 deep: background, though only 14 from this object
    assert lsa.Trimap.from_mask(labels == 3, inner=5, outer=20).unknown[80, 103]


def test_distances_follow_the_height_and_width_of_pixels(cells: Any) -> None:
    _, labels = cells
    trimap = object_trimap(labels, 9, inner=4, outer=4, spacing=(2.0, 1.0))
    row, column = trimap.values[:, 350], trimap.values[70]
    assert int((row == 255).sum()) == int((labels[:, 350] == 9).sum()) - 4
    assert int((column == 255).sum()) == int((labels[70] == 9).sum()) - 8


def test_an_object_too_thin_for_its_band_does_not_keep_the_others_back(cells: Any) -> None:
    image, labels = cells
    labels[10:13, 200:260] = 7
    mattes = {matte.label: matte for matte in matte_objects(image, labels, inner=5, outer=5, method="closed-form")}
    assert mattes[7].result is None
    assert "no known foreground" in mattes[7].problem
    assert not mattes[7].alpha.any()
    assert all(mattes[label].result is not None for label in (3, 5, 9))


def test_only_some_objects_with_the_network(cells: Any) -> None:
    image, labels = cells
    matter = lsa.Matter("lsa-lite", device="cpu")
    (matte,) = matte_objects(image, labels, inner=5, outer=6, only=[9], weights=matter)
    expected = lsa.matte(image[matte.box], object_trimap(labels[matte.box], 9, inner=5, outer=6), device="cpu")
    np.testing.assert_array_equal(matte.alpha[matte.box], expected.alpha)
    matter.set_image(image)  # it was not closed


def test_progress_counts_objects_and_cancel_stops_between_them(cells: Any) -> None:
    image, labels = cells
    seen: list[Progress] = []
    token = CancelToken()
    mattes = matte_objects(image, labels, inner=5, outer=6, method="closed-form", progress=seen.append, cancel=token)
    next(mattes)
    assert (seen[-1].done, seen[-1].total) == (1, 3)
    token.cancel()
    with pytest.raises(lsa.Cancelled):
        next(mattes)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.zeros((160, 420), np.uint8), "without any object"),
        (np.ones((5, 5), np.uint8), "of the same size"),
        (np.ones((160, 420), np.float32), "expected integers"),
    ],
)
def test_labels_that_are_none_are_refused(cells: Any, labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(lsa.InputError, match=sentence):
        list(matte_objects(cells[0], labels, inner=1, outer=1, method="closed-form"))
