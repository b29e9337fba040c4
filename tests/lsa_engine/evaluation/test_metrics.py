"""The metrics against numbers of the original MATLAB code, and against transcriptions that can be broken on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from lsa_engine.errors import InputError
from lsa_engine.evaluation.metrics import Scores, connectivity_error, evaluate, gradient_error, mse, sad
from lsa_engine.trimap import Trimap

DATA = Path(__file__).parents[2] / "data" / "metrics"
GOLDEN = json.loads((DATA / "golden.json").read_text())
METRICS = {"sad": sad, "mse": mse, "grad": gradient_error, "conn": connectivity_error}


def scene(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction, truth and trimap as bytes."""
    prediction, truth, trimap = (np.asarray(Image.open(DATA / f"{name}_{part}.png")) for part in "pgt")
    return prediction, truth, trimap


def overwritten(prediction: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    return np.where(trimap == 255, 255, np.where(trimap == 0, 0, prediction))


def plain_gradient_error(name: str, *, half: int = 4, unit_norm: bool = True, stretch: bool = True) -> float:
    """The definition with its kernel written out in two dimensions; the options break it on purpose."""
    prediction, truth, trimap = scene(name)
    x = np.arange(-half, half + 1)
    gauss = np.exp(-(x**2) / (2 * 1.4**2)) / (1.4 * np.sqrt(2 * np.pi))
    kernel = np.outer(gauss, -x * gauss / 1.4**2)
    if unit_norm:
        kernel /= np.sqrt((kernel**2).sum())
    magnitudes = []
    for matte in (overwritten(prediction, trimap).astype(float), truth.astype(float)):
        scaled = (matte - matte.min()) / (matte.max() - matte.min()) if stretch else matte / 255
        across, down = (ndimage.convolve(scaled, k, mode="nearest") for k in (kernel, kernel.T))
        magnitudes.append(np.sqrt(across**2 + down**2))
    return float(((magnitudes[0] - magnitudes[1]) ** 2)[trimap == 128].sum() / 1000)


def plain_connectivity_error(name: str, *, background_counts: bool = False) -> float:
    """The definition threshold by threshold; the option breaks it on purpose."""
    prediction, truth, trimap = scene(name)
    single = np.float32
    p = overwritten(prediction, trimap).astype(single) / single(255)
    g = truth.astype(single) / single(255)
    level = np.full(p.shape, -1, single)
    for k in range(1, 11):
        labels, _ = ndimage.label(((p >= single(k / 10)) & (g >= single(k / 10))).T)
        sizes = np.bincount(labels.ravel())
        if not background_counts:
            sizes[0] = 0
        omega = (sizes.argmax() == labels.T) & (sizes.max() > 0)
        level[(level == -1) & ~omega] = single((k - 1) / 10)
    level[level == -1] = 1
    degrees = [1 - (matte - level) * (matte - level >= single(0.15)) for matte in (p, g)]
    return float(np.abs(degrees[0] - degrees[1])[trimap == 128].sum(dtype=float) / 1000)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", GOLDEN)
def test_every_metric_gives_the_number_of_the_matlab_code(name: str, metric: str) -> None:
    assert METRICS[metric](*scene(name)) == pytest.approx(GOLDEN[name][metric], rel=1e-5)


@pytest.mark.parametrize("name", GOLDEN)
def test_evaluate_gives_all_four_and_the_size_of_the_unknown_region(name: str) -> None:
    prediction, truth, trimap = scene(name)
    scores = evaluate(prediction, truth, trimap)
    assert scores == Scores(*(METRICS[key](prediction, truth, trimap) for key in METRICS), int((trimap == 128).sum()))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_plain_transcriptions_agree_before_they_are_broken(name: str) -> None:
    assert plain_gradient_error(name) == pytest.approx(GOLDEN[name]["grad"], rel=1e-5)
    assert plain_connectivity_error(name) == pytest.approx(GOLDEN[name]["conn"], rel=1e-5)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_seven_by_seven_kernel_gives_another_gradient_error(name: str) -> None:
    assert plain_gradient_error(name, half=3) != pytest.approx(gradient_error(*scene(name)), rel=1e-3)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_kernel_without_unit_norm_gives_another_gradient_error(name: str) -> None:
    assert plain_gradient_error(name, unit_norm=False) != pytest.approx(gradient_error(*scene(name)), rel=0.1)


@pytest.mark.parametrize("name", ["thin", "glass", "allunk"])
def test_mattes_that_are_not_stretched_give_another_gradient_error(name: str) -> None:
    assert plain_gradient_error(name, stretch=False) != pytest.approx(gradient_error(*scene(name)), rel=1e-2)


@pytest.mark.parametrize("name", ["opaque", "thin", "glass"])
def test_counting_the_background_as_a_component_gives_another_connectivity_error(name: str) -> None:
    assert plain_connectivity_error(name, background_counts=True) != pytest.approx(
        connectivity_error(*scene(name)), rel=1e-2
    )


def test_thresholds_are_single_precision_so_that_153_reaches_six_tenths() -> None:
    # In double precision, 153/255 falls short of 6 * 0.1 and the level would be 0.5.
    truth = np.full((8, 8), 153, np.uint8)
    prediction = truth.copy()
    prediction[0] = 191  # 0.749: 0.149 above the level 0.6, still connected; 0.249 above 0.5, not
    trimap = np.full((8, 8), 128, np.uint8)
    assert connectivity_error(prediction, truth, trimap) == 0


def test_the_first_of_two_equal_components_counts_down_the_columns() -> None:
    truth = np.zeros((6, 6), np.uint8)
    truth[4:6, 0] = truth[0:2, 5] = 255  # the one begins in an earlier column, the other in an earlier row
    prediction = truth.copy()
    prediction[0:2, 5] = 230
    trimap = np.full((6, 6), 128, np.uint8)
    # The left pair is Ω at every threshold, so the right pair's level is 0 and its full difference counts.
    # Were the right pair Ω below 1, its level would be 0.9 and nothing would count.
    assert connectivity_error(prediction, truth, trimap) == pytest.approx(2 * (1 - 230 / 255) / 1000, rel=1e-6)


def test_sad_and_mse_of_a_small_matte_are_the_hand_computed_ones() -> None:
    truth = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    prediction = np.array([[51, 9, 0], [204, 255, 255]], np.uint8)
    trimap = np.array([[128, 0, 128], [128, 255, 128]], np.uint8)
    assert sad(prediction, truth, trimap) == pytest.approx(0.4 / 1000)
    assert mse(prediction, truth, trimap) == pytest.approx(0.08 / 4)


def test_known_pixels_of_the_prediction_do_not_count_but_those_of_the_truth_stay_as_they_are() -> None:
    prediction, truth, trimap = scene("opaque")
    spoilt = np.where(trimap == 128, prediction, 77).astype(np.uint8)
    assert evaluate(spoilt, truth, trimap) == evaluate(prediction, truth, trimap)
    # The gradient of the truth just inside the unknown region sees its known pixels.
    noisy = np.where(trimap == 128, truth, 255 - truth).astype(np.uint8)
    assert gradient_error(prediction, noisy, trimap) > 1.1 * gradient_error(prediction, truth, trimap)


def test_the_truth_against_itself_scores_zero() -> None:
    _, truth, trimap = scene("allunk")
    assert evaluate(truth, truth, trimap) == Scores(0, 0, 0, 0, trimap.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_rounded_to_bytes_not_truncated(dtype: type) -> None:
    prediction, truth, trimap = scene("opaque")
    expected = evaluate(prediction, truth, trimap)
    assert evaluate(prediction.astype(dtype) / 255, truth.astype(dtype) / 255, trimap) == expected
    nearly = np.clip(prediction.astype(dtype) / 255 - 0.49 / 255, 0, 1)
    assert evaluate(nearly, truth, trimap) == expected


def test_sixteen_bits_score_like_the_bytes_they_came_from() -> None:
    prediction, truth, trimap = scene("thin")
    wide = prediction.astype(np.uint16) * 257
    assert evaluate(wide, truth, trimap) == evaluate(prediction, truth, trimap)


def test_a_constant_matte_has_no_gradient() -> None:
    trimap = np.full((20, 20), 128, np.uint8)
    assert gradient_error(np.full((20, 20), 200, np.uint8), np.full((20, 20), 3, np.uint8), trimap) < 1e-20


def test_the_inputs_are_not_changed() -> None:
    prediction, truth, trimap = (array.copy() for array in scene("opaque"))
    copies = prediction.copy(), truth.copy(), trimap.copy()
    evaluate(prediction, truth, trimap)
    for array, copy in zip((prediction, truth, trimap), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_trimap_object_and_an_array_of_floats_are_understood() -> None:
    prediction, truth, trimap = scene("opaque")
    expected = evaluate(prediction, truth, trimap)
    assert evaluate(prediction, truth, Trimap(trimap)) == expected
    assert evaluate(prediction, truth, np.where(trimap == 128, 0.5, trimap / 255)) == expected


@pytest.mark.parametrize("metric", METRICS.values())
def test_a_trimap_with_nothing_unknown_is_refused(metric) -> None:
    matte = np.zeros((4, 4), np.uint8)
    with pytest.raises(InputError, match="no unknown pixels"):
        metric(matte, matte, np.tile(np.array([0, 255], np.uint8), (4, 2)))


def test_sizes_that_differ_are_refused_with_all_three_named() -> None:
    matte = np.zeros((4, 5))
    with pytest.raises(InputError, match=r"\(4, 5\), truth \(4, 5\) and the trimap \(5, 4\)"):
        evaluate(matte, matte, np.full((5, 4), 128, np.uint8))


def test_a_prediction_with_nan_is_refused() -> None:
    matte = np.full((4, 4), np.nan)
    with pytest.raises(InputError, match="NaN"):
        evaluate(matte, np.zeros((4, 4)), np.full((4, 4), 128, np.uint8))
