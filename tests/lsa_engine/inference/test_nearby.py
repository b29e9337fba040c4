"""Edits of large images move what lies around them alone, and that as the whole decoder would have it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import lsa_engine as lsa
from lsa_engine.boxes import Box
from lsa_engine.inference import correction
from lsa_engine.inference.cost import CostScale, CostTerms, cost_masks
from lsa_engine.inference.nearby import Region
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import build_network
from lsa_engine.network.prepared import PreparedDecoder
from lsa_engine.weights import save_weights

SIZE = (360, 420)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite", "name": "random"})
    return path


@pytest.fixture(scope="module")
def trimap():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot(rows - 180, columns - 210)
    return np.where(distance < 110, 255, np.where(distance > 150, 0, 128)).astype(np.uint8)


@pytest.fixture
def refined(weights, trimap, monkeypatch):
    monkeypatch.setattr(correction, "_LARGE_IMAGE", 0)
    image = np.random.default_rng(0).random((*SIZE, 3), dtype=np.float32)
    with lsa.Matter(weights, device="cpu", dtype="float32") as matter:
        matter.set_image(image)
        matter.set_trimap(trimap)
        matter.refine(lsa.Refinement(iterations=3))
        yield matter


def stroke(values, row, column, value):
    edited = values.copy()
    edited[row - 3 : row + 4, column - 3 : column + 4] = value
    return edited


@pytest.mark.parametrize("stage", [5, 4, 3, 2])
def test_a_cell_acts_on_no_pixel_outside_its_region(weights, trimap, stage) -> None:
    matter = lsa.Matter(weights, device="cpu")
    network = matter._runner().network
    count = 2 ** (8 - stage)
    inputs = network_input(torch.rand(1, 3, *SIZE), torch.from_numpy(trimap)[None, None], network.size.guidance)
    with torch.no_grad():
        features = network.encode(inputs)
        prepared = PreparedDecoder(network, inputs, features, "frozen")
        prepared.want(np.ones(SIZE, bool))
        zeros = {
            n: (torch.zeros(1, *shape), torch.zeros(1, *shape)) for n, shape in network.refinement_shapes().items()
        }
        before = torch.cat([part.flatten() for part in prepared(zeros)])
        for block in ((0, 0), (10, 12), (22, 26)):
            region = Region(np.zeros((23, 27), bool), SIZE)
            region.blocks[max(0, block[0] - 9) : block[0] + 10, max(0, block[1] - 9) : block[1] + 10] = True
            cells = torch.from_numpy(region.cells(stage, count))
            assert stage > 3 or cells.any()
            moved = {n: (a.clone(), b.clone()) for n, (a, b) in zeros.items()}
            for tensor in moved[stage]:
                tensor[..., cells] = 3.0
            now = torch.cat([part.flatten() for part in prepared(moved)])
            inside = np.concatenate([region.mask[b.top : b.bottom, b.left : b.right].ravel() for b in prepared.boxes])
            change = (now - before).abs().numpy()
            assert change[~inside].max() == 0
            assert not cells.any() or change[inside].max() > 0.01


def test_an_edit_moves_its_surroundings_alone(refined, trimap):
    before = refined._live.refined.output.clone()
    result = refined.correct(stroke(trimap, 180, 80, 255), lsa.Refinement(iterations=6, tolerance=0))
    after = refined._live.refined.output
    region = Region.around(stroke(trimap, 180, 80, 255) != trimap).mask
    change = (after - before).abs()[0, 0].numpy()
    assert change[~region].max() == 0
    assert change[region].max() > 0.01
    assert result.report.cost_after < result.report.cost_before
    assert result.report.gates == "frozen"
    assert refined.undo().report.gates == "live"


def test_gates_frozen_by_the_refinement_are_frozen_in_what_corrects_it(refined, trimap, monkeypatch):
    assert refined.refine(lsa.Refinement(iterations=2)).report.gates == "live"
    assert refined.refine(lsa.Refinement(iterations=2, gates="frozen")).report.gates == "frozen"
    monkeypatch.setattr(correction, "_LARGE_IMAGE", trimap.size)  # answered everywhere
    assert refined.correct(stroke(trimap, 180, 80, 255), lsa.Refinement(iterations=2)).report.gates == "frozen"
    assert refined.undo().report.gates == "frozen"
    refined.refine(lsa.Refinement(iterations=2))
    assert refined.correct(stroke(trimap, 180, 80, 255), lsa.Refinement(iterations=2)).report.gates == "live"


def test_the_matte_is_what_the_whole_decoder_gives_with_the_same_gates_and_tensors(refined, trimap):
    values = trimap
    for row, column, value in ((180, 80, 255), (50, 210, 0), (182, 84, 0)):
        values = stroke(values, row, column, value)
        refined.correct(values, lsa.Refinement(iterations=4, tolerance=0))
    live = refined._live
    image = live._nearby
    masks = cost_masks(lsa.Trimap(values), "paper")
    image._aim(masks[0] | masks[1] | masks[2], live._now.gates, lsa.progress.Steps("checking", 1))
    with torch.no_grad():
        parts = image._decode(live.refined.tensors)
    for box, part in zip(image._prepared.boxes, parts, strict=True):
        torch.testing.assert_close(box.cut(live.refined.output), part, atol=2e-5, rtol=0)


def test_the_cost_is_that_of_the_whole_matte(refined, trimap):
    values = stroke(trimap, 180, 80, 255)
    result = refined.correct(values, lsa.Refinement(iterations=4, tolerance=0))
    live = refined._live
    changed = values != trimap
    masks = cost_masks(live.trimap, "paper", (changed & (values == 0), changed & (values == 255)))
    terms = CostTerms(masks, [Box(0, SIZE[0], 0, SIZE[1])], [live.initial])
    cost = CostScale.of([terms], "paper", 0.1).numbers(terms.sums([live.refined.output]))
    assert result.report.cost_after == pytest.approx(cost.total, rel=1e-4)


def test_undoing_goes_back_to_the_gates_of_then(refined, trimap):
    first = refined.correct(stroke(trimap, 180, 80, 255), lsa.Refinement(iterations=3, tolerance=0))
    gates = refined._live._now.gates
    # Too large for a region: answered everywhere, with live gates.
    refined.correct(np.where(np.indices(SIZE)[0] < 170, trimap, 0).astype(np.uint8), lsa.Refinement(iterations=2))
    assert refined._live._now.gates is None
    back = refined.undo()
    np.testing.assert_array_equal(back.alpha, first.alpha)
    assert refined._live._now.gates is gates


def test_the_first_edit_after_a_refinement_begins_where_that_ended(refined, trimap):
    edited = stroke(trimap, 180, 80, 255)
    before = refined._live.refined.output.clone()
    # One pass moves nothing: it shows the matte of the held gates.
    refined.correct(edited, lsa.Refinement(iterations=1))
    torch.testing.assert_close(refined._live.refined.output, before, atol=2e-5, rtol=0)
