"""What writers recorded is found again in every format."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from lsa_engine.errors import FileError
from lsa_engine.image_io import write_alpha, write_image
from lsa_engine.image_io.provenance import read_record
from lsa_engine.image_io.stack_writing import StackAxis, write_stack

MADE = {"lsa_matting": {"kind": "trimap", "weights": "µ"}}


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ome.tif"])
@pytest.mark.parametrize("write", [write_alpha, write_image])
def test_size_and_provenance_of_a_picture_come_back(tmp_path: Path, name: str, write: object) -> None:
    assert callable(write)
    write(tmp_path / name, np.eye(6, dtype=np.uint8) * 255, pixel_size=(0.5, 0.25), unit="µm", metadata=MADE)
    assert read_record(tmp_path / name) == {**MADE, "pixel_size": [0.5, 0.25], "unit": "um"}


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "large.tif"])
def test_axes_of_a_stack_come_back(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "large.tif":
        monkeypatch.setattr("lsa_engine.image_io.tiff.LARGE_BYTES", 10)
    axes = [StackAxis("T", 2, 5.0, "minute"), StackAxis("Z", 3)]
    write_stack(tmp_path / name, lambda index: np.zeros((4, 5), np.uint8), axes, gray=True, metadata=MADE)
    found = [{"axis": "T", "step": 5.0, "unit": "minute"}, {"axis": "Z", "step": None, "unit": None}]
    assert read_record(tmp_path / name) == {**MADE, "axes": found}


def test_files_of_other_programs_have_no_record(tmp_path: Path) -> None:
    pixels = np.eye(6, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(pixels.astype(np.uint16)))
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    tifffile.imwrite(tmp_path / "ij.tif", pixels, imagej=True, metadata={"Info": "made by hand"})
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, ome=True, metadata={"Description": "[1, 2]"})
    Image.fromarray(pixels).save(tmp_path / "pillow.tif")
    for path in tmp_path.iterdir():
        assert read_record(path) == {}, path.name
    with pytest.raises(FileError, match="no file"):
        read_record(tmp_path / "missing.tif")
