from __future__ import annotations

import itertools
import math
import re
import time

import numpy as np
import pytest
import torch

from lsa_engine.boxes import Box, cover
from lsa_engine.errors import Cancelled, InputError
from lsa_engine.inference.cost import CostScale, CostTerms, cost_masks, wanted_pixels
from lsa_engine.inference.descent import WholeObjective, descend
from lsa_engine.inference.matter import Matter
from lsa_engine.inference.refinement import Refinement
from lsa_engine.network import build_network
from lsa_engine.progress import CancelToken, Steps
from lsa_engine.trimap import Trimap


def literal_cost(alpha: np.ndarray, initial: np.ndarray, trimap: np.ndarray) -> tuple[float, float]:
    """C1 and C2 of section 4.3 by loops over pixels, with the paper's ∂."""
    height, width = trimap.shape

    def on_boundary(r: int, c: int, value: int) -> bool:
        around = [(r, c), (r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
        inside = [trimap[y, x] == value for y, x in around if 0 <= y < height and 0 <= x < width]
        return any(inside) and not all(inside)

    squares, count = 0.0, 0
    differences = []
    for r in range(height):
        for c in range(width):
            if on_boundary(r, c, 0):
                squares += alpha[r, c] ** 2
                count += 1
            if on_boundary(r, c, 255):
                squares += (1 - alpha[r, c]) ** 2
                count += 1
            if trimap[r, c] == 128:
                differences.append(abs(alpha[r, c] - initial[r, c]))
    return squares / count, float(np.mean(differences)) ** 2


def cost_of(alpha, initial, trimap, boundary="paper", boxes=None):
    """Cost, C1 and C2 of arrays or tensors (H, W)."""
    alpha, initial = (torch.as_tensor(plane)[None, None] for plane in (alpha, initial))
    boxes = boxes or [Box(0, trimap.shape[0], 0, trimap.shape[1])]
    terms = CostTerms(cost_masks(Trimap(trimap), boundary), boxes, [box.cut(initial) for box in boxes], boundary)
    scale = CostScale.of([terms], boundary, 0.1)
    return scale.numbers(terms.sums([box.cut(alpha) for box in boxes]))


def test_clamped_pixels_are_led_back_across_a_border_and_cost_what_they_cost() -> None:
    wrong_side, right_side = torch.tensor([[-0.5, 1.5]]), torch.tensor([[1.5, -0.5]])
    foreground, background, nowhere = np.array([[True, False]]), np.array([[False, True]]), np.zeros((1, 2), bool)
    boxes, initial = [Box(0, 1, 0, 2)], [torch.full((1, 1, 1, 2), 0.5)]

    def sums_and_slopes(raw: torch.Tensor, *, leads_back: bool) -> tuple[list[float], list[float]]:
        terms = CostTerms((background, foreground, nowhere), boxes, initial, leads_back=leads_back)
        output = raw[None, None].clone().requires_grad_()
        sums = terms.sums([output])
        sums.sum().backward()
        assert output.grad is not None
        return sums.tolist(), output.grad.flatten().tolist()

    assert sums_and_slopes(wrong_side, leads_back=False) == ([2.0, 0.0], [0.0, 0.0])
    assert sums_and_slopes(wrong_side, leads_back=True) == ([2.0, 0.0], [-2.0, 2.0])
    assert sums_and_slopes(right_side, leads_back=True) == ([0.0, 0.0], [0.0, 0.0])


def test_a_matte_that_overshoots_is_at_no_distance_from_itself_but_in_the_published_code(scene):
    initial = np.random.default_rng(6).uniform(-0.2, 1.2, scene.trimap.shape).astype(np.float32)
    assert cost_of(initial, initial, scene.trimap).fidelity == 0
    overshoot = np.abs(initial - np.clip(initial, 0, 1))[scene.trimap == 128].mean()
    assert cost_of(initial, initial, scene.trimap, "released").fidelity == pytest.approx(overshoot**2, rel=1e-4)


def test_steps_that_are_too_large_are_made_smaller(scene):
    trimap = scene.trimap.copy()
    trimap[20:27, 42:46] = 0  # where the object is: so there is something to mend
    with Matter("lsa-lite", device="cpu", dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(trimap)
        report = matter.refine(Refinement(learning_rate=30.0, tolerance=0)).report
    assert report.cost_before > 1e-3
    assert report.cost_after < 0.9 * report.cost_before


def test_the_cost_is_the_papers_pixel_by_pixel(scene):
    rng = np.random.default_rng(5)
    alpha = rng.random(scene.trimap.shape, np.float32)
    initial = rng.random(scene.trimap.shape, np.float32)
    total, boundary, fidelity = cost_of(alpha, initial, scene.trimap)
    expected = literal_cost(alpha, initial, scene.trimap)
    assert boundary == pytest.approx(expected[0], rel=1e-5)
    assert fidelity == pytest.approx(expected[1], rel=1e-5)
    assert total == pytest.approx(expected[0] + 0.1 * expected[1], rel=1e-5)


def test_an_output_beyond_zero_and_one_costs_nothing_at_the_border(scene):
    output = np.where(scene.alpha > 0.5, 1.5, -0.5).astype(np.float32)
    background, foreground = Trimap(scene.trimap).boundaries("released")
    assert (scene.alpha[background] < 0.5).all()
    assert (scene.alpha[foreground] > 0.5).all()
    assert cost_of(output, output, scene.trimap, "released").boundary == 0


def test_a_matte_in_parts_costs_what_it_costs_as_a_whole(scene):
    rng = np.random.default_rng(6)
    alpha, initial = (rng.random(scene.trimap.shape, np.float32) for _ in range(2))
    boxes = cover(wanted_pixels(cost_masks(Trimap(scene.trimap), "paper")), rows=16, gap=4)
    assert len(boxes) > 3
    whole = cost_of(alpha, initial, scene.trimap)
    assert cost_of(alpha, initial, scene.trimap, boxes=boxes) == pytest.approx(whole, rel=1e-5)


def made_up(channels: int = 15):
    """A network with random weights, an input and its features."""
    torch.manual_seed(0)
    network = build_network("lsanet-lite").eval().requires_grad_(False)
    inputs = torch.rand(1, channels, 48, 64)
    with torch.no_grad():
        return network, inputs, network.encode(inputs)


def refined(scene, settings: Refinement, cancel: CancelToken | None = None, progress=None):
    network, inputs, features = made_up()
    with torch.no_grad():
        initial = network.decode(inputs, features)
    steps = Steps("refining", settings.iterations, progress, cancel)
    masks = cost_masks(Trimap(scene.trimap), settings.boundary)

    def decode(tensors):
        return [network.decode(inputs, features, tensors)]

    objective = WholeObjective(decode, [Box(0, 48, 0, 64)], masks, initial, settings)
    return descend(objective, network.refinement_shapes(), settings, steps, time.perf_counter()), initial


def test_one_iteration_returns_the_untouched_matte(scene):
    result, initial = refined(scene, Refinement("paper", iterations=1))
    torch.testing.assert_close(result.output, initial)
    assert result.before == result.after
    assert result.after.fidelity < 1


def test_descent_lowers_the_cost_and_every_update_is_a_plain_gradient_step(scene):
    two, _ = refined(scene, Refinement("paper", iterations=2, learning_rate=0.5))
    many, _ = refined(scene, Refinement("paper", iterations=12, learning_rate=0.5))
    assert two.after.total < two.before.total
    assert many.after.total < two.after.total
    assert many.evaluations == 12

    # The second pass by hand, from finite differences of the cost along the gradient's direction.
    network, inputs, features = made_up()
    initial = network.decode(inputs, features)
    masks = cost_masks(Trimap(scene.trimap), "paper")
    terms = CostTerms(masks, [Box(0, 48, 0, 64)], [initial])
    tensors = {
        stage: (torch.zeros(1, *shape, requires_grad=True), torch.zeros(1, *shape, requires_grad=True))
        for stage, shape in network.refinement_shapes().items()
    }
    CostScale.of([terms], "paper", 0.1).parts(terms.sums([network.decode(inputs, features, tensors)]))[0].backward()
    moved = {
        stage: tuple((t - 0.5 * t.grad).detach() for t in pair)  # type: ignore[operator]
        for stage, pair in tensors.items()
    }
    torch.testing.assert_close(network.decode(inputs, features, moved), two.output, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [Refinement("paper", iterations=4, learning_rate=1e30), Refinement(iterations=4, fidelity_weight=1e300)],
)
def test_settings_that_lead_beyond_all_numbers_are_told_instead_of_a_matte_without_any(scene, settings):
    with pytest.raises(InputError, match=r"by pass 4, expected finite numbers; choose smaller ones"):
        refined(scene, settings)


def test_a_cancelled_refinement_raises(scene):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        refined(scene, Refinement(iterations=5), token)


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_a_refinement_cancelled_midway_is_the_one_that_would_have_ended_there(scene, method):
    token = CancelToken()
    settings = Refinement(method, iterations=8, tolerance=0)
    stopped, _ = refined(scene, settings, token, lambda step: step.done >= 3 and token.cancel())
    shorter, _ = refined(scene, Refinement(method, iterations=3, tolerance=0))
    assert stopped.cancelled
    assert not shorter.cancelled
    assert stopped.evaluations == 3
    assert stopped.after.total <= shorter.after.total
    if method == "fast":
        assert torch.equal(stopped.output, shorter.output)


@pytest.mark.parametrize("tta", [8, 24])
def test_copies_share_a_time_budget_and_the_report_tells_what_each_got(scene, monkeypatch, tta):
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) * 0.01)  # a clock that knows no other programs
    budget = {8: 0.4, 24: 1.8}[tta]
    with Matter("lsa-lite", device="cpu", dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(scene.trimap)
        report = matter.refine(Refinement(tolerance=0, time_budget=budget), tta=tta).report
    [note] = report.notes
    told = re.fullmatch(rf"The {tta} copies shared a time budget of {budget:g} s and took (.*) passes.*", note)
    assert told is not None
    passes = [int(number) for number in told[1].split(", ")] if "," in told[1] else [int(told[1])] * tta
    assert len(passes) == tta
    assert 1 < min(passes) <= max(passes) < 15
    assert report.iterations == max(passes)
    if tta == 8:
        assert max(passes) <= min(passes) + 2
    else:  # the scales 0.8, 1 and 1.25, one after the other
        assert sum(passes[:8]) < sum(passes[16:])


def test_copies_that_end_in_time_need_no_note(scene):
    with Matter("lsa-lite", device="cpu", dtype="float32") as matter:
        matter.set_image(scene.image)
        matter.set_trimap(scene.trimap)
        assert matter.refine(Refinement(iterations=2, time_budget=1000.0), tta=8).report.notes == ()


@pytest.mark.parametrize(
    "values",
    [
        {"method": "magic"},
        {"boundary": "both"},
        {"method": ["fast"]},
        {"iterations": 0},
        {"iterations": 2.5},
        {"iterations": "3"},
        {"iterations": True},
        {"iterations": math.nan},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"learning_rate": "0.1"},
        {"fidelity_weight": -1.0},
        {"fidelity_weight": math.inf},
        {"fidelity_weight": None},
        {"tolerance": -0.1},
        {"tolerance": math.nan},
        {"time_budget": -1.0},
        {"time_budget": math.nan},
        {"time_budget": "1"},
    ],
)
def test_settings_out_of_range_are_refused_when_they_are_made(values):
    with pytest.raises(InputError, match="Got"):
        Refinement(**values)


def test_methods_have_settings_of_their_own():
    assert (Refinement().iterations, Refinement().learning_rate) == (15, 0.1)
    assert (Refinement("paper").iterations, Refinement("paper").learning_rate) == (100, 20.0)
    assert Refinement("paper", iterations=7).iterations == 7


def test_numbers_of_numpy_are_numbers():
    settings = Refinement(iterations=np.int64(3), learning_rate=np.float32(0.2), time_budget=np.float64(1))
    assert settings == Refinement(iterations=3, learning_rate=float(np.float32(0.2)), time_budget=1)
