"""The :class:`Matter`: give it an image and a trimap, ask it for mattes as often as you like."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.arrays import as_float_image
from lsa_engine.devices import choose_device, choose_dtype, peak_memory
from lsa_engine.errors import InputError
from lsa_engine.guidance import is_compiled
from lsa_engine.inference.augmentation import SCALES, augmented_matte
from lsa_engine.inference.classical import classical_matte
from lsa_engine.inference.correction import LiveCorrection
from lsa_engine.inference.loading import load_network
from lsa_engine.inference.pairs import check_pair, known_matte, versions
from lsa_engine.inference.preparation import network_input
from lsa_engine.inference.refinement import Refined, Refinement, RefinementCost, descend
from lsa_engine.inference.results import MatteResult, Report
from lsa_engine.inference.watching import layer_count, watched
from lsa_engine.network import LSANet, lay_out
from lsa_engine.network.prepared import Box, PreparedDecoder
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import Trimap, as_trimap

__all__ = ["MatteResult", "Matter", "Report", "matte"]

_STRIP_PIXELS = 1_000_000
_BATCH_PIXELS = 2_000_000

_COSTS_BEFORE = ("cost_before", "boundary_cost_before", "fidelity_cost_before")
_COSTS_AFTER = ("cost_after", "boundary_cost_after", "fidelity_cost_after")


class Matter:
    """A network with one image and one trimap in hand.

    Several can live side by side, each in a thread of its own; one of them serves one thread at a time.

    Parameters
    ----------
    weights : str or Path
        Name of installed weights (:func:`lsa_engine.available_weights`) or a weights file.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    dtype : {"auto", "float32", "bfloat16"}
        Precision of encoder and decoder; "auto" is bfloat16 where the device is faster at it. The head always runs in
        float32.

    Raises
    ------
    WeightsError
        If the weights are unknown, damaged, or do not fit their network.
    InputError
        If device or dtype are unknown, or not to be had.

    Examples
    --------
    >>> matter = Matter("lsa-lite")  # doctest: +SKIP
    >>> matter.set_image(image)  # doctest: +SKIP
    >>> matter.set_trimap(trimap)  # doctest: +SKIP
    >>> alpha = matter.predict().alpha  # doctest: +SKIP
    """

    def __init__(self, weights: str | Path = "lsa-lite", *, device: str = "auto", dtype: str = "auto") -> None:
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        network, loaded = load_network(weights)
        self._network: LSANet | None = lay_out(network, self.device, torch.channels_last)
        self.weights = loaded.metadata.get("name") or loaded.path.stem
        self.weights_sha256 = loaded.sha256
        self.size = loaded.metadata["size"]
        self._image: NDArray[np.float32] | None = None
        self._trimap: Trimap | None = None
        self._live: LiveCorrection | None = None

    def set_image(self, image: Any, *, data_range: tuple[float, float] | None = None) -> None:
        """Take an image.

        Parameters
        ----------
        image : (H, W, 3) or (H, W) array
            Integers are scaled by their type's range; floats lie in [0, 1] unless `data_range` is given.
        data_range : (float, float), optional
            Values that mean black and white.

        Raises
        ------
        InputError
            If it is not an image.
        """
        self._image = as_float_image(image, data_range=data_range)
        self._live = None

    def set_trimap(self, trimap: Any) -> None:
        """Take a trimap (H, W): a :class:`~lsa_engine.Trimap` or any of the usual codings.

        Raises
        ------
        TrimapError
            If it is not a trimap.
        """
        self._trimap = as_trimap(trimap)
        self._live = None

    def predict(
        self, *, tta: int = 0, progress: ProgressCallback | None = None, cancel: CancelToken | None = None
    ) -> MatteResult:
        """Return the network's matte.

        Parameters
        ----------
        tta : {0, 8, 24}
            Test-time augmentation: mean over this many turned, mirrored and (24) scaled copies (§5.1).
        progress : callable, optional
            Told how far the work has come.
        cancel : CancelToken, optional
            Stops the work.

        Raises
        ------
        InputError
            If image or trimap are missing, differ in size, or `tta` is another number.
        TrimapError
            If the trimap has no known foreground or no known background.
        Cancelled
            If the work was stopped.
        """
        _check_tta(tta)
        start = time.perf_counter()
        image, trimap = self._pair()
        if not trimap.unknown.any():
            return self._known_result(trimap, start)
        trimap.require_known()
        tensors = self._tensors(image, trimap)
        network = self._open_network()
        spread = None
        with torch.inference_mode():
            if tta == 0:
                with watched(network, Steps(_begun("matting", network), layer_count(network), progress, cancel)):
                    output = self._forward(*tensors)
            else:
                steps = Steps(_begun("matting augmented copies", network), tta, progress, cancel)
                batch = max(1, _BATCH_PIXELS // (image.shape[0] * image.shape[1]))

                def forward(images: Tensor, trimaps: Tensor) -> Tensor:
                    with watched(network, Steps("matting", 1, cancel=cancel)):
                        mattes = self._forward(images, trimaps)
                    steps.advance(len(images))
                    return mattes

                output, spread = augmented_matte(*tensors, tta, forward, batch)
        alpha = _finish(output, trimap)
        violation, mean = _violation(output, trimap)
        report = self._report("none", start, trimap, tta=tta, evaluations=max(1, tta), violation=mean)
        return MatteResult(alpha, alpha, report, _spread(spread, trimap), violation)

    def refine(
        self,
        refinement: Refinement | None = None,
        *,
        tta: int = 0,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> MatteResult:
        """Return the matte after backpropagating refinement (§4.3).

        Parameters
        ----------
        refinement : Refinement, optional
            How to refine; the fast method by default.
        tta : {0, 8, 24}
            Test-time augmentation: every copy is refined by itself, and the mean is the result. The costs in the report
            are means, too.
        progress, cancel
            As in :meth:`predict`.

        Raises
        ------
        InputError, TrimapError, Cancelled
            As in :meth:`predict`.
        """
        _check_tta(tta)
        settings = refinement or Refinement()
        start = time.perf_counter()
        image, trimap = self._pair()
        if not trimap.unknown.any():
            return self._known_result(trimap, start)
        trimap.require_known()
        network = self._open_network()
        copies = max(1, tta)
        steps = Steps(_begun("encoding", network), copies * (settings.iterations + 1), progress, cancel)
        refined: list[Refined] = []
        initial: list[Tensor] = []
        self._live = None

        keep = settings.method == "fast" and not tta

        def refine_one(images: Tensor, trimaps: Tensor) -> Tensor:
            before, after = self._refine_one(images, trimaps, settings, steps, start, keep=keep)
            initial.append(before)
            refined.append(after)
            steps.reach(len(refined) * (settings.iterations + 1))
            return after.output

        tensors = self._tensors(image, trimap)
        spread = None
        if tta:
            output, spread = augmented_matte(*tensors, tta, refine_one, 1)
            unrefined = iter(initial)
            first, _ = augmented_matte(*tensors, tta, lambda *_: next(unrefined), 1)
        else:
            output = refine_one(*tensors)
            first = initial[0]
        evaluations = sum(one.evaluations + 1 for one in refined)
        violation, mean = _violation(first, trimap)
        report = self._report(
            settings.method,
            start,
            trimap,
            tta=tta,
            evaluations=evaluations,
            refined=refined,
            settings=settings,
            violation=mean,
        )
        return MatteResult(_finish(output, trimap), _finish(first, trimap), report, _spread(spread, trimap), violation)

    def _refine_one(
        self, images: Tensor, trimaps: Tensor, settings: Refinement, steps: Steps, began: float, *, keep: bool
    ) -> tuple[Tensor, Refined]:
        """Return the matte (1, 1, H, W) of one image before, and after its refinement; keep what corrections need."""
        network = self._open_network()
        trimap = Trimap(trimaps[0, 0].cpu().numpy())
        fast = settings.method == "fast"
        # The paper's large steps amplify rounding. In the plain memory layout it stays near that of double precision
        # (2e-4 after five steps; channels-last 2e-3), and the backward pass is no slower.
        layout = torch.channels_last if fast else torch.contiguous_format
        own = network if fast else lay_out(deepcopy(network), self.device, layout)
        with torch.no_grad(), self._precision(), watched(network, steps, count=False):
            inputs = network_input(images, trimaps, network.size.guidance)
            features = [feature.contiguous(memory_format=layout) for feature in network.encode(inputs)]
            inputs = inputs.contiguous(memory_format=layout)
            initial = own.decode(inputs, features)
        steps.advance(message="refining")
        if fast:
            background, foreground = trimap.boundaries(settings.boundary)
            with torch.no_grad(), self._precision():
                prepared = PreparedDecoder(network, inputs, features, settings.gates)
                prepared.want(trimap.unknown | background | foreground)
        boxes = prepared.boxes if fast else None
        cost = RefinementCost(trimap, initial, settings.boundary, settings.fidelity_weight, boxes)

        def decode(tensors: dict[int, tuple[Tensor, Tensor]]) -> Sequence[Tensor]:
            with self._precision():
                return prepared(tensors) if fast else [own.decode(inputs, features, tensors)]

        shapes = network.refinement_shapes()
        with watched(own, steps, count=False):
            refined = descend(decode, shapes, cost, initial, settings, steps, began)
        if keep:

            def aim(wanted: NDArray[np.bool_]) -> Sequence[Box]:
                with torch.no_grad(), self._precision():
                    prepared.want(wanted)
                return prepared.boxes

            self._live = LiveCorrection(decode, aim, shapes, initial, trimap, refined)
        return initial, refined

    def correct(
        self,
        edited_trimap: Any,
        refinement: Refinement | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> MatteResult:
        """Return the matte after an edit of the trimap, from where the last refinement or correction left off.

        The image is not encoded again: strokes enter the cost instead. Every pixel whose value differs from the encoded
        trimap's counts in C1, known ones may be contradicted or made unknown, and A and B start from their last values.
        :meth:`recode` makes a full pass when there is time for it.

        Parameters
        ----------
        edited_trimap : Trimap or array (H, W)
            The trimap as it is now, whole.
        refinement : Refinement, optional
            How to refine, "fast" only; by default at most 15 passes of the decoder.
        progress, cancel
            As in :meth:`predict`.

        Raises
        ------
        InputError
            If nothing was refined before by the fast method, or the size differs.
        TrimapError
            If it is not a trimap, or has no known foreground or no known background.
        Cancelled
            If the work was stopped; the correction before it stays.
        """
        start = time.perf_counter()
        live = self._live_correction()
        settings = refinement or Refinement()
        if settings.method != "fast":
            raise InputError(f"Got refinement method {settings.method!r} for a correction, expected 'fast'; choose it.")
        edited = as_trimap(edited_trimap)
        if not edited.unknown.any():
            return self._known_result(edited, start)
        edited.require_known()
        steps = Steps("correcting", settings.iterations, progress, cancel)
        refined = live.correct(edited, settings, steps, start)
        steps.finish()
        return self._corrected(refined, live, settings, start)

    def undo(self) -> MatteResult:
        """Return the matte as it was before the last correction, and go on from there.

        Raises
        ------
        InputError
            If there is no correction to undo.
        """
        start = time.perf_counter()
        live = self._live_correction()
        return self._corrected(live.undo(), live, Refinement(), start)

    def recode(
        self,
        refinement: Refinement | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> MatteResult:
        """Return the matte after a full pass with the trimap as it was edited last: encoded anew and refined.

        Raises
        ------
        InputError, TrimapError, Cancelled
            As in :meth:`refine`.
        """
        self._trimap = self._live_correction().trimap
        return self.refine(refinement, progress=progress, cancel=cancel)

    def _live_correction(self) -> LiveCorrection:
        self._open_network()
        if self._live is None:
            raise InputError("Got nothing refined yet, expected a matte to correct; call refine() first.")
        return self._live

    def _corrected(self, refined: Refined, live: LiveCorrection, settings: Refinement, start: float) -> MatteResult:
        violation, mean = _violation(live.initial, live.trimap)
        report = self._report(
            "correction",
            start,
            live.trimap,
            evaluations=refined.evaluations,
            refined=[refined],
            settings=settings,
            violation=mean,
        )
        alpha, initial = _finish(refined.output, live.trimap), _finish(live.initial, live.trimap)
        return MatteResult(alpha, initial, report, None, violation)

    def close(self) -> None:
        """Let go of the network, the image and the trimap; the memory is free afterwards."""
        self._network = self._image = self._trimap = self._live = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def __enter__(self) -> Matter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _open_network(self) -> LSANet:
        if self._network is None:
            raise InputError("Got a Matter that was closed, expected an open one; make a new Matter.")
        return self._network

    def _pair(self) -> tuple[NDArray[np.float32], Trimap]:
        return check_pair(self._image, self._trimap)

    def _tensors(self, image: NDArray[np.float32], trimap: Trimap) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(self.device)
        values = torch.from_numpy(trimap.values.copy())[None, None].to(self.device)
        return pixels.contiguous(), values

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def _forward(self, images: Tensor, trimaps: Tensor) -> Tensor:
        network = self._open_network()
        with self._precision():
            inputs = network_input(images, trimaps, network.size.guidance)
            rows = max(16, _STRIP_PIXELS // (images.shape[0] * images.shape[-1]))
            return network.decode(inputs, network.encode(inputs), rows=rows)

    def _known_result(self, trimap: Trimap, start: float) -> MatteResult:
        alpha, note = known_matte(trimap)
        return MatteResult(alpha, alpha, self._report("known", start, trimap, notes=(note,)))

    def _report(
        self,
        method: str,
        start: float,
        trimap: Trimap,
        *,
        tta: int = 0,
        evaluations: int = 0,
        refined: Sequence[Refined] = (),
        settings: Refinement | None = None,
        violation: float | None = None,
        notes: tuple[str, ...] = (),
    ) -> Report:
        costs: dict[str, Any] = {}
        if settings is not None:
            before, after = (np.mean([getattr(one, when) for one in refined], 0) for when in ("before", "after"))
            costs = {
                "iterations": max(one.evaluations for one in refined),
                "boundary": settings.boundary,
                **dict(zip(_COSTS_BEFORE, map(float, before), strict=True)),
                **dict(zip(_COSTS_AFTER, map(float, after), strict=True)),
            }
        return Report(
            weights=self.weights,
            weights_sha256=self.weights_sha256,
            size=self.size,
            device=str(self.device),
            dtype=str(self.dtype).removeprefix("torch."),
            method=method,
            tta=tta,
            image_shape=trimap.shape,
            seconds=time.perf_counter() - start,
            evaluations=evaluations,
            violation=violation,
            peak_memory_bytes=peak_memory(self.device),
            versions=versions("torch"),
            notes=notes,
            **costs,
        )


def matte(
    image: Any,
    trimap: Any,
    *,
    method: str = "network",
    weights: str | Path | Matter = "lsa-lite",
    refinement: Refinement | None = None,
    tta: int = 0,
    device: str = "auto",
    dtype: str = "auto",
    data_range: tuple[float, float] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> MatteResult:
    """Return the matte of one image in one call.

    Parameters
    ----------
    image : (H, W, 3) or (H, W) array
        As in :meth:`Matter.set_image`.
    trimap : (H, W) array or Trimap
        As in :meth:`Matter.set_trimap`.
    method : str
        "network", or a classical method to compare with: "closed-form", "knn", "lbdm", "lkm", "random-walk" or
        "shared" (:data:`~lsa_engine.inference.classical.CLASSICAL_METHODS`), which takes none of the next five.
    weights, device, dtype
        As in :class:`Matter`; or, as `weights`, a Matter that is there already, to use for many images and keep open.
    refinement : Refinement, optional
        Refine the matte by backpropagation (§4.3); None leaves it as the network gives it.
    tta : {0, 8, 24}
        Test-time augmentation, with a refinement that of every copy.
    data_range : (float, float), optional
        Values that mean black and white.
    progress, cancel
        As in :meth:`Matter.predict`.

    Raises
    ------
    InputError, TrimapError, WeightsError, Cancelled
        As in :class:`Matter` and :meth:`Matter.predict`.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> trimap = np.zeros((8, 8), np.uint8)
    >>> trimap[:4] = 255
    >>> float(matte(image, trimap).alpha[0, 0])
    1.0
    """
    if method != "network":
        if refinement is not None or tta:
            raise InputError(
                f"Got method {method!r} with a refinement or test-time augmentation, which only the network has; "
                "drop them."
            )
        return classical_matte(image, trimap, method, data_range=data_range, progress=progress, cancel=cancel)
    own = nullcontext(weights) if isinstance(weights, Matter) else Matter(weights, device=device, dtype=dtype)
    with own as matter:
        matter.set_image(image, data_range=data_range)
        matter.set_trimap(trimap)
        if refinement is not None:
            return matter.refine(refinement, tta=tta, progress=progress, cancel=cancel)
        return matter.predict(tta=tta, progress=progress, cancel=cancel)


def _check_tta(tta: int) -> None:
    if tta not in (0, *SCALES):
        raise InputError(f"Got test-time augmentation {tta}, expected 0, 8 or 24; choose one of these.")


def _begun(message: str, network: LSANet) -> str:
    """Return what is being done, and that its input's loops are compiled before, where they are."""
    if network.size.guidance == "none" or is_compiled():
        return message
    return f"{message} (compiling on first use)"


def _finish(output: Tensor, trimap: Trimap) -> NDArray[np.float32]:
    """Return an output (1, 1, H, W) clamped to [0, 1], with the known pixels as the trimap has them."""
    alpha = output[0, 0].float().clamp(0, 1).cpu().numpy().copy()
    alpha[trimap.foreground] = 1
    alpha[trimap.background] = 0
    return alpha


def _violation(output: Tensor, trimap: Trimap) -> tuple[NDArray[np.float32], float]:
    """Return how far an output (1, 1, H, W) is from 0 and 1 on the borders of the known regions, and the mean there."""
    raw = output[0, 0].float().clamp(0, 1).cpu().numpy()
    background, foreground = trimap.boundaries("paper")
    violation = np.zeros_like(raw)
    violation[background] = raw[background]
    violation[foreground] = 1 - raw[foreground]
    borders = background | foreground
    return violation, float(violation[borders].mean()) if borders.any() else 0.0


def _spread(spread: Tensor | None, trimap: Trimap) -> NDArray[np.float32] | None:
    """Return a spread (1, 1, H, W) as an array, 0 where the trimap is known."""
    if spread is None:
        return None
    return np.where(trimap.unknown, spread[0, 0].float().cpu().numpy(), np.float32(0))
