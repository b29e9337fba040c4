"""An image in tiles: the network's gates from a reduced first pass, everything else local and exact."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.guidance.large import LargePriors, Reduced
from lsa_engine.guidance.light import from_light, to_light
from lsa_engine.inference.preparation import network_input, window_input
from lsa_engine.inference.sources import ImageSource
from lsa_engine.inference.tiling import Tile
from lsa_engine.inference.watching import watched
from lsa_engine.inference.whole import Runner
from lsa_engine.network.prepared import PreparedDecoder
from lsa_engine.progress import Steps, unchecked
from lsa_engine.trimap import Trimap

_GATE_PIXELS = 2_000_000
_ROWS = 256


class TiledImage:
    """A large image and what is known of all of it: the gates of every decoder stage, and the priors at a reduced size.

    Parameters
    ----------
    runner : Runner
        The network.
    image : ImageSource
        Read once, in strips, and again tile by tile.
    trimap : Trimap
        Of the same size.
    steps : Steps
        May cancel.

    Attributes
    ----------
    gates : dict of int to Tensor
        Those of a pass over the whole image, reduced to at most two million pixels.
    """

    def __init__(self, runner: Runner, image: ImageSource, trimap: Trimap, steps: Steps) -> None:
        self.runner, self._image, self._values = runner, image, trimap.values
        self.shape = trimap.shape
        pixels = self.shape[0] * self.shape[1]
        factor = 1
        while pixels > _GATE_PIXELS * factor**2:
            factor *= 2
        reduced: dict[int, Reduced] = {}

        def reduced_by(factor: int) -> Reduced:
            return reduced.setdefault(factor, Reduced(self.shape, factor))

        first = reduced_by(factor)
        unknown = sum(int((self._values[box.top : box.bottom] == 128).sum()) for box in image.strips())
        guided = runner.network.size.guidance != "none"
        self._priors = LargePriors(self.shape, unknown, reduced_by) if guided else None
        takers: list[Reduced | LargePriors] = [*reduced.values()]
        if self._priors is not None:
            takers.append(self._priors)
        multiple = max([*reduced, 1 if self._priors is None else self._priors.alignment])
        for strip in image.strips(multiple):
            steps.check()
            light, values = to_light(image.tensor(strip)), self._trimap(strip)
            for taker in takers:
                taker.take(strip.top, light, values)
        if self._priors is not None:
            self._priors.solve(steps.check)
        self.gates = self._open_gates(first, steps)

    def inputs(self, box: Box, check: Callable[[], None] = unchecked) -> Tensor:
        """Return the network's input (1, C, h, w) for a part, on the device; `check` may stop it."""
        given = box if self._priors is None else self._priors.surroundings(box)
        inputs = window_input(self._image.tensor(given), self._trimap(given), self._priors, box, check)
        return inputs.to(self.runner.device)

    def forward(self, tile: Tile, steps: Steps) -> Tensor:
        """Return the unclamped matte (1, 1, h, w) of a tile's core, on the processor."""
        network = self.runner.network
        with torch.no_grad(), self.runner.precision(), watched(network, steps, count=False):
            inputs = self.inputs(tile.place, steps.check)
            core = tile.core.within(tile.place)
            boxes = core.strips(_ROWS)
            matte = network.decode(inputs, network.encode(inputs), rows=_ROWS, gates=self.gates, boxes=boxes)
        return core.cut(matte).float().cpu()

    def prepare(self, tile: Tile, steps: Steps) -> PreparedDecoder:
        """Return the decoder of a tile."""
        network = self.runner.network
        with torch.no_grad(), self.runner.precision(), watched(network, steps, count=False):
            inputs = self.inputs(tile.place, steps.check)
            features = network.encode(inputs)
            return PreparedDecoder(network, inputs, features, self.gates, (tile.place, self.shape), steps.check)

    def _trimap(self, box: Box) -> Tensor:
        return torch.from_numpy(box.cut(self._values).copy())[None, None]

    def _open_gates(self, reduced: Reduced, steps: Steps) -> dict[int, Tensor]:
        """Return the gates that the network opens for the reduced image."""
        network, device = self.runner.network, self.runner.device
        image = from_light(torch.from_numpy(reduced.colours).permute(2, 0, 1)[None].contiguous())
        foreground, background = torch.from_numpy(reduced.known)
        values = torch.full(foreground.shape, 128, dtype=torch.uint8)
        values[foreground], values[background] = 255, 0
        with torch.no_grad(), self.runner.precision(), watched(network, steps, count=False):
            pair = image.to(device), values[None, None].to(device)
            inputs = network_input(*pair, network.size.guidance, steps.check)
            return network.decoder.gates(network.encode(inputs))
