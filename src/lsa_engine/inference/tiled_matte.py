"""Mattes of large images, tile by tile: as the network gives them, or refined."""

from __future__ import annotations

from lsa_engine.inference.correction import LiveCorrection
from lsa_engine.inference.cost import Strokes
from lsa_engine.inference.descent import descend
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.planes import Violation, violation_of, write_matte, write_part
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.sinks import Sink, new_sink
from lsa_engine.inference.sources import ImageSource
from lsa_engine.inference.tiled import TiledImage
from lsa_engine.inference.tiled_refinement import TiledObjective
from lsa_engine.inference.tiling import masks_within, plan_tiles
from lsa_engine.inference.whole import Runner
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import Trimap


def predict_tiled(
    runner: Runner,
    image: ImageSource,
    trimap: Trimap,
    sink: Sink,
    side: int,
    message: str,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> Outcome:
    """Write the network's matte of a large image to a sink, each tile as soon as it is done."""
    tiles = plan_tiles(masks_within(trimap, "paper"), trimap.shape, side, runner.network)
    steps = Steps(message, len(tiles) + 1, progress, cancel)
    tiled = TiledImage(runner, image, trimap, steps)
    sink.write_known(trimap.values)
    violation = Violation(trimap)
    steps.advance(message=f"matting {len(tiles)} tiles")
    for tile in tiles:
        matte = tiled.forward(tile, steps)
        violation.take(tile.core, matte)
        write_part(tile.core, matte, trimap, sink)
        steps.advance()
    return Outcome(violation)


def refine_tiled(
    runner: Runner,
    image: ImageSource,
    trimap: Trimap,
    sink: Sink,
    side: int,
    room: float,
    settings: Refinement,
    message: str,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
    began: float,
) -> Outcome:
    """Write the refined matte of a large image to a sink.

    Parameters
    ----------
    side : int
        Of the largest tile.
    room : float
        Bytes that decoders prepared for several passes may take.
    """
    steps = Steps(message, settings.iterations + 1, progress, cancel)
    tiled = TiledImage(runner, image, trimap, steps)

    def pose(trimap: Trimap, strokes: Strokes | None, settings: Refinement, steps: Steps) -> TiledObjective:
        return TiledObjective(tiled, trimap, settings, side, room, steps, strokes)

    objective = pose(trimap, None, settings, steps)
    steps.advance(message="refining tiles")
    shapes = runner.network.refinement_shapes()
    refined = descend(objective, shapes, settings, steps, began)
    if not refined.cancelled:
        steps.finish()
    write_matte(refined.output, trimap, sink)
    before = new_sink(trimap.shape)
    write_matte(objective.initial, trimap, before)
    live = LiveCorrection(pose, shapes, trimap, objective.initial, refined)
    violation = violation_of(objective.initial, trimap)
    return Outcome(violation, refined.evaluations + 1, before.array, None, [refined], live=live)
