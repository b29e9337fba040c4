from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import lsa_engine as lsa
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import build_network
from lsa_engine.weights.files import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the small network, as a file."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("random") / "random.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite", "name": "random"})
    return path


@pytest.fixture
def matter(weights: Path) -> lsa.Matter:
    return lsa.Matter(weights, device="cpu", dtype="float32")


def test_the_matte_is_the_networks_output_clamped_with_the_known_pixels_put_back(weights, matter, scene):
    network = build_network("lsanet-lite")
    state = lsa_state(weights)
    network.load_state_dict(state, strict=False)
    network.eval()
    image = torch.from_numpy(scene.image).permute(2, 0, 1)[None]
    with torch.no_grad():
        raw = network(network_input(image, torch.from_numpy(scene.trimap)[None, None], "priors"))[0, 0].numpy()
    expected = np.where(scene.trimap == 255, 1, np.where(scene.trimap == 0, 0, raw.clip(0, 1)))
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    result = matter.predict()
    assert result.alpha.dtype == np.float32
    np.testing.assert_allclose(result.alpha, expected, atol=2e-4)
    assert raw[scene.trimap == 128].std() > 0.01


def lsa_state(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def test_image_and_trimap_can_come_in_either_order_and_be_replaced(matter, scene):
    matter.set_trimap(scene.trimap)
    matter.set_image(scene.image)
    first = matter.predict().alpha
    wider = scene.trimap.copy()
    wider[scene.alpha < 1] = 128
    wider[:4] = 0
    matter.set_trimap(wider)
    second = matter.predict().alpha
    assert not np.array_equal(first, second)
    matter.set_trimap(scene.trimap)
    np.testing.assert_allclose(matter.predict().alpha, first, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (33, 65), (47, 31), (128, 96)])
def test_any_size_of_at_least_two_pixels_works(matter, shape):
    rng = np.random.default_rng(1)
    trimap = np.full(shape, 128, np.uint8)
    trimap[0, 0], trimap[-1, -1] = 255, 0
    matter.set_image(rng.random((*shape, 3), np.float32))
    matter.set_trimap(trimap)
    alpha = matter.predict().alpha
    assert alpha.shape == shape
    assert alpha[0, 0] == 1
    assert alpha[-1, -1] == 0
    assert np.isfinite(alpha).all()


def test_a_large_image_whose_head_runs_in_strips_gives_the_same_matte(matter, scene, monkeypatch):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    whole = matter.predict().alpha
    monkeypatch.setattr("lsa_engine.inference.whole._STRIP_PIXELS", 16 * 64)
    # The eSE gate is a mean over the whole image, whose order of summation depends on the memory layout.
    np.testing.assert_allclose(matter.predict().alpha, whole, atol=2e-5)


def test_a_trimap_with_nothing_unknown_is_answered_with_its_known_values(matter, scene):
    trimap = np.where(scene.alpha > 0.5, 255, 0).astype(np.uint8)
    matter.set_image(scene.image)
    matter.set_trimap(trimap)
    for result in (matter.predict(), matter.refine()):
        np.testing.assert_array_equal(result.alpha, trimap / 255)
        assert result.report.method == "known"
        assert "nothing unknown" in result.report.notes[0]


@pytest.mark.parametrize("missing", [255, 0])
def test_a_trimap_without_foreground_or_background_is_refused(matter, scene, missing):
    trimap = scene.trimap.copy()
    trimap[trimap == missing] = 128
    matter.set_image(scene.image)
    matter.set_trimap(trimap)
    with pytest.raises(lsa.TrimapError, match="foreground" if missing == 255 else "background"):
        matter.predict()


def test_image_and_trimap_of_different_size_are_refused_with_both_sizes(matter, scene):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap[:, :40])
    with pytest.raises(lsa.InputError, match=r"48 × 64 .* 48 × 40"):
        matter.predict()


def test_asking_before_image_or_trimap_are_there_says_which_is_missing(matter, scene):
    with pytest.raises(lsa.InputError, match="set_image"):
        matter.predict()
    matter.set_image(scene.image)
    with pytest.raises(lsa.InputError, match="set_trimap"):
        matter.refine()


def test_a_closed_matter_says_so(matter, scene):
    matter.close()
    with pytest.raises(lsa.InputError, match="closed"):
        matter.refine()
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    with pytest.raises(lsa.InputError, match="closed"):
        matter.predict()


def test_progress_rises_to_the_end_and_a_cancelled_run_raises(matter, scene):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    seen: list[lsa.Progress] = []
    matter.predict(progress=seen.append)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].fraction == 1
    token = lsa.CancelToken()

    def cancel_halfway(progress: lsa.Progress) -> None:
        if progress.fraction > 0.5:
            token.cancel()

    with pytest.raises(lsa.Cancelled):
        matter.predict(progress=cancel_halfway, cancel=token)
    assert matter.predict().alpha.shape == scene.trimap.shape


def test_two_matters_in_two_threads_do_not_mix(weights, scene):
    images = [scene.image, scene.image[::-1].copy()]
    trimaps = [scene.trimap, scene.trimap[::-1].copy()]
    alone = [lsa.matte(i, t, weights=weights).alpha for i, t in zip(images, trimaps, strict=True)]
    together: list[np.ndarray | None] = [None, None]

    def work(k: int) -> None:
        together[k] = lsa.matte(images[k], trimaps[k], weights=weights).alpha

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(2):
        np.testing.assert_allclose(together[k], alone[k], atol=1e-4)


def test_the_report_names_what_was_done_and_fits_into_json(matter, scene):
    import json

    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    report = json.loads(json.dumps(matter.predict().report.to_dict()))
    assert report["weights"] == "random"
    assert len(report["weights_sha256"]) == 64
    assert report["device"] == "cpu"
    assert report["image_shape"] == [48, 64]
    assert report["seconds"] > 0
    assert report["versions"]["torch"] == torch.__version__
    report = json.loads(json.dumps(matter.predict(tta=np.int64(8)).report.to_dict()))
    assert report["tta"] == 8


def test_encoder_weights_alone_are_refused(tmp_path, scene):
    path = tmp_path / "encoder.safetensors"
    state = {f"encoder.{k}": v for k, v in build_network("lsanet-lite").encoder.state_dict().items()}
    save_weights(path, state, {"size": "lsanet-lite", "kind": "encoder"})
    with pytest.raises(lsa.WeightsError, match="encoder alone"):
        lsa.Matter(path)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("device", "tpu"),
        ("device", None),
        ("device", torch.device("meta")),
        ("dtype", "float8"),
        ("tiles", None),
        ("tiles", float("nan")),
        ("tiles", float("inf")),
        ("memory_limit", "8"),
        ("memory_limit", None),
    ],
)
def test_settings_of_another_kind_are_refused_with_what_was_given(weights, option, value):
    with pytest.raises(lsa.InputError, match=f"Got .*{value}.*, expected"):
        lsa.Matter(weights, **{option: value})


def test_a_device_of_torch_is_taken_as_well_as_its_name(weights, scene):
    matter = lsa.Matter(weights, device=torch.device("cpu"))
    assert lsa.matte(scene.image, scene.trimap, weights=matter).report.device == "cpu"
    assert matter.to(torch.device("cpu")).device == torch.device("cpu")


@pytest.mark.parametrize("tta", [True, None, "8", 3, [8]])
def test_augmentation_by_another_number_is_refused(matter, scene, tta):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    with pytest.raises(lsa.InputError, match="expected 0, 8 or 24"):
        matter.predict(tta=tta)


@pytest.mark.parametrize("given", ["fast", True, False, {"iterations": 3}])
def test_what_is_no_refinement_is_refused_with_what_to_pass(matter, scene, given):
    with pytest.raises(lsa.InputError, match=r"Got refinement .*Refinement\('fast'\)"):
        lsa.matte(scene.image, scene.trimap, weights=matter, refinement=given)
    matter.refine(lsa.Refinement(iterations=1))
    with pytest.raises(lsa.InputError, match=r"Got refinement .*Refinement\('fast'\)"):
        matter.correct(scene.trimap, given)


@pytest.mark.parametrize("tta", [8, 24])
def test_with_augmentation_every_copy_is_refined(weights, scene, tta):
    settings = lsa.Refinement(iterations=3, tolerance=0)
    told = []
    result = lsa.matte(
        scene.image, scene.trimap, weights=weights, refinement=settings, tta=tta, progress=told.append, dtype="float32"
    )
    plain = lsa.matte(scene.image, scene.trimap, weights=weights, tta=tta, dtype="float32")
    # Clamping comes after the mean in both.
    np.testing.assert_allclose(result.initial_alpha, plain.alpha, atol=1e-4)
    assert np.abs(result.alpha - result.initial_alpha).max() > 1e-3
    assert result.report.cost_after < result.report.cost_before
    assert (result.report.tta, result.report.iterations, result.report.evaluations) == (tta, 3, 4 * tta)
    fractions = [step.fraction for step in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_the_fast_refinement_reaches_the_papers_cost_and_keeps_its_best(weights, scene):
    with lsa.Matter(weights, dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(scene.trimap)
        paper = matter.refine(lsa.Refinement("paper", iterations=15))
        fast = matter.refine(lsa.Refinement("fast"))
        longer = matter.refine(lsa.Refinement("fast", iterations=40, tolerance=0))
        plain = matter.predict()
    assert fast.report.cost_after <= paper.report.cost_after
    assert longer.report.cost_after <= fast.report.cost_after
    assert fast.report.cost_before == pytest.approx(paper.report.cost_before, rel=1e-3)
    assert fast.report.iterations <= 15
    np.testing.assert_allclose(fast.initial_alpha, plain.alpha, atol=1e-4)


def test_the_violation_of_assumption_2_is_mapped_and_its_mean_told(weights, scene):
    with lsa.Matter(weights, dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(scene.trimap)
        plain, refined = matter.predict(), matter.refine(lsa.Refinement(iterations=10, tolerance=0))
    background, foreground = lsa.Trimap(scene.trimap).boundaries("paper")
    assert not plain.violation[~(background | foreground)].any()
    inside = background & (scene.trimap == 128) & ~foreground  # there the matte is as the network gave it
    np.testing.assert_allclose(plain.violation[inside], plain.alpha[inside], atol=1e-6)
    assert plain.report.violation == pytest.approx(float(plain.violation[background | foreground].mean()))
    squares = np.square(plain.violation[background]).sum() + np.square(plain.violation[foreground & ~background]).sum()
    assert squares / (background.sum() + foreground.sum()) == pytest.approx(
        refined.report.boundary_cost_before, rel=0.02
    )
    # Of the matte before refinement.
    np.testing.assert_allclose(refined.violation, plain.violation, atol=1e-4)


def test_augmentation_tells_where_its_copies_disagree(weights, scene):
    plain = lsa.matte(scene.image, scene.trimap, weights=weights)
    result = lsa.matte(scene.image, scene.trimap, weights=weights, tta=8)
    assert plain.uncertainty is None
    assert result.uncertainty.shape == scene.trimap.shape
    assert not result.uncertainty[scene.trimap != 128].any()
    assert 0 < result.uncertainty.max() <= 0.5


def test_a_refinement_without_time_leaves_the_matte_as_it_is(weights, scene, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) * 0.01)  # a clock that knows no other programs
    with lsa.Matter(weights, dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(scene.trimap)
        result = matter.refine(lsa.Refinement(time_budget=0))
        np.testing.assert_array_equal(result.alpha, result.initial_alpha)
        assert result.report.iterations == 0
        assert result.report.cost_after == result.report.cost_before
        short = matter.refine(lsa.Refinement(iterations=10_000, tolerance=0, time_budget=1.0))
        assert 1 <= short.report.iterations < 10_000


def stop_after(steps: int) -> tuple[lsa.CancelToken, object]:
    """A token, and a progress callback that sets it when so many steps are done."""
    token = lsa.CancelToken()
    return token, lambda step: step.done >= steps and token.cancel()


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_a_cancelled_refinement_returns_the_best_so_far_and_says_so(matter, scene, method):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    token, progress = stop_after(4)  # the first step is the encoding
    stopped = matter.refine(lsa.Refinement(method, iterations=8, tolerance=0), progress=progress, cancel=token)
    assert stopped.report.cancelled
    assert stopped.report.iterations == 3
    assert "cancelled after 3 of 8 passes" in stopped.report.notes[0]
    assert stopped.report.cost_after <= stopped.report.cost_before
    assert not np.array_equal(stopped.alpha, stopped.initial_alpha) or method == "paper"
    again = matter.refine(lsa.Refinement(method, iterations=3, tolerance=0))
    assert not again.report.cancelled
    if method == "fast":
        np.testing.assert_allclose(stopped.alpha, again.alpha, atol=1e-4)
        matter.correct(scene.trimap, lsa.Refinement(iterations=1))


def test_cancelled_before_there_is_a_matte_a_refinement_raises(matter, scene):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    token, progress = stop_after(0)
    with pytest.raises(lsa.Cancelled):
        matter.refine(progress=progress, cancel=token)
    assert matter.refine(lsa.Refinement(iterations=1)).alpha.shape == scene.trimap.shape


def test_cancelled_among_augmented_copies_a_refinement_returns_the_mean_so_far(matter, scene):
    matter.set_image(scene.image)
    matter.set_trimap(scene.trimap)
    token, progress = stop_after(7)  # three passes and an encoding for each copy
    result = matter.refine(lsa.Refinement(iterations=3, tolerance=0), tta=8, progress=progress, cancel=token)
    assert result.report.cancelled
    assert "copy 2 of 8" in result.report.notes[0]
    assert result.report.cost_after < result.report.cost_before


def test_a_large_tolerance_ends_the_refinement_early(weights, scene):
    with lsa.Matter(weights, dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(scene.trimap)
        told = []
        assert matter.refine(lsa.Refinement(tolerance=1.0), progress=told.append).report.iterations == 2
        assert told[-1].fraction == 1


def test_gray_and_sixteen_bit_images_mean_the_same_as_float(weights, scene):
    gray = scene.image.mean(-1)
    sixteen = np.round(gray * 65535).astype(np.uint16)
    expected = lsa.matte(np.repeat(gray[..., None], 3, -1), scene.trimap, weights=weights).alpha
    np.testing.assert_allclose(lsa.matte(sixteen, scene.trimap, weights=weights).alpha, expected, atol=1e-3)


FIRST_CALL = """
import numpy as np, lsa_engine as lsa
from lsa_engine.samples import load_photograph, load_trimap
said = []
for _ in range(2):
    lsa.matte(load_photograph(), load_trimap(), device="cpu", progress=lambda step: said.append(step.message))
print(said[0], said[-1], sep="|")
"""


def test_the_first_matte_of_a_process_says_that_it_compiles() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "matting (compiling on first use)|matting"
