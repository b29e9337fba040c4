"""Corrections of large images in tiles: what they move, what they encode, and how they are taken back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import lsa_engine as lsa
from lsa_engine.boxes import Box
from lsa_engine.inference.cost import CostScale, CostTerms, cost_masks, wanted_pixels
from lsa_engine.inference.nearby import Region
from lsa_engine.inference.refinement import Refinement

SIDE = 128
TWO = Refinement(iterations=2, tolerance=0)
FOUR = Refinement(iterations=4, tolerance=0)


def refined(pair: tuple[np.ndarray, np.ndarray], **settings: Any) -> tuple[lsa.Matter, lsa.MatteResult]:
    matter = lsa.Matter("lsa-lite", device="cpu", dtype="float32", **settings)
    matter.set_image(pair[0])
    matter.set_trimap(pair[1])
    return matter, matter.refine(TWO)


def test_a_refinement_in_tiles_can_be_corrected_and_undone(wide):
    lent, result = refined(wide, tiles=SIDE)
    assert (result.report.tiles, result.report.gates, result.report.iterations) == (SIDE, "frozen", 2)
    assert result.report.cost_after < result.report.cost_before
    assert np.abs(result.alpha - result.initial_alpha).max() > 1e-3
    values = wide[1].copy()
    values[30:34, 800:806] = 255  # where no tile was
    values[20:40, 880:900] = 128
    edited = lent.correct(values, TWO)
    assert (edited.alpha[values == 255] == 1).all()
    assert not edited.alpha[values == 0].any()
    assert edited.report.tiles == SIDE
    assert edited.report.cost_after <= edited.report.cost_before
    np.testing.assert_allclose(lent.undo().alpha, result.alpha, atol=1e-6)


def encodings(lent: lsa.Matter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pixels of everything that the network encodes from now on."""
    seen: list[int] = []
    network = lent._runner().network
    encode = network.encode
    monkeypatch.setattr(network, "encode", lambda x: seen.append(x.shape[-2] * x.shape[-1]) or encode(x))
    return seen


def test_corrections_in_tiles_encode_nothing_where_decoders_are_kept(wide, monkeypatch):
    lent, _ = refined(wide, tiles=SIDE)
    seen = encodings(lent, monkeypatch)
    values = wide[1].copy()
    row, column = np.argwhere(values == 128)[50]
    values[row - 2 : row + 3, column - 2 : column + 3] = 255
    kept = lent.correct(values, TWO)
    assert seen == []
    small, _ = refined(wide, tiles=SIDE, memory_limit=0.001)
    seen = encodings(small, monkeypatch)
    anew = small.correct(values, TWO)
    assert seen
    np.testing.assert_allclose(anew.alpha, kept.alpha, atol=1e-4)


@pytest.fixture
def edits_nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsa_engine.inference.correction._LARGE_IMAGE", 0)


def unknown_near(trimap: np.ndarray, column: int) -> tuple[int, int]:
    """The unknown pixel nearest to a column."""
    unknown = np.argwhere(trimap == 128)
    row, nearest = unknown[np.abs(unknown[:, 1] - column).argmin()]
    return int(row), int(nearest)


def output_plane(parts, shape) -> np.ndarray:
    plane = np.full(shape, np.nan, np.float32)
    for box, part in parts:
        box.cut(plane)[...] = part[0, 0].numpy()
    return plane


# Even and odd, multiples of the deepest stage's stride and not: at the last rows and columns grids end differently.
@pytest.mark.parametrize("shape", [(65, 1501), (64, 1504), (78, 1490)])
def test_an_edit_in_tiles_moves_its_surroundings_alone_as_the_whole_decoder_would(
    wide_pair, whole_input, edits_nearby, shape
):
    pair = wide_pair(*shape)
    lent, _ = refined(pair, tiles=SIDE)
    live, encoded = lent._live, pair[1]
    before = output_plane(live.refined.output, shape)
    values, untouched = encoded, np.ones(shape, bool)
    corner = (slice(shape[0] - 3, None), slice(shape[1] - 3, None))
    places = [(*unknown_near(encoded, column), value) for column, value in ((1400, 255), (1117, 0), (1384, 255))]
    patches = [((slice(row, row + 4), slice(column, column + 4)), value) for row, column, value in places]
    for place, value in [*patches, (corner, 128), (corner, 0)]:
        values = values.copy()
        values[place] = value
        untouched &= ~Region.around(values != live.trimap.values).mask
        result = lent.correct(values, FOUR)
        assert result.report.cost_after <= result.report.cost_before
    now = output_plane(live.refined.output, shape)
    same = untouched & ~np.isnan(before)
    assert same.any()
    np.testing.assert_array_equal(now[same], before[same])
    strokes = ((values != encoded) & (values == 0), (values != encoded) & (values == 255))
    masks = cost_masks(lsa.Trimap(values), "paper", strokes)
    wanted = wanted_pixels(masks)
    network, gates = lent._runner().network, live._nearby._tiled.gates
    inputs = whole_input(network, pair)
    with torch.no_grad():
        features = network.encode(inputs)
        initial = network.decode(inputs, features, gates=gates)
        whole = network.decode(inputs, features, live.refined.tensors, gates=gates)
    # What is known, and not beside anything unknown, is the trimap's in the matte and counts nowhere: where the boxes
    # of the last edit do not happen to hold it, it stays as an edit before left it.
    assert wanted[corner].any()
    assert wanted[-1].any()
    np.testing.assert_allclose(now[wanted], whole[0, 0].numpy()[wanted], atol=1e-4)
    seen = np.where(values == 128, whole[0, 0].clamp(0, 1).numpy(), values == 255)
    np.testing.assert_allclose(result.alpha, seen, atol=1e-4)
    terms = CostTerms(masks, [Box(0, shape[0], 0, shape[1])], [initial])
    cost = CostScale.of([terms], "paper", 0.1).numbers(terms.sums([whole]))
    assert result.report.cost_after == pytest.approx(cost.total, rel=1e-3)
    for _ in range(5):
        lent.undo()
    np.testing.assert_array_equal(output_plane(live.refined.output, shape), before)


def test_a_stroke_beside_the_last_encodes_little_or_nothing(wide, edits_nearby, monkeypatch):
    lent, _ = refined(wide, tiles=512, memory_limit=0.2)
    seen = encodings(lent, monkeypatch)
    values = wide[1]
    pixels = []
    for column in (1400, 1396, 1390):
        row, column = unknown_near(wide[1], column)
        values = values.copy()
        values[row : row + 4, column : column + 4] = 255
        lent.correct(values, TWO)
        pixels.append(sum(seen))
        seen.clear()
    assert pixels[1:] == [0, 0]


def test_an_edit_that_is_taken_back_where_nothing_else_is_unknown_needs_no_pass(wide, edits_nearby):
    lent, result = refined(wide, tiles=SIDE)
    values = wide[1].copy()
    values[30:34, 890:896] = 128
    lent.correct(values, TWO)
    back = lent.correct(wide[1], TWO)
    assert back.report.iterations == 0
    np.testing.assert_array_equal(back.alpha, result.alpha)


def test_a_correction_in_tiles_without_time_shows_the_last_matte_with_what_is_known(wide):
    lent, result = refined(wide, tiles=SIDE)
    last = result.alpha
    values = wide[1].copy()
    values[30:34, 890:896] = 128  # where no tile was
    row, column = np.argwhere(values == 128)[50]
    values[row : row + 3, column : column + 3] = 255
    result = lent.correct(values, Refinement(time_budget=0))
    np.testing.assert_allclose(result.alpha, np.where(values == 128, last, values / 255), atol=1e-6)
    assert result.report.iterations == 0
    assert result.report.cost_after == result.report.cost_before
