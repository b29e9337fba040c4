"""A run as a Python snippet that uses the engine alone, and the arrays that it loads."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import FileError, LsaError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.live_state import replayable
from napari_lsa_matting.matte_request import NETWORK, MatteOutcome
from napari_lsa_matting.object_request import ObjectsOutcome

if TYPE_CHECKING:
    from lsa_engine.inference.results import Report

Run = MatteOutcome | ObjectsOutcome


@dataclass(frozen=True)
class Sources:
    """Files that hold just what a run was given; None where no file does.

    Attributes
    ----------
    image, trimap : str or None
        Their paths.
    """

    image: str | None = None
    trimap: str | None = None

    @property
    def complete(self) -> bool:
        """Whether no array has to be saved."""
        return self.image is not None and self.trimap is not None


@dataclass(frozen=True, eq=False)
class FindSources:
    """Look whether the files that layers came from still hold what a run was given.

    Attributes
    ----------
    outcome : MatteOutcome or ObjectsOutcome
        The run.
    image_path, trimap_path : str or None
        Where the layers came from.
    """

    outcome: Run
    image_path: str | None
    trimap_path: str | None

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Sources:
        """Return the files that can be read by the snippet."""
        from lsa_engine.image_io import read_image, read_trimap

        Steps("reading the files again", 1, progress, cancel)

        def holds_image(path: str) -> bool:
            pixels = read_image(path)
            pixels = pixels[..., :3] if pixels.ndim == 3 else pixels
            given = self.outcome.image.colours()
            return pixels.dtype == given.dtype and np.array_equal(pixels, given)

        def holds_trimap(path: str) -> bool:
            return not self.outcome.strokes and np.array_equal(read_trimap(path).to_labels(), self.outcome.labels)

        return Sources(_if(self.image_path, holds_image), _if(self.trimap_path, holds_trimap))


def _if(path: str | None, holds: Any) -> str | None:
    try:
        return path if path is not None and holds(path) else None
    except LsaError:  # a format that only a reader of napari knows, or a file that has gone
        return None


@dataclass(frozen=True, eq=False)
class SaveArrays:
    """Save what no file holds beside the snippet.

    Attributes
    ----------
    outcome : MatteOutcome or ObjectsOutcome
        The run.
    sources : Sources
        What files hold already.
    path : Path
        The file to write, which ends in .npz.
    """

    outcome: Run
    sources: Sources
    path: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> str:
        """Write the file, whole or not at all, and return the snippet.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        from lsa_engine.image_io import atomic_path

        strokes = self.outcome.strokes
        steps = Steps("saving the arrays", 2 + len(strokes), progress, cancel)
        try:
            with atomic_path(self.path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                if self.sources.image is None:
                    _put(archive, "image", self.outcome.image.colours())
                steps.advance()
                if self.sources.trimap is None and not strokes:
                    _put(archive, "labels", self.outcome.labels)
                # One after the other: hundreds of large trimaps would not fit into memory together.
                for number, stroke in enumerate(strokes):
                    _put(archive, f"labels_{number}", stroke.labels.unpack())
                    steps.advance()
        except OSError as error:
            raise FileError(f"{self.path} cannot be written ({error.strerror}): choose another folder.") from error
        steps.finish()
        return snippet(self.outcome, self.sources, self.path)


def _put(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def snippet(outcome: Run, sources: Sources, arrays: Path | None = None) -> str:
    """Return Python that gives the alpha of a run again.

    Parameters
    ----------
    outcome : MatteOutcome or ObjectsOutcome
        The run.
    sources : Sources
        Files to read.
    arrays : Path, optional
        What :class:`SaveArrays` has written; needed if the sources are not complete.
    """
    report = _report(outcome)
    readers = [name for name, path in (("read_image", sources.image), ("read_trimap", sources.trimap)) if path]
    made_with = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines = [f"# The matte of {outcome.image.name!r}, made with {made_with}."]
    if not sources.complete:
        lines.append("import numpy as np")
    lines += ["", "import lsa_engine as lsa"]
    if readers:
        lines.append(f"from lsa_engine.image_io import {', '.join(readers)}")
    if isinstance(outcome, ObjectsOutcome):
        lines.append("from lsa_engine.inference.objects import matte_objects")
    lines.append("")
    if not sources.complete:
        lines.append(f"arrays = np.load({str(arrays)!r})  # saved when this was copied: they came from no file")
    image = f"read_image({sources.image!r})" if sources.image else 'arrays["image"]'
    if sources.image:
        image += _without_alpha(outcome)
    lines.append(f"image = {image}")
    if isinstance(outcome, ObjectsOutcome):
        lines += _objects_matted(outcome)
        lines.append("alphas = {matte.label: matte.alpha for matte in mattes}  # float32 (H, W) in [0, 1]")
    else:
        lines += _corrected(outcome) if outcome.strokes else _matted(outcome, sources)
        lines.append("alpha = result.alpha  # float32 (H, W) in [0, 1]")
    return "\n".join(lines) + "\n"


def _without_alpha(outcome: Run) -> str:
    pixels = outcome.image.pixels
    return "[..., :3]" if pixels.ndim == 3 and pixels.shape[2] == 4 else ""


def _report(outcome: Run) -> Report:
    """Return what was done, of several objects to the first."""
    return next(iter(outcome.reports.values())) if isinstance(outcome, ObjectsOutcome) else outcome.result.report


def _matted(outcome: MatteOutcome, sources: Sources) -> list[str]:
    trimap = f"read_trimap({sources.trimap!r})" if sources.trimap else 'lsa.Trimap.from_labels(arrays["labels"])'
    settings = outcome.settings
    refinement = settings.refinement
    if refinement is not None and not settings.tta:
        # Where copies were averaged, each had as many passes as its time allowed.
        refinement = replayable(settings, outcome.result)
    options = _options(outcome, refinement)
    return [f"trimap = {trimap}", "", "result = lsa.matte(", "    image,", "    trimap,", *options, ")"]


def _objects_matted(outcome: ObjectsOutcome) -> list[str]:
    band = outcome.band
    arguments = {"inner": band.inner, "outer": band.outer, "spacing": band.spacing, "only": list(outcome.alphas)}
    rows = [f"    {name}={value!r}," for name, value in arguments.items()]
    options = _options(outcome, outcome.settings.refinement)
    return ["", "mattes = matte_objects(", "    image,", '    arrays["labels"],', *rows, *options, ")"]


def _options(outcome: Run, refinement: Mapping[str, Any] | None) -> list[str]:
    """Return the arguments that every matte takes, a line each."""
    settings, report = outcome.settings, _report(outcome)
    options: dict[str, str] = {}
    if settings.method != NETWORK:
        options["method"] = repr(settings.method)
    else:
        options["weights"] = repr(settings.weights)
        if refinement is not None:
            options["refinement"] = _call("lsa.Refinement", refinement)
        if settings.tta:
            options["tta"] = repr(settings.tta)
        options |= {"device": repr(report.device), "dtype": repr(report.dtype)}
    options |= _data_range(outcome)
    return [f"    {name}={value},{_hash(outcome, name)}" for name, value in options.items()]


def _corrected(outcome: MatteOutcome) -> list[str]:
    settings, report, strokes = outcome.settings, outcome.result.report, outcome.strokes
    data_range = "".join(f", {name}={value}" for name, value in _data_range(outcome).items())
    network = f"{settings.weights!r}, device={report.device!r}, dtype={report.dtype!r}"
    lines = [
        "",
        f"matter = lsa.Matter({network}){_hash(outcome, 'weights')}",
        f"matter.set_image(image{data_range})",
        'matter.set_trimap(lsa.Trimap.from_labels(arrays["labels_0"]))',
        f"result = matter.refine({_call('lsa.Refinement', strokes[0].refinement)})",
    ]
    if len(strokes) > 1:
        lines.append("refinements = [")
        lines += [f"    {_call('lsa.Refinement', stroke.refinement)}," for stroke in strokes[1:]]
        lines += [
            "]",
            "for number, refinement in enumerate(refinements, 1):  # the strokes, one after the other",
            '    edited = lsa.Trimap.from_labels(arrays[f"labels_{number}"])',
            "    result = matter.correct(edited, refinement)",
        ]
    return lines


def _data_range(outcome: Run) -> dict[str, str]:
    return {} if outcome.image.data_range is None else {"data_range": repr(outcome.image.data_range)}


def _hash(outcome: Run, name: str) -> str:
    return f"  # SHA-256 {_report(outcome).weights_sha256}" if name == "weights" else ""


def _call(name: str, arguments: Any) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
