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
from napari_lsa_matting.code_snippet import Script
from napari_lsa_matting.measure_code import measure_script
from napari_lsa_matting.measure_pixels import ImagePixels, Pixels
from napari_lsa_matting.measure_request import MeasureOutcome, MeasureRequest, Part
from napari_lsa_matting.measurement import Series


def names_of(request: MeasureRequest) -> dict[str, list[str]]:
    first = request.parts[0]
    given = {"alpha": list(request.names) or ["alpha"]}
    given["image"] = [] if first.image is None else ["photo"]
    return given | {"labels": [] if first.labels is None else ["cells"]}


def script_of(request: MeasureRequest, outcome: MeasureOutcome, image_path: str | None = None) -> Script:
    names = names_of(request)
    paths: dict[str, list[str | None]] = {what: [None] * len(each) for what, each in names.items()}
    return measure_script(request, names, paths | {"image": [image_path]}, outcome)


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
    request = MeasureRequest((Part((Pixels(scene.alpha),), image, Pixels(labels_of(scene))),), (0.5, 0.25), "um")
    outcome = measured(request)
    path = tmp_path / "photo.png"
    write_image(path, colours_of(scene)[..., :3])
    _, names = repeat(script_of(request, outcome))
    assert names["table"] == outcome.columns
    code, names = repeat(script_of(request, outcome, str(path)))
    assert names["table"] == outcome.columns
    assert f"image = read_image({str(path)!r})[..., :3]" in code


@pytest.mark.parametrize("with_image", [True, False])
def test_the_code_measures_the_same_of_a_volume_with_channels(scene: Any, repeat: Any, with_image: bool) -> None:
    alpha = np.stack([np.stack([scene.alpha, scene.alpha[::-1], scene.alpha])] * 2)
    channels = np.stack([np.stack([alpha * 100, alpha * 50])])
    image = ImagePixels(channels, (0, slice(None), 1), ("channel_0", "channel_1"), "first") if with_image else None
    request = MeasureRequest((Part((Pixels(alpha, (1,)),), image),), (2.0, 0.5, 0.5), "um")
    outcome = measured(request)
    _, names = repeat(script_of(request, outcome))
    assert names["table"] == outcome.columns


def test_labels_that_were_painted_on_since_are_not_copied(scene: Any, repeat: Any) -> None:
    labels = labels_of(scene)
    request = MeasureRequest((Part((Pixels(scene.alpha),), None, Pixels(labels)),), (1.0, 1.0), "pixel")
    outcome = measured(request)
    labels[0, 0] = 9
    with pytest.raises(InputError, match="The labels of 'cells' were changed since the run"):
        repeat(script_of(request, outcome))


def test_the_code_measures_the_same_of_several_mattes(scene: Any, repeat: Any) -> None:
    alphas = (Pixels(scene.alpha), Pixels(np.stack([scene.alpha[::-1], scene.alpha.T[::-1, ::-1].T]), (1,)))
    image = ImagePixels(scene.image[..., 0], (), ("red",))
    request = MeasureRequest((Part(alphas, image),), (0.5, 0.25), "um", names=('the "first"', "second"))
    outcome = measured(request)
    _, names = repeat(script_of(request, outcome))
    assert names["table"] == outcome.columns
    assert outcome.columns["object"] == ['the "first"', "second"]


@pytest.mark.parametrize("several", [True, False])
def test_the_code_measures_the_same_of_every_frame(scene: Any, repeat: Any, several: bool) -> None:
    alpha = np.stack([scene.alpha * factor for factor in (0.5, 0.75, 1.0)]).astype(np.float32)
    video = np.stack([scene.image[..., 0] * factor for factor in (1, 2, 3)])
    labels = np.stack([labels_of(scene), np.zeros_like(labels_of(scene)), labels_of(scene)])
    parts = tuple(
        Part(
            (Pixels(alpha, (frame,)), Pixels(alpha[::-1], (frame,))) if several else (Pixels(alpha, (frame,)),),
            # Of one picture there is one for all frames.
            ImagePixels(video[0], ()) if several else ImagePixels(video, (frame,)),
            None if several else Pixels(labels, (frame,)),
            frame,
        )
        for frame in range(3)
    )
    names = ("a", "b") if several else ()
    request = MeasureRequest(parts, (0.5, 0.25), "um", names=names, series=Series("t", "t_s", 0.3))
    outcome = measured(request)
    code, names = repeat(script_of(request, outcome))
    assert names["table"] == outcome.columns
    expected = [0, 0, 1, 1, 2, 2] if several else [0, 0, 2, 2]
    assert outcome.columns["frame"] == expected
    assert outcome.columns["t_s"] == [0.3 * frame for frame in expected]
    assert outcome.left_out == (() if several else (1,))
    assert ('image = arrays["image"]' in code) == several


def test_frames_without_any_labels_are_refused(scene: Any) -> None:
    blank = Pixels(np.zeros(scene.alpha.shape, np.uint8))
    request = MeasureRequest(
        (Part((Pixels(scene.alpha),), None, blank, 4),), (1.0, 1.0), "pixel", series=Series("z", None, 1.0)
    )
    with pytest.raises(InputError, match="No frame of the range has labels"):
        measured(request)
