"""Frozen requests do in a worker what the engine does when it is called directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.requests import ForegroundRequest, find_facilities


def ignore(progress: Progress) -> None:
    """A progress callback that nobody watches."""


def test_foreground_colours_are_the_engine_s(scene: Any) -> None:
    request = ForegroundRequest(
        ImagePlane(scene.image, None, "photo"),
        ImagePlane(scene.alpha, (0.2, 0.9), "alpha"),
        "lsa",
        ("cut-out", "background"),
    )
    results = request.run(ignore, CancelToken()).colours
    foreground, background = lsa.estimate_foreground(scene.image, scene.alpha)
    assert list(results) == ["cut-out", "background"]
    np.testing.assert_allclose(results["cut-out"][..., :3], foreground, atol=1e-4)
    # The contrast limits of an alpha layer are how it is shown, not what it means.
    np.testing.assert_array_equal(results["cut-out"][..., 3], scene.alpha)
    np.testing.assert_allclose(results["background"], background, atol=1e-4)


def test_an_alpha_outside_of_0_to_1_is_refused_with_its_range(scene: Any) -> None:
    request = ForegroundRequest(
        ImagePlane(scene.image, None, "photo"), ImagePlane(scene.alpha * 7, (0, 7), "alpha"), "multilevel", ("cut-out",)
    )
    with pytest.raises(InputError, match="from 0 to 7"):
        request.run(ignore, CancelToken())


def test_facilities_name_the_installed_weights_and_a_device(random_weights: str) -> None:
    facilities = find_facilities(ignore, CancelToken())
    assert random_weights in facilities.weights
    assert list(facilities.precisions)[:2] == ["auto", "cpu"]
    assert set(facilities.precisions.values()) <= {"float32", "bfloat16"}
    assert facilities.automatic in ("cpu", "cuda", "mps")
