"""Large images in tiles: the numbers of the whole image with the same gates, from and to arrays that are not held."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import lsa_engine as lsa
from lsa_engine.boxes import Box
from lsa_engine.inference import tiled as room
from lsa_engine.inference.cost import cost_masks, wanted_pixels
from lsa_engine.inference.descent import WholeObjective
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.tiled_decoders import Decoders
from lsa_engine.inference.tiled_refinement import TiledObjective
from lsa_engine.inference.tiling import masks_within, plan_tiles
from lsa_engine.network.prepared import PreparedDecoder
from lsa_engine.progress import Steps
from lsa_engine.samples import load_photograph, load_trimap

SIDE = 128
TWO = Refinement(iterations=2, tolerance=0)


def matter(**settings: Any) -> lsa.Matter:
    return lsa.Matter("lsa-lite", device="cpu", dtype="float32", **settings)


def on(matter: lsa.Matter, pair: tuple[Any, Any]) -> lsa.Matter:
    matter.set_image(pair[0])
    matter.set_trimap(pair[1])
    return matter


@pytest.fixture
def reduced_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pass that gives the gates see a fourth of the rows and columns."""
    monkeypatch.setattr(room, "_GATE_PIXELS", 10_000)


@pytest.fixture
def tiled(wide, reduced_gates) -> room.TiledImage:
    with matter() as lent:
        on(lent, wide)
        return room.TiledImage(lent._runner(), lent._image, lent._trimap, Steps("test", 1))


def test_tiles_show_what_the_whole_image_does_with_the_same_gates(wide, tiled, whole_input):
    network = tiled.runner.network
    inputs = whole_input(network, wide)
    with torch.no_grad():
        whole = network.decode(inputs, network.encode(inputs), gates=tiled.gates)[0, 0].numpy()
        own = network.decode(inputs, network.encode(inputs))[0, 0].numpy()
    result = on(matter(tiles=SIDE), wide).predict()
    unknown = wide[1] == 128
    assert np.abs(result.alpha - whole.clip(0, 1))[unknown].max() <= 1e-4
    np.testing.assert_array_equal(result.alpha[~unknown], (wide[1] == 255)[~unknown])
    assert np.abs(own - whole)[unknown].max() > 1e-3  # or the gates would not matter here
    assert result.report.tiles == SIDE
    assert "tiles of 128 pixels" in result.report.notes[0]
    background, foreground = lsa.Trimap(wide[1]).boundaries()
    borders = background | foreground
    assert not result.violation[~borders].any()
    assert result.report.violation == pytest.approx(result.violation[borders].mean(), rel=1e-4)


def test_only_what_is_unknown_is_computed(wide):
    network = matter()._runner().network
    trimap = lsa.Trimap(wide[1])
    tiles = plan_tiles(masks_within(trimap, "paper"), trimap.shape, SIDE, network)
    wanted = wanted_pixels(cost_masks(trimap, "paper"))
    times = np.zeros(trimap.shape, int)
    for tile in tiles:
        tile.core.cut(times)[...] += 1
        assert tile.core.right - tile.core.left <= SIDE
        assert tile.place.left == max(0, tile.core.left - 320)
    assert times[wanted].min() == 1
    assert times.max() == 1
    assert not times[:, 768:1024].any()
    few = np.zeros((4000, 4000), np.uint8)
    few[1000:1100, 2000:2100], few[1100:1140, 2000:2100] = 128, 255
    tiles = plan_tiles(masks_within(lsa.Trimap(few), "paper"), few.shape, 1024, network)
    assert len(tiles) == 1  # although the grid cuts it twice
    assert tiles[0].core.area < 2 * 140 * 128
    assert tiles[0].place.area < 0.05 * few.size


def test_cost_and_gradient_over_tiles_are_those_of_the_whole(wide, tiled, whole_input):
    trimap, network = lsa.Trimap(wide[1]), tiled.runner.network
    inputs = whole_input(network, wide)
    masks = cost_masks(trimap, "paper")
    with torch.no_grad():
        features = network.encode(inputs)
        initial = network.decode(inputs, features, gates=tiled.gates)
        prepared = PreparedDecoder(network, inputs, features, tiled.gates)
        prepared.want(wanted_pixels(masks))
    whole = WholeObjective(prepared, prepared.boxes, masks, initial, TWO)
    costs, gradients = [], []
    torch.manual_seed(0)
    shifts = {
        stage: (0.05 * torch.randn(1, *shape), 0.05 * torch.randn(1, *shape))
        for stage, shape in network.refinement_shapes().items()
    }
    without_room, with_room = (
        TiledObjective(tiled, trimap, TWO, SIDE, Decoders(room), Steps("", 1)) for room in (0, 1e9)
    )
    for objective in (whole, without_room, with_room):
        tensors = {stage: tuple(tensor.clone().requires_grad_() for tensor in pair) for stage, pair in shifts.items()}
        costs.append((objective.evaluate(tensors, gradient=True), objective.initial_cost()))
        objective.backward()
        objective.keep()
        gradients.append(torch.cat([tensor.grad.flatten() for pair in tensors.values() for tensor in pair]))
        assert objective.moved() == math.inf
    for cost, gradient in zip(costs[1:], gradients[1:], strict=True):
        assert cost[0] == pytest.approx(costs[0][0], rel=1e-4)
        assert cost[1] == pytest.approx(costs[0][1], rel=1e-4)
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-3, atol=2e-4 * float(gradients[0].abs().max()))
    expected = whole_matte(prepared, shifts, initial)
    for box, part in without_room.kept():
        torch.testing.assert_close(part, box.cut(expected), atol=1e-4, rtol=0)


def whole_matte(prepared, tensors, initial):
    whole = initial.clone()
    with torch.no_grad():
        for box, part in zip(prepared.boxes, prepared(tensors), strict=True):
            box.cut(whole).copy_(part)
    return whole


def test_a_refinement_in_tiles_cancelled_midway_returns_the_best_so_far(wide):
    token = lsa.CancelToken()
    result = on(matter(tiles=SIDE), wide).refine(
        Refinement(iterations=6, tolerance=0), progress=lambda step: step.done >= 3 and token.cancel(), cancel=token
    )
    assert result.report.cancelled
    assert result.report.iterations == 2
    assert any("cancelled after 2 of 6 passes" in note for note in result.report.notes)
    assert result.report.cost_after < result.report.cost_before


def test_the_memory_limit_decides_and_the_report_says_so(wide):
    whole = on(matter(), wide).predict()
    small = on(matter(memory_limit=0.01), wide).predict()
    assert (whole.report.tiles, whole.report.gates, whole.report.notes) == (None, None, ())
    assert (small.report.tiles, small.report.gates) == (SIDE, "frozen")
    assert "gates of a reduced pass" in small.report.notes[0]
    assert on(matter(memory_limit=0.01, tiles="off"), wide).predict().report.tiles is None


@pytest.mark.parametrize("tta", [8, 24])
def test_augmented_copies_in_tiles_are_those_of_the_whole_image(tta):
    # No larger than the pass that the gates are from, so that the gates are the same.
    image, trimap = load_photograph()[150:250, 200:600], load_trimap().values[150:250, 200:600]
    whole, tiled = (on(matter(tiles=tiles), (image, trimap)).predict(tta=tta) for tiles in ("off", SIDE))
    assert (tiled.report.tiles, tiled.report.tta, tiled.report.evaluations) == (SIDE, tta, tta)
    np.testing.assert_allclose(tiled.alpha, whole.alpha, atol=1e-4)
    np.testing.assert_allclose(tiled.uncertainty, whole.uncertainty, atol=1e-3)
    assert tiled.report.violation == pytest.approx(whole.report.violation, rel=1e-3)
    assert whole.uncertainty.max() > 0.01


def test_the_memory_limit_holds_for_augmented_copies_and_counts_the_largest(wide):
    small = on(matter(memory_limit=0.01), wide).predict(tta=8)
    assert (small.report.tiles, small.report.gates) == (SIDE, "frozen")
    part = (wide[0][:, 1200:], wide[1][:, 1200:])
    enough_for_one = on(matter(memory_limit=1.2 * 280 * part[1].size / 1e9), part)
    assert enough_for_one.predict(tta=8).report.tiles is None
    assert enough_for_one.predict(tta=24).report.tiles == SIDE


@pytest.mark.parametrize("settings", [{"tta": 8}, {"refinement": Refinement("paper", iterations=2)}])
def test_what_takes_the_whole_image_beyond_the_memory_limit_says_so(wide, settings):
    given = {"refinement": TWO, **settings}
    report = on(matter(memory_limit=0.01), wide).refine(**given).report
    assert report.tiles is None
    [note] = report.notes
    assert note.startswith("Computed at once, which takes about 0.088 GB, although the memory limit is 0.01 GB")
    assert on(matter(), wide).refine(**given).report.notes == ()


def test_augmented_copies_in_tiles_can_be_stopped_and_tell_how_far_they_are(wide):
    token, told = lsa.CancelToken(), []

    def watch(step: lsa.Progress) -> None:
        told.append(step.fraction)
        if step.fraction > 0.2:
            token.cancel()

    with pytest.raises(lsa.Cancelled):
        on(matter(tiles=SIDE), wide).predict(tta=8, progress=watch, cancel=token)
    assert told == sorted(told)
    assert len(set(told)) > 5
    assert 0.2 < told[-1] < 0.3


class Lazy:
    """An image of which only parts can be had; notes the largest."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels, self.shape, self.dtype, self.largest = pixels, pixels.shape, pixels.dtype, 0

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        part = self._pixels[key]
        self.largest = max(self.largest, part.shape[0] * part.shape[1])
        return part


def test_an_image_that_cannot_be_held_is_read_in_parts(wide, monkeypatch):
    monkeypatch.setattr("lsa_engine.inference.sources._STRIP_PIXELS", 20_000)
    lent = matter(tiles=SIDE)
    expected = on(lent, wide).predict().alpha
    lazy = Lazy(wide[0])
    np.testing.assert_allclose(on(lent, (lazy, wide[1])).predict().alpha, expected, atol=1e-4)
    assert 0 < lazy.largest < 0.65 * wide[1].size


@pytest.mark.parametrize("kind", ["memmap", "zarr", "dask"])
def test_memory_maps_zarr_and_dask_arrays_are_read(wide, tmp_path, kind):
    expected = on(matter(tiles=SIDE), wide).predict().alpha
    if kind == "memmap":
        image: Any = np.memmap(tmp_path / "image", wide[0].dtype, "w+", shape=wide[0].shape)
        image[...] = wide[0]
    else:
        library = pytest.importorskip(kind if kind == "zarr" else "dask.array")
        image = (
            library.array(wide[0], chunks=(32, 256, 3)) if kind == "zarr" else library.from_array(wide[0], (32, 256, 3))
        )
    np.testing.assert_allclose(on(matter(tiles=SIDE), (image, wide[1])).predict().alpha, expected, atol=1e-4)


def test_values_out_of_range_are_told_when_they_are_read(wide):
    pixels = wide[0].astype(np.float32) / 255
    pixels[40, 700] = np.nan
    lent = on(matter(tiles=SIDE), (Lazy(pixels), wide[1]))
    with pytest.raises(lsa.InputError, match="3 NaN"):
        lent.predict()
    with pytest.raises(lsa.InputError, match="signed integers"):
        lent.set_image(Lazy(wide[0].astype(np.int16)))
    with pytest.raises(lsa.InputError, match="one frame of a stack"):
        lent.set_image(Lazy(np.zeros((3, 8, 8, 3), np.uint8)))


@pytest.mark.parametrize("tiles", [SIDE, "off"])
@pytest.mark.parametrize("refine", [False, True])
def test_the_matte_is_written_where_one_says(wide, tmp_path, tiles, refine):
    lent = on(matter(tiles=tiles), wide)
    run = (lambda **k: lent.refine(TWO, **k)) if refine else lent.predict
    expected = run().alpha
    mapped = np.memmap(tmp_path / "alpha", np.uint16, "w+", shape=wide[1].shape)
    assert run(out=mapped).alpha is mapped
    np.testing.assert_allclose(mapped / 65535, expected, atol=1e-4)
    path = tmp_path / "alpha.tif"
    result = run(out=path)
    assert isinstance(result.alpha, np.memmap)
    np.testing.assert_allclose(tifffile.imread(path), expected, atol=1e-4)
    np.testing.assert_array_equal(result.alpha, tifffile.imread(path))
    assert [file.name for file in tmp_path.glob("*.tif*")] == ["alpha.tif"]
    zarr = pytest.importorskip("zarr")
    chunked = zarr.zeros(wide[1].shape, chunks=(64, 256), dtype="f4")
    run(out=chunked)
    np.testing.assert_allclose(chunked[...], expected, atol=1e-4)


def test_a_run_that_is_stopped_leaves_no_file(wide, tmp_path):
    token = lsa.CancelToken()
    with pytest.raises(lsa.Cancelled):
        on(matter(tiles=SIDE), wide).predict(
            out=tmp_path / "alpha.tif", progress=lambda step: step.done > 2 and token.cancel(), cancel=token
        )
    assert list(tmp_path.iterdir()) == []


def test_what_makes_no_sense_is_refused(wide):
    for settings in ({"tiles": 64}, {"tiles": "on"}, {"tiles": True}, {"memory_limit": 0}):
        with pytest.raises(lsa.InputError, match="expected"):
            matter(**settings)
    lent = on(matter(tiles=SIDE), wide)
    with pytest.raises(lsa.InputError, match="whole image"):
        lent.refine(TWO, tta=8)
    with pytest.raises(lsa.InputError, match="whole image"):
        lent.refine(Refinement("paper"))
    read_only = np.zeros(wide[1].shape, np.float32)
    read_only.flags.writeable = False
    tensor = torch.zeros(wide[1].shape)
    for out in (np.zeros((3, 4), np.float32), np.zeros(wide[1].shape, np.int16), read_only, tensor, 5, "alpha.png"):
        with pytest.raises(lsa.InputError, match="Got"):
            lent.predict(out=out, progress=lambda _: pytest.fail("It was computed before."))


def test_a_zarr_array_that_was_opened_for_reading_is_refused(wide, tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.open(tmp_path / "alpha.zarr", mode="w", shape=wide[1].shape, dtype="f4")
    lent = on(matter(tiles=SIDE), wide)
    with pytest.raises(lsa.InputError, match="cannot be written to"):
        lent.predict(out=zarr.open(tmp_path / "alpha.zarr", mode="r"))


def test_a_box_is_reduced_outward_and_enlarged_as_far_as_the_plane_goes():
    box = Box(64, 96, 10, 20)
    assert box.reduced(32) == Box(2, 3, 0, 1)
    assert box.reduced(32).enlarged(32, (90, 200)) == Box(64, 90, 0, 32)
