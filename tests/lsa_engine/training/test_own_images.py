"""Own photographs as foregrounds to train with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsa_engine.errors import InputError
from lsa_engine.training.own_images import cut_out_object, trim_cutout


def test_an_object_is_cut_out_with_its_own_colours(scene: Any) -> None:
    rgba = cut_out_object(scene.image, scene.alpha)
    rows, columns = (np.flatnonzero((scene.alpha > 0).any(axis)) for axis in (1, 0))
    part = tuple(slice(max(0, found[0] - 16), found[-1] + 17) for found in (rows, columns))
    np.testing.assert_allclose(rgba[..., 3], scene.alpha[part])
    solid = rgba[..., 3] == 1
    np.testing.assert_allclose(rgba[..., :3][solid], scene.image[part][solid], atol=1e-5)
    # Where half of what is seen is the background, its colour is taken out.
    half = (rgba[..., 3] > 0.4) & (rgba[..., 3] < 0.6)
    truth = scene.foreground[part][half]
    assert np.abs(rgba[..., :3][half] - truth).mean() < 0.5 * np.abs(scene.image[part][half] - truth).mean()


def test_gray_images_become_gray_cutouts(scene: Any) -> None:
    rgba = cut_out_object(np.round(255 * scene.image[..., 0]).astype(np.uint8), scene.alpha)
    assert rgba.shape[2] == 4
    assert np.ptp(rgba[..., :3], axis=2).max() == 0


def test_a_cutout_is_trimmed_to_its_object() -> None:
    rgba = np.zeros((100, 80, 4), np.uint8)
    rgba[40:50, 5:10] = 255
    trimmed = trim_cutout(rgba)
    assert trimmed.shape == (10 + 32, 5 + 5 + 16, 4)
    np.testing.assert_array_equal(trimmed[16:26, 5:10], 1)
    assert trimmed.sum() == 10 * 5 * 4


@pytest.mark.parametrize(("value", "word"), [(0.0, "transparent"), (1.0, "opaque")])
def test_an_alpha_without_an_edge_is_refused(scene: Any, value: float, word: str) -> None:
    with pytest.raises(InputError, match=f"{word} everywhere.*choose another alpha"):
        cut_out_object(scene.image, np.full_like(scene.alpha, value))


def test_an_alpha_of_another_size_is_refused(scene: Any) -> None:
    with pytest.raises(InputError, match="48 × 64 and its alpha 47 × 64"):
        cut_out_object(scene.image, scene.alpha[1:])
