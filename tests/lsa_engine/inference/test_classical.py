"""Classical methods behind the same interface: each one runs, obeys the trimap, and is named in the report."""

from __future__ import annotations

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.cli.main import main
from lsa_engine.cli.options import CLASSICAL
from lsa_engine.errors import InputError, TrimapError
from lsa_engine.image_io import read_alpha, write_alpha, write_image
from lsa_engine.inference.classical import CLASSICAL_METHODS, classical_matte


def soft_edge(size: int = 48):
    """A composite of two plain colours, its alpha, and the trimap."""
    rows, columns = np.mgrid[:size, :size]
    alpha = np.clip((size / 2 - columns + 4 * np.sin(rows / 6)) / 8 + 0.5, 0, 1)
    image = alpha[..., None] * (0.9, 0.2, 0.1) + (1 - alpha[..., None]) * (0.1, 0.3, 0.8)
    trimap = np.where(columns < size // 2 - 12, 255, np.where(columns > size // 2 + 12, 0, 128)).astype(np.uint8)
    return image.astype(np.float32), alpha, trimap


def test_the_command_line_names_them_all():
    assert set(CLASSICAL) == set(CLASSICAL_METHODS)


@pytest.mark.parametrize("method", CLASSICAL_METHODS)
def test_every_method_mattes_two_plain_colours_and_obeys_the_trimap(method):
    image, alpha, trimap = soft_edge()
    result = lsa.matte(image, trimap, method=method)
    assert result.alpha.dtype == np.float32
    assert np.abs(result.alpha - alpha).mean() < 0.08
    assert (result.alpha[trimap == 255] == 1).all()
    assert (result.alpha[trimap == 0] == 0).all()
    assert result.report.method == method
    assert result.report.weights == ""
    assert result.report.image_shape == (48, 48)
    assert "pymatting" in result.report.versions


def test_a_trimap_without_unknown_pixels_is_its_own_matte():
    image, _, trimap = soft_edge()
    result = classical_matte(image, np.where(trimap > 0, 255, 0))
    np.testing.assert_array_equal(result.alpha, trimap > 0)
    assert result.report.method == "known"


def test_what_does_not_fit_is_refused():
    image, _, trimap = soft_edge()
    with pytest.raises(InputError, match="'magic'.*closed-form"):
        lsa.matte(image, trimap, method="magic")
    for settings in (
        {"weights": "mine"},
        {"tta": 8},
        {"device": "cuda"},
        {"dtype": "float16"},
        {"tiles": 3},
        {"memory_limit": 1},
    ):
        with pytest.raises(InputError, match=f"'knn' with {next(iter(settings))}, which only the network has"):
            lsa.matte(image, trimap, method="knn", **settings)
    with pytest.raises(InputError, match="48 × 48 and a trimap of 47 × 48"):
        classical_matte(image, trimap[1:])
    with pytest.raises(TrimapError):
        classical_matte(image, np.where(trimap == 255, 128, trimap))


@pytest.mark.parametrize(
    ("method", "size", "reason"),
    [("closed-form", 2, "did not converge"), ("knn", 3, "number of neighbors"), ("lkm", 40, "too small for it")],
)
def test_an_image_that_a_method_cannot_do_is_told_in_a_sentence(method, size, reason):
    image = np.random.default_rng(0).random((size, size, 3), np.float32)
    trimap = np.full((size, size), 128, np.uint8)
    trimap[0, 0], trimap[-1, -1] = 0, 255
    with pytest.raises(InputError, match=f"{size} × {size} pixels .*{method!r}.*{reason}.*choose another method"):
        lsa.matte(image, trimap, method=method)


def test_the_large_kernel_method_does_an_image_of_41_pixels():
    image, alpha, trimap = soft_edge()
    matte = lsa.matte(image[:41, :41], trimap[:41, :41], method="lkm").alpha
    assert np.abs(matte - alpha[:41, :41]).mean() < 0.08


def test_the_command_line_runs_one(tmp_path, capsys):
    image, alpha, trimap = soft_edge()
    write_image(tmp_path / "image.png", image)
    write_alpha(tmp_path / "trimap.png", trimap / np.float32(255), bits=8)
    arguments = ["matte", str(tmp_path / "image.png"), str(tmp_path / "trimap.png"), "-o", str(tmp_path / "alpha.png")]
    assert main([*arguments, "--method", "closed-form"]) == 0
    assert "closed-form on cpu" in capsys.readouterr().out
    assert np.abs(read_alpha(tmp_path / "alpha.png") - alpha).mean() < 0.05
    with pytest.raises(SystemExit):
        main([*arguments, "--method", "closed-form", "--tta", "8"])
    assert "only the network has" in capsys.readouterr().err
