"""Mattes of large images, tile by tile: as the network gives them, or refined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.inference.augmentation import augmented_matte
from lsa_engine.inference.correction import LiveCorrection, Standing
from lsa_engine.inference.cost import Strokes
from lsa_engine.inference.descent import Tensors, descend
from lsa_engine.inference.nearby import Region
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.planes import Violation, matte_plane, spread_of, violation_of, write_matte, write_part
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.sources import ImageSource
from lsa_engine.inference.task import Task
from lsa_engine.inference.tiled import TiledImage
from lsa_engine.inference.tiled_decoders import Decoders
from lsa_engine.inference.tiled_refinement import TiledObjective
from lsa_engine.inference.tiling import Tile, masks_within, plan_tiles
from lsa_engine.inference.whole import Runner
from lsa_engine.network.decoder import Gates
from lsa_engine.progress import Progress, Steps
from lsa_engine.trimap import Trimap

_PARTS = 100
"""Steps of progress for one augmented copy."""


def predict_tiled(runner: Runner, task: Task, side: int) -> Outcome:
    """Write the network's matte of a large image to its sink, each tile of at most this side as soon as it is done."""
    trimap = task.trimap
    tiles = plan_tiles(masks_within(trimap, "paper"), trimap.shape, side, runner.network)
    steps = task.steps(len(tiles) + 1)
    task.sink.write_known(trimap.values)
    violation = Violation(trimap)
    for box, matte in _outputs(runner, task.image, trimap, tiles, steps):
        violation.take(box, matte)
        write_part(box, matte, trimap, task.sink)
    return Outcome(violation)


def predict_tiled_copies(runner: Runner, task: Task, tta: int, side: int) -> Outcome:
    """Write the mean matte of a large image's augmented copies to its sink; image and sums are held, and one tile."""
    trimap = task.trimap
    steps = task.steps(tta * _PARTS, " (augmented copies)")
    copies = 0

    def forward(images: Tensor, trimaps: Tensor) -> Tensor:
        nonlocal copies
        turned = Trimap(trimaps[0, 0].numpy())
        tiles = plan_tiles(masks_within(turned, "paper"), turned.shape, side, runner.network)

        def watch(step: Progress) -> None:
            steps.reach(copies * _PARTS + int(step.fraction * (_PARTS - 1)))

        inner = Steps("matting", len(tiles) + 1, watch, task.cancel)
        output = torch.from_numpy((turned.values == 255).astype(np.float32))[None, None]
        source = ImageSource(images[0].permute(1, 2, 0).numpy())
        for box, matte in _outputs(runner, source, turned, tiles, inner):
            box.cut(output).copy_(matte)
        copies += 1
        steps.reach(copies * _PARTS)
        return output

    whole = task.image.tensor(Box(0, trimap.shape[0], 0, trimap.shape[1]))
    values = torch.from_numpy(trimap.values.copy())[None, None]
    output, spread, _ = augmented_matte(whole, values, tta, forward, 1)
    write_matte(output, trimap, task.sink)
    return Outcome(violation_of(output, trimap), tta, uncertainty=spread_of(spread, trimap))


def _outputs(
    runner: Runner, image: ImageSource, trimap: Trimap, tiles: Sequence[Tile], steps: Steps
) -> Iterator[tuple[Box, Tensor]]:
    """Yield the cores of tiles with the network's output (1, 1, h, w) in each, as soon as it is there."""
    tiled = TiledImage(runner, image, trimap, steps)
    steps.advance(message=f"matting {len(tiles)} tiles")
    for tile in tiles:
        yield tile.core, tiled.forward(tile, steps)
        steps.advance()


def refine_tiled(runner: Runner, task: Task, side: int, room: float, settings: Refinement, began: float) -> Outcome:
    """Write the refined matte of a large image to its sink.

    Parameters
    ----------
    runner : Runner
        The network.
    task : Task
        The image.
    side : int
        Of the largest tile.
    room : float
        Bytes that decoders prepared for several passes may take.
    settings : Refinement
        How to refine.
    began : float
        When the refinement began, on :func:`time.perf_counter`.
    """
    trimap = task.trimap
    steps = task.steps(settings.iterations + 1)
    tiled = TiledImage(runner, task.image, trimap, steps)
    image = _EncodedTiles(tiled, side, Decoders(room))
    objective = image.pose(trimap, None, settings, steps)
    steps.advance(message="refining tiles")
    shapes = runner.network.refinement_shapes()
    refined = descend(objective, shapes, settings, steps, began)
    if not refined.cancelled:
        steps.finish()
    write_matte(refined.output, trimap, task.sink)
    return Outcome(
        violation_of(objective.initial, trimap),
        refined.evaluations + 1,
        matte_plane(objective.initial, trimap),
        refined=[refined],
        live=LiveCorrection(image.pose, shapes, trimap, objective.initial, refined, image),
    )


class _EncodedTiles:
    """A large image: states what is to be lowered, everywhere or near an edit."""

    def __init__(self, tiled: TiledImage, side: int, decoders: Decoders) -> None:
        self._tiled, self._side, self._decoders = tiled, side, decoders

    def pose(self, trimap: Trimap, strokes: Strokes | None, settings: Refinement, steps: Steps) -> TiledObjective:
        """State the cost of the whole image."""
        return TiledObjective(self._tiled, trimap, settings, self._side, self._decoders, steps, strokes)

    def gates(self, tensors: Tensors) -> Gates:
        """Return the gates, which are those of the reduced pass whatever A and B are."""
        del tensors
        return self._tiled.gates

    def pose_nearby(
        self, region: Region, standing: Standing, trimap: Trimap, strokes: Strokes, settings: Refinement, steps: Steps
    ) -> TiledObjective:
        """State the cost of the whole image as a function of what acts on a region alone."""
        nearby = (region, standing)
        return TiledObjective(self._tiled, trimap, settings, self._side, self._decoders, steps, strokes, nearby)
