"""``lsa matte`` from files to files, with an untrained network: what is written, how deep, and what is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lsa_engine.cli.main import build_parser, main
from lsa_engine.cli.options import refinement
from lsa_engine.compositing import composite
from lsa_engine.image_io import parts, read_alpha, read_image, write_alpha, write_image, write_rgba
from lsa_engine.inference.refinement import Refinement


@pytest.fixture
def matte(folder: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch):
    """Run ``lsa matte image.png trimap.png`` with more arguments, in the scene's folder."""
    monkeypatch.chdir(folder)

    def run(*arguments: str, image: str = "image.png", trimap: str = "trimap.png") -> int:
        common = ["--weights", str(weights_file), "--device", "cpu", "--dtype", "float32"]
        return main(["matte", image, trimap, *common, *arguments])

    return run


def test_alpha_is_written_with_known_pixels_as_the_trimap_has_them(matte, folder: Path, scene) -> None:
    assert matte("-o", "out.png") == 0
    pixels = read_image(folder / "out.png")
    assert pixels.dtype == np.uint16 and pixels.shape == scene.trimap.shape
    assert (pixels[scene.trimap == 255] == 65535).all()
    assert (pixels[scene.trimap == 0] == 0).all()


def test_bits_8_writes_8_bits_and_tif_writes_float(matte, folder: Path) -> None:
    assert matte("-o", "eight.png", "--bits", "8") == 0
    assert matte("-o", "float.tif") == 0
    assert read_image(folder / "eight.png").dtype == np.uint8
    exact = read_image(folder / "float.tif")
    assert exact.dtype == np.float32
    np.testing.assert_allclose(read_alpha(folder / "eight.png"), exact, atol=0.5 / 255 + 1e-6)


def test_the_cutout_and_the_report_are_written_beside_it(matte, folder: Path, scene, capsys) -> None:
    assert matte("-o", "out.png", "--cutout", "cutout.png", "--report", "report.json") == 0
    rgba = read_image(folder / "cutout.png").astype(np.float32) / 65535
    alpha = read_alpha(folder / "out.png")
    np.testing.assert_allclose(rgba[..., 3], alpha, atol=1e-5)
    on_black = composite(rgba[..., :3], np.zeros(3, np.float32), rgba[..., 3])
    opaque = scene.trimap == 255
    np.testing.assert_allclose(on_black[opaque], scene.image[opaque], atol=0.03)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["method"] == "none" and report["tta"] == 0
    assert (report["device"], report["dtype"]) == ("cpu", "float32")
    assert "Wrote out.png, cutout.png, report.json (untrained on cpu, float32" in capsys.readouterr().out


def test_refinement_lowers_its_cost(matte, folder: Path) -> None:
    options = ("--refine", "paper", "--iterations", "6", "--learning-rate", "1", "--boundary", "released")
    assert matte("-o", "out.png", "--report", "report.json", *options) == 0
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (report["method"], report["iterations"], report["boundary"]) == ("paper", 6, "released")
    assert report["cost_after"] < report["cost_before"]


def test_every_setting_of_a_refinement_can_be_given() -> None:
    words = {
        "--refine": "fast",
        "--boundary": "released",
        "--gates": "frozen",
        "--iterations": "4",
        "--learning-rate": "0.05",
        "--fidelity-weight": "0.2",
        "--tolerance": "0.01",
        "--time-budget": "9",
    }
    options = build_parser().parse_args(["matte", "a", "b", "-o", "c.png", *chain(*words.items())])
    expected = Refinement("fast", "released", "frozen", 4, 0.05, 0.2, 0.01, 9.0)
    assert refinement(options) == expected
    assert all(getattr(expected, field.name) != getattr(Refinement(), field.name) for field in fields(expected)[1:])


def test_frozen_gates_and_a_coarse_tolerance_are_what_the_matte_is_made_with(matte, folder: Path) -> None:
    options = ("--refine", "fast", "--gates", "frozen", "--tolerance", "2")
    assert matte("-o", "out.png", "--report", "report.json", *options) == 0
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (report["gates"], report["iterations"]) == ("frozen", 2)


def test_a_trimap_with_nothing_unknown_is_answered_with_its_values_and_a_note(
    matte, folder: Path, scene, capsys
) -> None:
    known = np.where(scene.alpha > 0.5, 255, 0).astype(np.uint8)
    write_alpha(folder / "known.png", known, bits=8)
    assert matte("-o", "out.png", trimap="known.png") == 0
    np.testing.assert_array_equal(read_alpha(folder / "out.png"), known / np.float32(255))
    assert "nothing unknown" in capsys.readouterr().err


def refused(run, capsys, *arguments: str, **inputs: str) -> str:
    """Run a command that must fail with one sentence and write nothing; return the sentence."""
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert run(*arguments, **inputs) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lsa: ") and printed.err.endswith("\n") and printed.err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    return printed.err


def test_a_trimap_of_another_size_is_refused(matte, capsys, scene) -> None:
    write_alpha("small.png", scene.trimap[:-1], bits=8)
    said = refused(matte, capsys, "-o", "out.png", trimap="small.png")
    assert "48 × 64" in said and "47 × 64" in said


@pytest.mark.parametrize("value", [0, 255])
def test_a_trimap_without_foreground_or_background_is_refused(value: int, matte, capsys, scene) -> None:
    trimap = np.where(scene.trimap == 255 - value, 128, scene.trimap)
    write_alpha("trimap2.png", trimap.astype(np.uint8), bits=8)
    said = refused(matte, capsys, "-o", "out.png", trimap="trimap2.png")
    assert ("foreground" if value == 0 else "background") in said


def test_odd_values_in_a_trimap_are_listed(matte, capsys, scene) -> None:
    trimap = scene.trimap.copy()
    trimap[0, :3] = 77
    write_alpha("odd.png", trimap, bits=8)
    assert "77" in refused(matte, capsys, "-o", "out.png", trimap="odd.png")


def test_an_image_with_an_alpha_channel_is_refused_with_the_option_that_helps(matte, folder, capsys, scene) -> None:
    write_rgba("rgba.png", np.dstack([scene.image, np.ones_like(scene.alpha)]))
    assert "--ignore-alpha" in refused(matte, capsys, "-o", "out.png", image="rgba.png")
    assert matte("-o", "out.png", "--ignore-alpha", image="rgba.png") == 0
    assert matte("-o", "plain.png") == 0
    np.testing.assert_allclose(read_alpha(folder / "out.png"), read_alpha(folder / "plain.png"), atol=1e-4)


def test_a_float_image_of_another_range_needs_its_range(matte, folder: Path, capsys, scene) -> None:
    tifffile.imwrite("float.tif", (scene.image * 400).astype(np.float32), photometric="rgb")
    assert "float.tif" in refused(matte, capsys, "-o", "out.png", image="float.tif")
    assert matte("-o", "scaled.tif", "--data-range", "0", "400", image="float.tif") == 0
    assert matte("-o", "plain.tif") == 0
    # The PNG of the scene is rounded to 8 bits; the float image is not.
    np.testing.assert_allclose(read_alpha(folder / "scaled.tif"), read_alpha(folder / "plain.tif"), atol=0.02)


def test_unknown_weights_are_refused_by_name(matte, capsys) -> None:
    assert "no-such-weights" in refused(matte, capsys, "-o", "out.png", "--weights", "no-such-weights")


def test_a_truncated_image_is_refused(matte, folder: Path, capsys) -> None:
    content = (folder / "image.png").read_bytes()
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    assert "cut.png" in refused(matte, capsys, "-o", "out.png", image="cut.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--iterations", "5"], "--iterations was given, but nothing is refined"),
        (["--gates", "frozen"], "--gates was given, but nothing is refined"),
        (["--tolerance", "0"], "--tolerance was given, but nothing is refined"),
        (["--method", "knn", "--refine", "fast"], "with --refine, --weights, --dtype, which only the network has"),
        (
            ["--method", "knn", "--tta", "8", "--device", "cuda", "--tiles", "3", "--memory-limit", "1"],
            "with --tta, --weights, --device, --dtype, --tiles, --memory-limit, which only the network has",
        ),
        (["--cutout", "out.png"], "out.png is named for two outputs"),
        (["--tta", "3"], "invalid choice: 3"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(arguments: list[str], said: str, matte, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        matte("-o", "out.png", *arguments)
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_the_defaults_that_help_states_are_those_of_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    options = build_parser().parse_args(["matte", "a", "b", "-o", "c.png", "--refine", "paper"])
    assert refinement(options) == Refinement("paper")
    with pytest.raises(SystemExit):
        main(["matte", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    defaults, paper = Refinement(), Refinement("paper")
    assert f"most steps (fast: {defaults.iterations}, paper: {paper.iterations})" in text
    assert f"step size (fast: {defaults.learning_rate:g}, paper: {paper.learning_rate:g})" in text
    assert f"pull towards the first matte ({defaults.fidelity_weight:g})" in text
    assert f"must obey the trimap ({defaults.boundary})" in text
    assert f"fast only ({defaults.gates})" in text
    assert "in a step (1/510)" in text and defaults.tolerance == 1 / 510


def test_a_16_bit_gray_image_is_matted(matte, folder: Path, scene) -> None:
    write_image(folder / "gray.png", scene.image[..., 0], bits=16)
    assert matte("-o", "out.png", image="gray.png") == 0
    assert read_image(folder / "out.png").shape == scene.trimap.shape


@pytest.mark.parametrize("refine", [(), ("--refine", "fast", "--iterations", "2")])
def test_a_large_tiff_is_read_in_parts_and_its_matte_written_as_it_is_made(
    refine: tuple[str, ...], matte, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.tile(read_image(folder / "image.png"), (3, 3, 1))
    tifffile.imwrite(folder / "large.tif", image, photometric="rgb", tile=(64, 64), compression="zlib")
    write_alpha(folder / "tiled.png", np.tile(read_alpha(folder / "trimap.png"), (3, 3)), bits=8)
    arguments = ("--tiles", "128", *refine)
    assert matte("-o", "expected.tif", *arguments, image="large.tif", trimap="tiled.png") == 0

    monkeypatch.setattr(parts, "LARGE", image.shape[0] * image.shape[1])
    monkeypatch.setattr("lsa_engine.image_io.read_colours", lambda *_, **__: pytest.fail("It was read at once."))
    monkeypatch.setattr("lsa_engine.inference.files.write_alpha", lambda *_, **__: pytest.fail("It was held."))
    written = ("-o", "out.tif", "--report", "report.json")
    assert matte(*written, *arguments, image="large.tif", trimap="tiled.png") == 0
    np.testing.assert_allclose(tifffile.imread("out.tif"), read_alpha(folder / "expected.tif"), atol=1e-4)
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["tiles"] == 128


def test_a_large_tiff_gives_the_same_with_a_cut_out_as_png_and_by_a_classical_method(
    matte, folder: Path, scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(folder / "large.tif", read_image(folder / "image.png"), photometric="rgb")
    monkeypatch.setattr(parts, "LARGE", 1)
    for options in (("--cutout", "cutout.png"), ()):
        assert matte("-o", "plain.png", *options) == 0
        assert matte("-o", "out.png", *options, image="large.tif") == 0
        np.testing.assert_allclose(read_alpha(folder / "out.png"), read_alpha(folder / "plain.png"), atol=1e-4)
    assert read_image(folder / "cutout.png").shape == (*scene.trimap.shape, 4)
    arguments = ["large.tif", "trimap.png", "-o", "knn.tif", "--method", "knn"]
    assert main(["matte", *arguments]) == 0
    assert read_alpha(folder / "knn.tif").shape == scene.trimap.shape


def test_zarr_folders_are_pictures(matte, folder: Path) -> None:
    zarr = pytest.importorskip("zarr")
    for name in ("image", "trimap"):
        zarr.create_array(folder / f"{name}.zarr", data=read_image(folder / f"{name}.png"))
    assert matte("-o", "plain.png") == 0
    assert matte("-o", "out.png", "--cutout", "cutout.png", image="image.zarr", trimap="trimap.zarr") == 0
    assert matte("-o", "again.tif", image="image.zarr") == 0
    for name in ("out.png", "again.tif"):
        np.testing.assert_allclose(read_alpha(folder / name), read_alpha(folder / "plain.png"), atol=1e-4)
