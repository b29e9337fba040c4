"""The script of the Measure widget's run, executed: the same table by the engine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.image_io import write_image
from lsa_engine.progress import CancelToken
from napari_lsa_matting.measure_code import measure_script
from napari_lsa_matting.measurement import ImagePixels, MeasureOutcome, MeasureRequest, Pixels

_NAMES = {"alpha": "alpha", "image": "photo", "labels": "cells"}
_NO_PATHS = dict.fromkeys(_NAMES)


def labels_of(scene: Any) -> NDArray[np.uint16]:
    labels = np.full(scene.alpha.shape, 3, np.uint16)
    labels[:, 32:] = 7
    return labels


def colours_of(scene: Any) -> NDArray[np.uint8]:
    return np.round(np.dstack([scene.image, scene.alpha]) * 255).astype(np.uint8)


def measured(request: MeasureRequest) -> MeasureOutcome:
    return request.run(lambda _: None, CancelToken())


def test_the_code_measures_the_same_of_objects_in_a_coloured_picture(scene: Any, repeat: Any, tmp_path: Path) -> None:
    image = ImagePixels(colours_of(scene), (), ("red", "green", "blue"), "last")
    request = MeasureRequest(Pixels(scene.alpha), image, Pixels(labels_of(scene)), (0.5, 0.25), "um")
    outcome = measured(request)
    path = tmp_path / "photo.png"
    write_image(path, colours_of(scene)[..., :3])
    _, names = repeat(measure_script(request, _NAMES, _NO_PATHS, outcome))
    assert names["table"] == outcome.columns
    code, names = repeat(measure_script(request, _NAMES, {**_NO_PATHS, "image": str(path)}, outcome))
    assert names["table"] == outcome.columns
    assert f"image = read_image({str(path)!r})[..., :3]" in code


@pytest.mark.parametrize("with_image", [True, False])
def test_the_code_measures_the_same_of_a_volume_with_channels(scene: Any, repeat: Any, with_image: bool) -> None:
    alpha = np.stack([np.stack([scene.alpha, scene.alpha[::-1], scene.alpha])] * 2)
    channels = np.stack([np.stack([alpha * 100, alpha * 50])])
    image = ImagePixels(channels, (0, slice(None), 1), ("channel_0", "channel_1"), "first") if with_image else None
    request = MeasureRequest(Pixels(alpha, (1,)), image, None, (2.0, 0.5, 0.5), "um")
    outcome = measured(request)
    _, names = repeat(measure_script(request, _NAMES, _NO_PATHS, outcome))
    assert names["table"] == outcome.columns


def test_labels_that_were_painted_on_since_are_not_copied(scene: Any, repeat: Any) -> None:
    labels = labels_of(scene)
    request = MeasureRequest(Pixels(scene.alpha), None, Pixels(labels), (1.0, 1.0), "pixel")
    outcome = measured(request)
    labels[0, 0] = 9
    with pytest.raises(InputError, match="The labels of 'cells' were changed since the run"):
        repeat(measure_script(request, _NAMES, _NO_PATHS, outcome))
