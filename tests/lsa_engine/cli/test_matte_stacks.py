"""Stacks of pictures in one file: each page with its trimap, all mattes in one file with the same axes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

import lsa_engine as lsa
from lsa_engine.cli.main import main
from lsa_engine.image_io.stacks import read_stack


@pytest.fixture
def folder(tmp_path, scene):
    """A z-stack of three pictures, a t-z-stack of four in 16 bits, and their trimaps."""
    image = (scene.image * 255).astype(np.uint8)
    gray = (scene.image.mean(-1) * 65535).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "z.tif", np.stack([image, image[::-1], image]), photometric="rgb", metadata={"axes": "ZYXS"}
    )
    trimaps = np.stack([scene.trimap, scene.trimap[::-1], np.zeros_like(scene.trimap)])
    tifffile.imwrite(tmp_path / "z-trimaps.tif", trimaps, photometric="minisblack", metadata={"axes": "ZYX"})
    labels = np.select([trimaps == 255, trimaps == 0], [1, 2], 0).astype(np.uint32)
    # napari's own writer leaves the colours to tifffile, too, which takes three planes for them.
    tifffile.imwrite(tmp_path / "z-labels.tif", labels, photometric="rgb", planarconfig="separate")
    hyper = np.stack([gray, gray[::-1], gray[:, ::-1], gray]).reshape(2, 2, *gray.shape)
    tifffile.imwrite(tmp_path / "tz.tif", hyper, imagej=True, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "one-trimap.tif", scene.trimap)
    return tmp_path


def matted(image, trimap):
    return lsa.matte(image, trimap, device="cpu", dtype="float32").alpha


@pytest.mark.parametrize("trimaps", ["z-trimaps.tif", "z-labels.tif"])
def test_every_page_is_matted_with_its_trimap(folder, scene, capsys, trimaps):
    arguments = [str(folder / name) for name in ("z.tif", trimaps, "alphas.tif", "report.json")]
    assert main(["matte", *arguments[:2], "-o", arguments[2], "--report", arguments[3], "--dtype", "float32"]) == 0
    assert "3 pages" in capsys.readouterr().out
    with tifffile.TiffFile(arguments[2]) as file:
        assert file.series[0].axes == "ZYX"
        alphas = file.asarray()
    assert alphas.dtype == np.float32
    image = (scene.image * 255).astype(np.uint8)
    np.testing.assert_allclose(alphas[0], matted(image, scene.trimap), atol=1e-4)
    np.testing.assert_allclose(alphas[1], matted(image[::-1], scene.trimap[::-1]), atol=1e-4)
    assert not alphas[2].any()  # all background: nothing was unknown
    reports = json.loads((folder / "report.json").read_text())
    assert [report["method"] for report in reports] == ["none", "none", "known"]


def test_one_trimap_serves_all_pages_of_a_hyperstack(folder, scene):
    out = folder / "alphas.tif"
    assert main(["matte", str(folder / "tz.tif"), str(folder / "one-trimap.tif"), "-o", str(out)]) == 0
    with tifffile.TiffFile(out) as file:
        assert file.is_imagej
        assert file.series[0].axes == "TZYX"
        alphas = file.asarray()
    assert alphas.shape == (2, 2, *scene.trimap.shape)
    gray = (scene.image.mean(-1) * 65535).astype(np.uint16)
    np.testing.assert_allclose(alphas[1, 0], matted(gray[:, ::-1], scene.trimap), atol=1e-4)


@pytest.mark.parametrize(
    ("trimap", "out", "extra", "said"),
    [
        ("short.tif", "a.tif", [], "3 pictures in"),
        ("bad.tif", "a.tif", [], "In page 2 of 3"),
        ("z-trimaps.tif", "a.png", [], "a stack, whose mattes go into one .tif"),
        ("z-trimaps.tif", "a.tif", ["--cutout", "c.tif"], "cut-outs are made of single pictures"),
    ],
)
def test_what_cannot_be_matted_is_told_and_nothing_is_written(
    folder, scene, capsys, monkeypatch, trimap, out, extra, said
):
    monkeypatch.chdir(folder)
    tifffile.imwrite(folder / "short.tif", np.stack([scene.trimap] * 2), photometric="minisblack")
    bad = np.stack([scene.trimap] * 3)
    bad[1][bad[1] == 255] = 128
    tifffile.imwrite(folder / "bad.tif", bad, photometric="minisblack")
    try:
        status = main(["matte", "z.tif", trimap, "-o", out, *extra])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (folder / out).exists()


def test_channels_beside_the_axes_of_a_stack_are_refused_and_single_pictures_are_no_stack(folder, scene):
    channels = np.zeros((2, 3, 8, 8), np.uint8)
    tifffile.imwrite(folder / "zc.tif", channels, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(lsa.FileError, match="ZCYX"):
        read_stack(folder / "zc.tif")
    assert read_stack(folder / "one-trimap.tif") is None
    stack = read_stack(folder / "tz.tif")
    assert (stack.axes, stack.shape, len(stack)) == ("TZ", (2, 2), 4)
    assert stack.page(1).shape == scene.trimap.shape
