"""A whole image at once: one pass of the network, or a refinement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.inference.augmentation import augmented_matte, work_of
from lsa_engine.inference.correction import LiveCorrection, Standing
from lsa_engine.inference.cost import Mask, Strokes, cost_masks, wanted_pixels
from lsa_engine.inference.descent import Refined, Tensors, WholeObjective, descend
from lsa_engine.inference.nearby import HeldCells, Region
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.planes import matte_plane, seen_boxes, spread_of, violation_of, write_matte
from lsa_engine.inference.preparation import network_input
from lsa_engine.inference.refinement import Refinement, TimeShares
from lsa_engine.inference.sources import ImageSource
from lsa_engine.inference.task import Task
from lsa_engine.inference.watching import layer_count, watched
from lsa_engine.network import LSANet, lay_out
from lsa_engine.network.decoder import Gates
from lsa_engine.network.prepared import PreparedDecoder
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap

_STRIP_PIXELS = 1_000_000
_BATCH_PIXELS = 2_000_000


class Runner:
    """A network on its device, in its precision.

    Parameters
    ----------
    network : LSANet
        Evaluating, its batch normalisations folded, in the channels-last layout.
    device : torch.device
        Where it lies.
    dtype : torch.dtype
        Precision of encoder and decoder.
    """

    def __init__(self, network: LSANet, device: torch.device, dtype: torch.dtype) -> None:
        self.network, self.device, self.dtype = network, device, dtype

    def precision(self) -> torch.autocast:
        """Return the context to compute in."""
        half = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if half else torch.bfloat16, enabled=half)

    def refining(self) -> Runner:
        """Return what refines with the same network: in float32 in place of float16, in which most gradients are 0."""
        return Runner(self.network, self.device, torch.float32) if self.dtype == torch.float16 else self

    def tensors(self, image: ImageSource, trimap: Trimap) -> tuple[Tensor, Tensor]:
        """Return an image (1, 3, H, W) and a trimap (1, 1, H, W) on the device."""
        values = torch.from_numpy(trimap.values.copy())[None, None]
        return image.tensor(Box(0, image.shape[0], 0, image.shape[1])).to(self.device), values.to(self.device)

    def forward(self, images: Tensor, trimaps: Tensor, check: Callable[[], None]) -> Tensor:
        """Return the unclamped mattes (N, 1, H, W) of images and trimaps, 0 where nothing of them is seen.

        `check` may stop what comes before them.
        """
        boxes = seen_boxes(Trimap(values) for values in trimaps[:, 0].cpu().numpy())
        with self.precision():
            inputs = network_input(images, trimaps, self.network.size.guidance, check)
            rows = max(16, _STRIP_PIXELS // (images.shape[0] * images.shape[-1]))
            return self.network.decode(inputs, self.network.encode(inputs), rows=rows, boxes=boxes)


def predict_whole(runner: Runner, task: Task, tta: int) -> Outcome:
    """Write the network's matte of an image to its sink."""
    network, trimap = runner.network, task.trimap
    tensors = runner.tensors(task.image, trimap)
    spread = None
    with torch.inference_mode():
        if tta == 0:
            steps = task.steps(layer_count(network))
            with watched(network, steps):
                output = runner.forward(*tensors, steps.check)
        else:
            steps = task.steps(tta, " (augmented copies)")
            batch = max(1, _BATCH_PIXELS // (trimap.shape[0] * trimap.shape[1]))

            def forward(images: Tensor, trimaps: Tensor) -> Tensor:
                with watched(network, steps, count=False):
                    mattes = runner.forward(images, trimaps, steps.check)
                steps.advance(len(images))
                return mattes

            output, spread, _ = augmented_matte(*tensors, tta, forward, batch)
    write_matte(output, trimap, task.sink)
    return Outcome(violation_of(output, trimap), max(1, tta), uncertainty=spread_of(spread, trimap))


def refine_whole(runner: Runner, task: Task, tta: int, settings: Refinement, began: float) -> Outcome:
    """Write the refined matte of an image to its sink; with copies, every one is refined by itself.

    `began` is when the refinement began, on :func:`time.perf_counter`.
    """
    trimap = task.trimap
    passes = settings.iterations + 1  # one to encode
    steps = task.steps(max(1, tta) * passes)
    refined: list[Refined[Tensor]] = []
    lives: list[LiveCorrection | None] = []

    shares = TimeShares(settings, began, work_of(tta) * trimap.values.size if tta else 1.0)

    def refine_one(images: Tensor, trimaps: Tensor) -> Tensor:
        own, start = shares.next(trimaps.numel()) if tta else (settings, began)
        before, after, live = _refine(runner, images, trimaps, own, steps, start)
        refined.append(after)
        lives[:] = [live]
        if not after.cancelled:
            steps.reach(len(refined) * passes)
        return torch.cat([after.output, before], 1)

    tensors = runner.tensors(task.image, trimap)
    spread, copies = None, 1
    if tta:
        output, spread, copies = augmented_matte(*tensors, tta, refine_one, 1, keep_begun=True)
    else:
        output = refine_one(*tensors)
    write_matte(output[:, :1], trimap, task.sink)
    return Outcome(
        violation_of(output[:, 1:], trimap),
        sum(one.evaluations + 1 for one in refined),
        matte_plane(output[:, 1:], trimap),
        spread_of(spread, trimap),
        refined,
        copies,
        None if tta else lives[0],
    )


def _refine(
    runner: Runner, images: Tensor, trimaps: Tensor, settings: Refinement, steps: Steps, began: float
) -> tuple[Tensor, Refined[Tensor], LiveCorrection | None]:
    """Return one image's matte before, not clamped, its refinement, and what edits of the trimap can go on from.

    Corrections follow the fast method only.
    """
    network, trimap = runner.network, Trimap(trimaps[0, 0].cpu().numpy())
    fast = settings.method == "fast"
    # The paper's large steps amplify rounding. In the plain memory layout it stays near that of double precision
    # (2e-4 after five steps; channels-last 2e-3), and the backward pass is no slower.
    layout = torch.channels_last if fast else torch.contiguous_format
    own = network if fast else lay_out(deepcopy(network), runner.device, layout)
    with torch.no_grad(), runner.precision(), watched(network, steps, count=False):
        inputs = network_input(images, trimaps, network.size.guidance, steps.check)
        features = [feature.contiguous(memory_format=layout) for feature in network.encode(inputs)]
        inputs = inputs.contiguous(memory_format=layout)
        initial = own.decode(inputs, features)
    steps.advance(message="refining")
    shapes = network.refinement_shapes()
    if not fast:

        def decode_all(tensors: Tensors) -> Sequence[Tensor]:
            with runner.precision():
                return [own.decode(inputs, features, tensors)]

        masks = cost_masks(trimap, settings.boundary)
        objective = WholeObjective(decode_all, [Box(0, trimap.shape[0], 0, trimap.shape[1])], masks, initial, settings)
        with watched(own, steps, count=False):
            return initial, descend(objective, shapes, settings, steps, began), None

    with torch.no_grad(), runner.precision():
        prepared = PreparedDecoder(network, inputs, features, settings.gates)
    image = _EncodedImage(runner, prepared, initial)
    with watched(network, steps, count=False):
        refined = descend(image.pose(trimap, None, settings, steps), shapes, settings, steps, began)
    refined = replace(refined, gates_held=settings.gates == "frozen")
    return initial, refined, LiveCorrection(image.pose, shapes, trimap, initial, refined, image)


class _EncodedImage:
    """An image whose decoder is prepared: states what is to be lowered, everywhere or near an edit."""

    def __init__(self, runner: Runner, prepared: PreparedDecoder, initial: Tensor) -> None:
        self._runner, self._prepared, self._initial = runner, prepared, initial
        self._usual_gates = prepared.gates

    def pose(self, trimap: Trimap, strokes: Strokes | None, settings: Refinement, steps: Steps) -> WholeObjective:
        """State the cost of the whole image, with the gates that were asked for when it was refined."""
        masks = cost_masks(trimap, settings.boundary, strokes)
        self._aim(wanted_pixels(masks), self._usual_gates, steps)
        return WholeObjective(self._decode, self._prepared.boxes, masks, self._initial, settings)

    def gates(self, tensors: Tensors) -> Gates:
        """Return the gates that A and B open, or those that are frozen."""
        if self._usual_gates is not None:
            return self._usual_gates
        with torch.no_grad(), self._runner.precision():
            return self._prepared.gates_at(tensors)

    def pose_nearby(
        self, region: Region, standing: Standing, trimap: Trimap, strokes: Strokes, settings: Refinement, steps: Steps
    ) -> WholeObjective:
        """State the cost of the whole image as a function of what acts on a region alone."""
        masks = cost_masks(trimap, settings.boundary, strokes)
        self._aim(wanted_pixels(masks) & region.mask, standing.gates, steps)
        hold = HeldCells(region, standing.refined.tensors)

        def decode(tensors: Tensors) -> Sequence[Tensor]:
            return self._decode(hold(tensors))

        return WholeObjective(decode, self._prepared.boxes, masks, self._initial, settings, standing.refined.output)

    def _aim(self, wanted: Mask, gates: Gates | None, steps: Steps) -> None:
        self._prepared.check = steps.check
        self._prepared.gates = gates
        with torch.no_grad(), self._runner.precision():
            self._prepared.want(wanted)

    def _decode(self, tensors: Tensors) -> Sequence[Tensor]:
        with self._runner.precision():
            return self._prepared(tensors)
