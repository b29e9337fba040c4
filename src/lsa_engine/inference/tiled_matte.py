"""Mattes of large images, tile by tile: as the network gives them, or refined."""

from __future__ import annotations

from lsa_engine.inference.correction import LiveCorrection
from lsa_engine.inference.cost import Strokes
from lsa_engine.inference.descent import descend
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.planes import Violation, matte_plane, violation_of, write_matte, write_part
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.task import Task
from lsa_engine.inference.tiled import TiledImage
from lsa_engine.inference.tiled_refinement import TiledObjective
from lsa_engine.inference.tiling import masks_within, plan_tiles
from lsa_engine.inference.whole import Runner
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap


def predict_tiled(runner: Runner, task: Task, side: int) -> Outcome:
    """Write the network's matte of a large image to its sink, each tile of at most this side as soon as it is done."""
    trimap = task.trimap
    tiles = plan_tiles(masks_within(trimap, "paper"), trimap.shape, side, runner.network)
    steps = task.steps(len(tiles) + 1)
    tiled = TiledImage(runner, task.image, trimap, steps)
    task.sink.write_known(trimap.values)
    violation = Violation(trimap)
    steps.advance(message=f"matting {len(tiles)} tiles")
    for tile in tiles:
        matte = tiled.forward(tile, steps)
        violation.take(tile.core, matte)
        write_part(tile.core, matte, trimap, task.sink)
        steps.advance()
    return Outcome(violation)


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

    def pose(trimap: Trimap, strokes: Strokes | None, settings: Refinement, steps: Steps) -> TiledObjective:
        return TiledObjective(tiled, trimap, settings, side, room, steps, strokes)

    objective = pose(trimap, None, settings, steps)
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
        live=LiveCorrection(pose, shapes, trimap, objective.initial, refined),
    )
