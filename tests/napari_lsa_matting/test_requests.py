"""Frozen requests do in a worker what the engine does when it is called directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
import lsa_engine.foreground as foreground_room
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.matte_request import ImageChangedError
from napari_lsa_matting.requests import ForegroundRequest, RefineForegroundRequest, find_facilities


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


@pytest.mark.parametrize("drawn_on", ["image", "alpha"])
@pytest.mark.parametrize("refines", [False, True])
def test_colours_of_what_was_drawn_on_meanwhile_are_refused(
    scene: Any, monkeypatch: pytest.MonkeyPatch, drawn_on: str, refines: bool
) -> None:
    planes = {
        "image": ImagePlane(scene.image.copy(), None, "photo"),
        "alpha": ImagePlane(scene.alpha.copy(), (0.0, 1.0), "alpha"),
    }
    name = "refine_foreground" if refines else "estimate_foreground"
    compute = getattr(foreground_room, name)

    def drawn_on_meanwhile(*inputs: Any, **settings: Any) -> Any:
        made = compute(*inputs, **settings)
        planes[drawn_on].pixels[3, 4] = 0.25
        return made

    monkeypatch.setattr(foreground_room, name, drawn_on_meanwhile)
    request: Any = (
        RefineForegroundRequest(*planes.values(), "multigrid", 1.0)
        if refines
        else ForegroundRequest(*planes.values(), "lsa", ("cut-out",))
    )
    with pytest.raises(ImageChangedError, match="were changed meanwhile, so its colours were dropped: run once more"):
        request.run(ignore, CancelToken())
