"""Scripts of the Trimap widget's makers and tools, executed: the same trimap by the engine alone."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from PIL import Image

import lsa_engine as lsa
from lsa_engine.errors import FileError, InputError
from lsa_engine.progress import CancelToken
from napari_lsa_matting.layers import METADATA_KEY, ImagePlane, fingerprint
from napari_lsa_matting.stack_frames import record_proposals
from napari_lsa_matting.trimap_code import file_script, record_making, trimap_path, trimap_script
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_requests import (
    AlphaRequest,
    FileRequest,
    MadeTrimap,
    MakeRequest,
    SegmentationRequest,
    StrokesRequest,
    ToolRequest,
)
from napari_lsa_matting.trimap_tools import BAND_TOOLS, SPECK_TOOLS

_SPACING = (0.5, 0.25)


def made_by(request: Any) -> MadeTrimap:
    return MakeRequest(request).run(lambda _: None, CancelToken())


def requests_of(scene: Any) -> dict[str, Any]:
    """A request of every kind."""
    labels = lsa.Trimap(scene.trimap).to_labels()
    strokes = np.zeros_like(labels)
    strokes[20:26, 30:34], strokes[2:5] = 1, 2
    gray = ImagePlane(scene.image.mean(axis=2) * 200, (0.0, 200.0), "photo")
    tools = {name: ToolRequest(tool.change, labels, 1.0, _SPACING) for name, tool in (BAND_TOOLS | SPECK_TOOLS).items()}
    return {
        "segmentation": SegmentationRequest((scene.alpha > 0.5) * np.uint16(7), 1.0, 1.5, _SPACING),
        "alpha": AlphaRequest(np.round(scene.alpha * 255).astype(np.uint8), 0.5, 0.75, _SPACING),
        "strokes": StrokesRequest(gray, strokes, 0.75, 1.0, _SPACING),
        **tools,
    }


@pytest.mark.parametrize("kind", ["segmentation", "alpha", "strokes", *BAND_TOOLS, *SPECK_TOOLS])
def test_the_code_makes_the_same_trimap(scene: Any, repeat: Any, kind: str) -> None:
    request = requests_of(scene)[kind]
    made = made_by(request)
    _, names = repeat(trimap_script(request, made.inputs))
    np.testing.assert_array_equal(names["trimap"].to_labels(), made.labels)
    assert made.record["sha256"] == fingerprint(made.labels)
    assert {"labels_sha256", "alpha_sha256"} & set(made.record)


def test_an_alpha_that_was_changed_since_is_not_copied(scene: Any, repeat: Any) -> None:
    request = requests_of(scene)["alpha"]
    made = made_by(request)
    request.alpha[0, 0] ^= 1
    with pytest.raises(InputError, match="The pixels of the alpha were changed since the run"):
        repeat(trimap_script(request, made.inputs))


def test_what_is_no_request_has_no_script() -> None:
    with pytest.raises(TypeError, match="Got a str, for which there is no script"):
        trimap_script("widen", {})


def test_the_code_reads_the_file_and_names_its_hash(scene: Any, repeat: Any, tmp_path: Path) -> None:
    path = tmp_path / "trimap.png"
    Image.fromarray(scene.trimap).save(path)
    request = FileRequest(path, scene.trimap.shape, "photo")
    made = made_by(request)
    assert made.record["file_sha256"] == sha256(path.read_bytes()).hexdigest()
    code, names = repeat(file_script(request, made))
    assert str(path) in code and made.record["file_sha256"] in code and "np.load" not in code
    np.testing.assert_array_equal(names["trimap"].values, scene.trimap)
    Image.fromarray(np.roll(scene.trimap, 7, axis=1)).save(path)
    code, names = repeat(file_script(request, made))  # what the file held is saved then
    assert "np.load" in code
    np.testing.assert_array_equal(names["trimap"].values, scene.trimap)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.png"):
        made_by(FileRequest(tmp_path / "nowhere.png", (4, 4), "photo"))


def test_the_file_of_a_plane_is_the_last_that_it_was_read_from() -> None:
    layer = Labels(np.zeros((3, 4, 5), np.uint8), **trimap_settings())
    assert trimap_path(layer, (2,)) is None
    record_making(layer, (2,), {"from": "file", "path": "a.png"})
    record_making(layer, (2,), {"tool": "widen_unknown"})
    assert trimap_path(layer, (2,)) == "a.png"
    assert trimap_path(layer, (1,)) is None


def test_what_was_made_is_noted_beside_what_was_proposed() -> None:
    layer = Labels(np.zeros((3, 4, 5), np.uint8), **trimap_settings())
    record_proposals(layer, {(1,): "abc"}, method="flow")
    record_making(layer, (2,), {"from": "segmentation", "sha256": "d"})
    record_making(layer, (2,), {"tool": "widen_unknown", "sha256": "e"})
    record = layer.metadata[METADATA_KEY]
    assert record["kind"] == "trimap" and record["proposals"]["1"]["sha256"] == ["abc"]
    assert [step["sha256"] for step in record["made"]["2"]] == ["d", "e"]
    record_proposals(layer, {(2,): "f"}, method="flow")
    assert len(layer.metadata[METADATA_KEY]["made"]["2"]) == 2
