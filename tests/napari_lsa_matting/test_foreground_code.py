"""Scripts of the Foreground widget's runs, executed: the same colours by the engine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsa_engine.errors import InputError
from lsa_engine.image_io import write_alpha, write_image
from lsa_engine.progress import CancelToken
from napari_lsa_matting.foreground_code import estimate_script, refine_script
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.requests import ForegroundRequest, RefineForegroundRequest


def planes(scene: Any, kind: str) -> tuple[ImagePlane, ImagePlane]:
    """An image and an alpha as layers hold them."""
    colours = np.round(scene.image * 255).astype(np.uint8)
    opacity = np.round(scene.alpha * 65535).astype(np.uint16)
    if kind == "gray":
        return ImagePlane(colours.mean(axis=2), (10.0, 240.0), "photo"), ImagePlane(scene.alpha, (0.0, 1.0), "alpha")
    if kind == "rgba":
        colours = np.dstack([colours, colours[..., 0]])
    return ImagePlane(colours, None, "photo"), ImagePlane(opacity, (0.0, 65535.0), "alpha")


@pytest.mark.parametrize("method", ["lsa", "multilevel", "closed-form"])
@pytest.mark.parametrize("kind", ["rgba", "gray"])
def test_the_code_estimates_the_same_colours(scene: Any, repeat: Any, method: str, kind: str) -> None:
    request = ForegroundRequest(*planes(scene, kind), method, ("cut-out", "foreground", "background"))
    outcome = request.run(lambda _: None, CancelToken())
    code, names = repeat(estimate_script(request, None, None, outcome))
    assert "numba" in code.splitlines()[0] and ("pymatting" in code.splitlines()[0]) is (method != "lsa")
    for kind, name in (("cut-out", "cutout"), ("foreground", "foreground"), ("background", "background")):
        np.testing.assert_allclose(names[name], outcome.colours[kind], atol=1e-5)


@pytest.mark.parametrize("method", ["multigrid", "paper"])
def test_the_code_refines_to_the_same_foreground(scene: Any, repeat: Any, method: str) -> None:
    request = RefineForegroundRequest(*planes(scene, "gray"), method, kappa=2.5)
    outcome = request.run(lambda _: None, CancelToken())
    _, names = repeat(refine_script(request, None, None, outcome))
    np.testing.assert_allclose(names["refined"], outcome.colours["refined foreground"], atol=1e-5)
    assert names["refined"].shape == (*scene.alpha.shape, 3)


def test_files_are_read_as_long_as_they_hold_what_was_given(scene: Any, repeat: Any, tmp_path: Path) -> None:
    image, alpha = planes(scene, "rgb")
    image_path, alpha_path = tmp_path / "photo.png", tmp_path / "alpha.png"
    write_image(image_path, image.pixels)
    write_alpha(alpha_path, scene.alpha, bits=16)
    request = ForegroundRequest(image, alpha, "lsa", ("foreground",))
    outcome = request.run(lambda _: None, CancelToken())
    code, names = repeat(estimate_script(request, str(image_path), str(alpha_path), outcome))
    assert "np.load" not in code and "cutout" not in code
    np.testing.assert_allclose(names["foreground"], outcome.colours["foreground"], atol=1e-5)
    write_alpha(alpha_path, 1 - scene.alpha, bits=16)
    code, names = repeat(estimate_script(request, str(image_path), str(alpha_path), outcome))
    assert str(image_path) in code and str(alpha_path) not in code
    np.testing.assert_allclose(names["foreground"], outcome.colours["foreground"], atol=1e-5)


def test_an_alpha_that_was_changed_since_is_not_copied(scene: Any, repeat: Any) -> None:
    image, alpha = planes(scene, "rgb")
    request = ForegroundRequest(image, alpha, "lsa", ("foreground",))
    outcome = request.run(lambda _: None, CancelToken())
    alpha.pixels[4, 4] ^= 1
    with pytest.raises(InputError, match="The pixels of 'alpha' were changed since the run"):
        repeat(estimate_script(request, None, None, outcome))
