"""The :class:`Matter`: give it an image and a trimap, ask it for mattes as often as you like."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lsa_engine.devices import begin_peak_memory, choose_device, choose_dtype, release_memory
from lsa_engine.errors import InputError
from lsa_engine.inference.answering import answer, answer_corrected, answer_known
from lsa_engine.inference.augmentation import SCALES, checked_copies
from lsa_engine.inference.correction import LiveCorrection
from lsa_engine.inference.descent import Refined
from lsa_engine.inference.loading import load_network
from lsa_engine.inference.memory import Way, or_too_little_memory, place
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.pairs import check_pair
from lsa_engine.inference.refinement import Refinement, checked_refinement
from lsa_engine.inference.reporting import Reporter
from lsa_engine.inference.results import MatteResult
from lsa_engine.inference.sinks import Sink
from lsa_engine.inference.sources import ImageSource
from lsa_engine.inference.task import Task, begun
from lsa_engine.inference.tiled_matte import predict_tiled, predict_tiled_copies, refine_tiled
from lsa_engine.inference.tiling import Tiles, checked_tiles
from lsa_engine.inference.whole import Runner, predict_whole, refine_whole
from lsa_engine.network import LSANet
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import Trimap, as_trimap

_CORRECTION_SECONDS = 0.9  # after which no further pass of a correction begins
_ROOM = 0.25e9
"""Bytes of decoders that are kept from pass to pass, for each gigabyte of the memory limit."""


class Matter:
    """A network with one image and one trimap in hand.

    Several can live side by side, each in a thread of its own; one of them serves one thread at a time.

    Parameters
    ----------
    weights : str or Path
        Name of installed weights (:func:`lsa_engine.available_weights`) or a weights file.
    device : {"auto", "cpu", "cuda", "mps"} or torch.device
        Where to compute.
    dtype : {"auto", "float32", "bfloat16", "float16"}
        Precision of encoder and decoder; "auto" is bfloat16 where the device is far faster at it. The head always runs
        in float32, and so does everything that refines when float16 was chosen: its gradients would vanish.
    tiles : {"auto", "off"} or int
        "auto" computes an image at once as long as that takes no more than `memory_limit`, and larger ones in tiles;
        "off" never makes tiles, a number makes tiles of so many pixels, 128 or more. In tiles, the network's gates are
        those of a reduced pass over the whole image; the report says so. A refinement of augmented copies and the
        paper's always take the whole image; the report says so where that is beyond the limit.
    memory_limit : float
        Gigabytes (10⁹ bytes) that a computation may take beside the image and the results.

    Raises
    ------
    WeightsError
        If the weights are unknown, damaged, or do not fit their network.
    InputError
        If device or dtype are unknown, or not to be had, or tiles or limit make no sense.
    NotEnoughMemory
        If the network does not fit into memory.

    Examples
    --------
    >>> matter = Matter("lsa-lite")  # doctest: +SKIP
    >>> matter.set_image(image)  # doctest: +SKIP
    >>> matter.set_trimap(trimap)  # doctest: +SKIP
    >>> alpha = matter.predict().alpha  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: str | Path = "lsa-lite",
        *,
        device: str | torch.device = "auto",
        dtype: str = "auto",
        tiles: Tiles = "auto",
        memory_limit: float = 4.0,
    ) -> None:
        checked_tiles(tiles, memory_limit)
        self.tiles, self.memory_limit = tiles, memory_limit
        self.device = choose_device(device)
        self._dtype_name = dtype
        self.dtype = choose_dtype(dtype, self.device)
        network, loaded = or_too_little_memory(lambda: load_network(weights), "for the weights", "close other programs")
        self._network: LSANet | None = place(network, self.device)
        self.weights = loaded.metadata.get("name") or loaded.path.stem
        self.weights_sha256 = loaded.sha256
        self.size = loaded.metadata["size"]
        self._image: ImageSource | None = None
        self._trimap: Trimap | None = None
        self._live: LiveCorrection | None = None
        self._live_way: Way | None = None

    def to(self, device: str | torch.device) -> Matter:
        """Move the network to another device, and return this Matter.

        Image and trimap stay; what corrections went on from does not. With dtype "auto" the precision is chosen anew.

        Raises
        ------
        InputError
            If the device is unknown, or not to be had; everything is then as it was.
        NotEnoughMemory
            If the network does not fit there; everything is then as it was.
        """
        network = self._runner().network
        target = choose_device(device)
        dtype = choose_dtype(self._dtype_name, target)
        place(network, target)
        self.device, self.dtype = target, dtype
        self._live = None
        return self

    def set_image(self, image: Any, *, data_range: tuple[float, float] | None = None) -> None:
        """Take an image.

        Parameters
        ----------
        image : (H, W, 3) or (H, W) array
            Integers are scaled by their type's range; floats lie in [0, 1] unless `data_range` is given. Memory maps,
            zarr and dask arrays are not loaded: what is needed is read when it is needed, and checked then.
        data_range : (float, float), optional
            Values that mean black and white.

        Raises
        ------
        InputError
            If it is not an image.
        """
        self._image = ImageSource(image, data_range)
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
        self,
        *,
        tta: int = 0,
        out: Any = None,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> MatteResult:
        """Return the network's matte, of the trimap that was set; corrections and what can be undone stay.

        Parameters
        ----------
        tta : {0, 8, 24}
            Test-time augmentation: mean over this many turned, mirrored and (24) scaled copies (§5.1).
        out : array or path, optional
            Where the matte is written, tile by tile where there are tiles: an array (H, W) of floats or unsigned
            integers (NumPy, memory map, zarr), or a .tif file of float32, which the result then maps.
        progress : callable, optional
            Told how far the work has come.
        cancel : CancelToken, optional
            Stops the work.

        Raises
        ------
        InputError, FileError
            If image or trimap are missing, differ in size, or cannot be read, `tta` is another number, or `out` does
            not fit.
        TrimapError
            If the trimap has no known foreground or no known background.
        NotEnoughMemory
            If not even the smallest tiles fit into memory.
        Cancelled
            If the work was stopped.
        """
        tta = checked_copies(tta)
        start = time.perf_counter()

        def run(way: Way, task: Task) -> Outcome:
            if way.side is None:
                return predict_whole(way.runner, task, tta)
            if tta:
                return predict_tiled_copies(way.runner, task, tta, way.side)
            return predict_tiled(way.runner, task, way.side)

        reporter = self._reporter("none", start, tta)
        return self._compute(run, "matting", reporter, out, progress, cancel, self._trimap)[0]

    def refine(
        self,
        refinement: Refinement | None = None,
        *,
        tta: int = 0,
        out: Any = None,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> MatteResult:
        """Return the matte after backpropagating refinement (§4.3), from which corrections go on.

        Where it raises, the corrections before it stay.

        Parameters
        ----------
        refinement : Refinement, optional
            How to refine; the fast method by default.
        tta : {0, 8, 24}
            Test-time augmentation: every copy is refined by itself, and the mean is the result. The costs in the report
            are means, too.
        out, progress, cancel
            As in :meth:`predict`; a refined matte is written when the last pass is done.

        Raises
        ------
        InputError, FileError, TrimapError, NotEnoughMemory
            As in :meth:`predict`.
        Cancelled
            If the work was stopped before there was any matte; later, the best so far is returned and the report says
            so.
        """
        return self._refine(self._trimap, refinement, tta, out, progress, cancel)

    def correct(
        self,
        edited_trimap: Any,
        refinement: Refinement | None = None,
        *,
        same_edit: bool = False,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> MatteResult:
        """Return the matte after an edit of the trimap, from where the last refinement or correction left off.

        The image is not encoded again, in tiles no more than what is near: strokes enter the cost. Every pixel whose
        value differs from the encoded trimap's counts in C1, known ones may be contradicted or made unknown, and A and
        B start from four fifths of their last values. :meth:`recode` makes a full pass when there is time for it.

        Parameters
        ----------
        edited_trimap : Trimap or array (H, W)
            The trimap as it is now, whole.
        refinement : Refinement, optional
            How to refine, "fast" only; by default as many passes of the decoder, three to 15, as begin within 0.9 s.
            With a time budget of 0 none is made: what is known now is put in, and the next correction makes up for it.
        same_edit : bool
            Whether this goes on with the edit of the last correction: :meth:`undo` then takes both back at once.
        progress, cancel
            As in :meth:`predict`.

        Raises
        ------
        InputError
            If nothing was refined before by the fast method, or the size differs.
        TrimapError
            If it is not a trimap, or has no known foreground or no known background.
        NotEnoughMemory
            If it does not fit into memory; the correction before it stays.
        Cancelled
            If the work was stopped; the correction before it stays.
        """
        start = time.perf_counter()
        live = self._live_correction()
        settings = checked_refinement(refinement) or Refinement(time_budget=_CORRECTION_SECONDS)
        if settings.method != "fast":
            raise InputError(f"Got refinement method {settings.method!r} for a correction, expected 'fast'; choose it.")
        edited = as_trimap(edited_trimap)
        if edited.unknown.any():
            edited.require_known()
        begin_peak_memory(self.device)
        steps = Steps("correcting", settings.iterations, progress, cancel)
        refined = or_too_little_memory(
            lambda: live.correct(edited, settings, steps, same_edit),
            "for a correction",
            "call set_trimap with the edited trimap, then refine, which goes on in smaller parts",
        )
        return self._corrected(refined, live, settings, start)

    def undo(self, edits: int = 1) -> MatteResult:
        """Return the matte as it was before the last correction, or before so many, and go on from there.

        Raises
        ------
        InputError
            If there are not as many corrections to undo; none is then.
        """
        start = time.perf_counter()
        live = self._live_correction()
        return self._corrected(live.undo(edits), live, Refinement(), start)

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
            As in :meth:`refine`; the corrections then stay, and can be undone.
        """
        trimap = self._live_correction().trimap
        result = self._refine(trimap, refinement, 0, None, progress, cancel)
        self._trimap = trimap
        return result

    def _refine(
        self,
        trimap: Trimap | None,
        refinement: Refinement | None,
        tta: int,
        out: Any,
        progress: ProgressCallback | None,
        cancel: CancelToken | None,
    ) -> MatteResult:
        tta = checked_copies(tta)
        settings = checked_refinement(refinement) or Refinement()
        start = time.perf_counter()

        def run(way: Way, task: Task) -> Outcome:
            if way.side is None:
                return refine_whole(way.runner, task, tta, settings, start)
            return refine_tiled(way.runner, task, way.side, self.memory_limit * _ROOM, settings, start)

        whole = bool(tta) or settings.method == "paper"
        reporter = self._reporter(settings.method, start, tta, settings)
        answered = self._compute(run, "encoding", reporter, out, progress, cancel, trimap, whole=whole)
        result, self._live, self._live_way = answered
        return result

    def _live_correction(self) -> LiveCorrection:
        self._runner()
        if self._live is None:
            raise InputError(
                "Got nothing to correct, expected a refinement by method 'fast' without test-time augmentation before; "
                "call refine() first."
            )
        return self._live

    def _corrected(
        self, refined: Refined[Any], live: LiveCorrection, settings: Refinement, start: float
    ) -> MatteResult:
        if not live.trimap.unknown.any():
            return answer_known(self._runner(), live.trimap, self._reporter("known", start))
        way = self._live_way or Way(self._runner(), None)
        return answer_corrected(refined, live, way, self._reporter("correction", start, 0, settings))

    def close(self) -> None:
        """Let go of the network, the image and the trimap; the memory is free afterwards."""
        self._network = self._image = self._trimap = self._live = self._live_way = None
        release_memory()

    def __enter__(self) -> Matter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _runner(self) -> Runner:
        if self._network is None:
            raise InputError("Got a Matter that was closed, expected an open one; make a new Matter.")
        return Runner(self._network, self.device, self.dtype)

    def _compute(
        self,
        run: Callable[[Way, Task], Outcome],
        message: str,
        reporter: Reporter,
        out: Any,
        progress: ProgressCallback | None,
        cancel: CancelToken | None,
        trimap: Trimap | None,
        *,
        whole: bool = False,
    ) -> tuple[MatteResult, LiveCorrection | None, Way]:
        """Return what `run` computes of the pair in hand, at once if it must be `whole`, else as the memory allows."""
        runner = self._runner()
        image, trimap = check_pair(self._image, trimap)
        image.refuse_as_output(out)

        def run_into(way: Way, sink: Sink) -> Outcome:
            return run(way, Task(image, trimap, sink, begun(message, runner.network), progress, cancel))

        scale = max(SCALES.get(reporter.tta, (1.0,)))
        return answer(run_into, runner, trimap, reporter, out, self.tiles, self.memory_limit, whole=whole, scale=scale)

    def _reporter(self, method: str, start: float, tta: int = 0, settings: Refinement | None = None) -> Reporter:
        return Reporter((self.weights, self.weights_sha256, self.size), method, start, tta, settings)
