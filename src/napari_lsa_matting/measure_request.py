"""Measurements in a worker: what a run needs, what it does, and the files that its table is written to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.versions import versions
from napari_lsa_matting.layers import METADATA_KEY, fingerprint
from napari_lsa_matting.matte_request import ImageChangedError

if TYPE_CHECKING:
    from lsa_engine.measure import Measurement
    from napari_lsa_matting.measure_pixels import ImagePixels, Pixels
    from napari_lsa_matting.measurement import Series

Columns = dict[str, list[int | float | str]]


@dataclass(frozen=True, eq=False)
class Part:
    """What is measured together: the mattes of one frame, or of what is seen.

    Attributes
    ----------
    alphas : tuple of Pixels
        (H, W) or (Z, H, W) each: floats in [0, 1] or unsigned integers. One for each object.
    image : ImagePixels or None
        Whose intensities to measure.
    labels : Pixels or None
        Of the shape of the alpha, which then is the only one.
    frame : int or None
        Which frame it is, if it is one of a series.
    """

    alphas: tuple[Pixels, ...]
    image: ImagePixels | None = None
    labels: Pixels | None = None
    frame: int | None = None


@dataclass(frozen=True, eq=False)
class MeasureOutcome:
    """What was measured.

    Attributes
    ----------
    measurements : list of Measurement
        One an object, frame by frame.
    leading : dict of str to list
        What stands before them in the table: the frames of a series, with their times or places.
    columns : dict of str to list
        Both as a table, as of :func:`lsa_engine.measure.to_columns`.
    origins : list of (int, int)
        For each measurement, the numbers of its part and of its alpha.
    outside : float or None
        Share of the opacity that lies outside of all labels; None without labels.
    left_out : tuple of int
        Frames without labels.
    inputs : dict of str to str
        SHA-256 of what was measured, by :meth:`MeasureRequest.key`, as "alpha_sha256".
    versions : dict of str to str
        What it was made with.
    """

    measurements: list[Measurement]
    leading: Columns
    columns: Columns
    origins: list[tuple[int, int]]
    outside: float | None
    left_out: tuple[int, ...]
    inputs: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class MeasureRequest:
    """Measure a matte, every labelled object in it, or several mattes; once, or in every frame of a series.

    Attributes
    ----------
    parts : tuple of Part
        One, or one for each frame.
    spacing : tuple of float
        Size of a pixel along each axis.
    unit : str
        Its unit.
    names : tuple of str
        Names of the objects, one for each alpha; empty for one matte without a name.
    series : Series or None
        What the frames lie along.
    """

    parts: tuple[Part, ...]
    spacing: tuple[float, ...]
    unit: str
    names: tuple[str, ...] = ()
    series: Series | None = None

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """The names of the image's channels, None without an image."""
        image = self.parts[0].image
        return None if image is None else image.names

    @cached_property
    def constant(self) -> frozenset[str]:
        """Which of "image" and "labels" are the same in all frames."""
        found = set()
        for what in ("image", "labels"):
            each = [getattr(part, what) for part in self.parts]
            if all(pixels is not None and pixels.index == each[0].index for pixels in each):
                found.add(what)
        return frozenset(found)

    def key(self, what: str, part: Part, number: int = 0) -> str:
        """Return the name that an array has in code.

        Parameters
        ----------
        what : {"alpha", "image", "labels"}
            Which array.
        part : Part
            Of what.
        number : int
            Which of its alphas.

        Returns
        -------
        str
            "alpha", "alpha_2" of the third object, "alpha_2_5" of it in frame 5; "image", "image_5", …
        """
        object_number = f"_{number}" if self.names and what == "alpha" else ""
        return what + object_number + ("" if part.frame is None or what in self.constant else f"_{part.frame}")

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MeasureOutcome:
        """Return the measurements.

        Raises
        ------
        ImageChangedError
            If an alpha or the image was drawn on meanwhile.
        InputError
            If no frame has labels.
        LsaError
            As :func:`lsa_engine.measure_matte`.
        """
        work = _Work(self, progress, cancel)
        for number, part in enumerate(self.parts):
            work.measure(number, part)
        return work.outcome()


class _Work:
    """One run: what was read and found so far."""

    def __init__(self, request: MeasureRequest, progress: ProgressCallback, cancel: CancelToken) -> None:
        self._request = request
        self._alone = len(request.parts) == 1 and len(request.parts[0].alphas) == 1
        self._progress, self._cancel = progress, cancel
        message, total = (
            ("reading", 2) if self._alone else ("measuring", len(request.parts) * max(1, len(request.names)))
        )
        self._steps = Steps(message, total, progress, cancel)
        self._measurements: list[Measurement] = []
        self._origins: list[tuple[int, int]] = []
        self._left_out: list[int] = []
        self._inputs: dict[str, str] = {}
        self._layers: dict[str, tuple[str, Pixels]] = {}
        self._outside = self._total = 0.0

    def measure(self, number: int, part: Part) -> None:
        """Measure what belongs together; one matte after the other, for there may be too many for the memory."""
        from lsa_engine.measure import measure_matte

        request = self._request
        # A copy, which further painting does not change; made here, because large ones take long.
        labels = None if part.labels is None else np.array(part.labels.read())
        if labels is not None and part.frame is not None and not labels.any():
            self._left_out.append(part.frame)
            self._steps.advance()
            return
        image = None if part.image is None else part.image.read()
        if labels is not None:
            self._note(request.key("labels", part), labels)
        if part.image is not None and image is not None:
            self._note(request.key("image", part), image, ("image", part.image))
        for place, pixels in enumerate(part.alphas):
            alpha = pixels.read()
            if self._alone:
                self._steps.advance()
            self._note(request.key("alpha", part, place), alpha, ("alpha", pixels))
            self._steps.advance()
            found = measure_matte(
                {request.names[place]: alpha} if request.names else alpha,
                image,
                labels=labels,
                spacing=request.spacing,
                unit=request.unit,
                channel_names=request.channel_names,
                progress=self._progress if self._alone else None,
                cancel=self._cancel,
            )
            self._measurements += found
            self._origins += [(number, place)] * len(found)
            if labels is not None:
                self._total += float(alpha.sum(dtype=np.float64))
                self._outside += float(alpha[labels == 0].sum(dtype=np.float64))

    def outcome(self) -> MeasureOutcome:
        """Return what was found."""
        from lsa_engine.measure import to_columns

        request = self._request
        if not self._measurements:
            raise InputError("No frame of the range has labels: label objects first, or choose none.")
        self._refuse_changed()
        frames = [request.parts[number].frame or 0 for number, _ in self._origins]
        leading: Columns = {} if request.series is None else request.series.columns(frames)
        outside = self._outside / self._total if self._total else 0.0
        return MeasureOutcome(
            measurements=self._measurements,
            leading=leading,
            columns=to_columns(self._measurements, leading),
            origins=self._origins,
            outside=None if request.parts[0].labels is None else outside,
            left_out=tuple(self._left_out),
            inputs=self._inputs,
            versions=versions("scikit-image", "scipy"),
        )

    def _note(self, key: str, array: NDArray[Any], layer: tuple[str, Pixels] | None = None) -> None:
        """Note what an array holds, and of what it is, unless it is a copy."""
        self._inputs[f"{key}_sha256"] = fingerprint(array)
        if layer is not None and isinstance(layer[1].data, np.ndarray):
            self._layers[key] = layer

    def _refuse_changed(self) -> None:
        """Refuse measurements of what was drawn on meanwhile, also after its turn."""
        steps = Steps("comparing", max(1, len(self._layers)), None, self._cancel)
        for key, (what, pixels) in self._layers.items():
            if fingerprint(pixels.read()) != self._inputs[f"{key}_sha256"]:
                raise ImageChangedError(
                    f"The pixels of the {what} were changed while they were measured, so the measurements were "
                    "dropped: run once more."
                )
            steps.advance()


@dataclass(frozen=True, eq=False)
class CsvRequest:
    """Write measurements into a file, and how they were made into another beside it, named NAME.csv.json.

    Attributes
    ----------
    outcome : MeasureOutcome
        The rows.
    path : Path
        Ends in .csv.
    facts : mapping
        How they were made, as plain values.
    """

    outcome: MeasureOutcome
    path: Path
    facts: Mapping[str, Any]

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Path:
        """Write both files, or none, and return the table's path.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.measure.write_csv`.
        """
        steps = Steps("writing the table", 1, progress, cancel)
        from lsa_engine.image_io import atomic_path
        from lsa_engine.measure import write_csv

        # A line of comments in the table itself would be data to most spreadsheets.
        with atomic_path(f"{self.path}.json") as beside:
            write_csv(self.outcome.measurements, self.path, self.outcome.leading)
            # By the hash it can be told whether the table is still the one that was written.
            table = {"table": self.path.name, "table_sha256": sha256(self.path.read_bytes()).hexdigest()}
            record = {METADATA_KEY: {**self.facts, **table}}
            beside.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        steps.finish()
        return self.path
