"""The work on a folder of images: one is read, one is computed and one is written at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.devices import lack_of_memory
from lsa_engine.errors import Cancelled, DataError, LsaError
from lsa_engine.image_io import read_colours, read_trimap
from lsa_engine.image_io.record import Record
from lsa_engine.image_io.writing import Bits
from lsa_engine.inference.files import ResultFiles, cut_out, write_result
from lsa_engine.inference.results import MatteResult
from lsa_engine.progress import CancelToken, Progress, ProgressCallback, Steps
from lsa_engine.trimap import Trimap

DONE, KEPT, BEGUN = "done", "kept", "begun"
"""Status of a matte that was made, that an earlier run made, and that is being written."""

_PARTS = 100
"""Steps of progress for one image."""

_Pixels = tuple[NDArray[np.float32], Trimap]


@dataclass(frozen=True)
class MattePair:
    """A photograph and its trimap, as files.

    Attributes
    ----------
    image : Path
        8 or 16 bits, or float; gray or RGB.
    trimap : Path or None
        Of the same size; None where there is none, which makes this image fail.
    """

    image: Path
    trimap: Path | None


@dataclass(frozen=True)
class MattedFile:
    """What became of one image: a line of the record.

    Attributes
    ----------
    name : str
        Name of the matte's file.
    image : str
        Name of the image's file.
    height, width, unknown : int or None
        Size, and number of pixels that the trimap leaves unknown; None for an image that failed.
    seconds : float or None
        Wall time of the matte alone.
    method : str
        "network" or a classical method.
    weights, weights_sha256 : str
        Name and hash of the network's weights; empty for a classical method.
    settings : str
        Everything else that the result depends on.
    cutout, report : str
        Files beside the matte, which need not be there where it failed; empty if none was asked for.
    source : str
        Sizes and times of the files that it was made from.
    notes : str
        Sentences that a user should read.
    status : str
        "done", "kept" from an earlier run, or the sentence that says why it failed; in the file also "begun", which a
        run that was killed leaves.
    """

    name: str
    image: str
    height: int | None
    width: int | None
    unknown: int | None
    seconds: float | None
    method: str
    weights: str
    weights_sha256: str
    settings: str
    cutout: str
    report: str
    source: str
    notes: str
    status: str

    @property
    def failed(self) -> bool:
        """Whether there is no matte of this image, and `status` says why."""
        return self.status not in (DONE, KEPT)

    @property
    def kept(self) -> bool:
        """Whether an earlier run made it."""
        return self.status == KEPT

    def covers(self, work: MattedFile) -> bool:
        """Whether this was made of the same files with the same settings, and all that `work` asks for."""
        return all(getattr(self, name) == getattr(work, name) for name in _WORK) and (
            work.cutout in ("", self.cutout) and work.report in ("", self.report)
        )


_WORK = ("name", "image", "method", "weights_sha256", "settings", "source")


@dataclass(frozen=True)
class Job:
    """An image to do: its files, where the result goes, and its line when all goes well."""

    pair: MattePair
    files: ResultFiles
    line: MattedFile


@dataclass(frozen=True)
class Settings:
    """How files are read and written, as in :func:`~lsa_engine.inference.folders.matte_files`."""

    bits: Bits
    data_range: tuple[float, float] | None
    ignore_alpha: bool


@dataclass(frozen=True)
class _Made:
    trimap: Trimap
    result: MatteResult
    rgba: NDArray[Any] | None


class Run:
    """The jobs of one call, worked off by three threads: one reads, this one computes, one writes.

    Parameters
    ----------
    jobs : sequence of Job
        What there is to do.
    record : Record
        What earlier runs did; every image is noted in it.
    run : callable
        From image (H, W, 3) and trimap, `progress` and `cancel` to a :class:`MatteResult`.
    settings : Settings
        How files are read and written.
    each : callable
        Told of every image.
    progress, cancel : optional
        Told of the work within every image, too.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        record: Record[MattedFile],
        run: Callable[..., MatteResult],
        settings: Settings,
        each: Callable[[MattedFile], None],
        progress: ProgressCallback | None,
        cancel: CancelToken | None,
    ) -> None:
        self._jobs = jobs
        self._record = record
        self._matte = run
        self._settings = settings
        self._each = each
        self._cancel = cancel
        self._finished: dict[str, MattedFile] = {}
        self._waiting: list[Job] = []
        for job in jobs:
            done = _kept(job, record)
            if done is None:
                self._waiting.append(job)
            else:
                self._tell(done)
        self._reached = 0
        self._steps = Steps("matting", _PARTS * len(self._waiting), progress, cancel)

    def finish(self) -> list[MattedFile]:
        """Do what waits, and return all lines in the order of the jobs."""
        if not self._waiting:
            self._steps.finish()
        with ThreadPoolExecutor(1, "reading") as reader, ThreadPoolExecutor(1, "writing") as writer:
            writing: tuple[Job, Future[MattedFile]] | None = None
            coming = [reader.submit(self._read, job) for job in self._waiting[:1]]
            for job, following in zip_longest(self._waiting, self._waiting[1:]):
                arrived = coming.pop()
                if following is not None:
                    coming.append(reader.submit(self._read, following))
                outcome = self._attempt(job, partial(self._compute, job, arrived))
                self._reach(_PARTS, f"{job.pair.image.name} done")
                self._reached = 0
                # Not before here: the last image was being written while this one was computed.
                self._settle(writing)
                writing = None
                if isinstance(outcome, MattedFile):
                    self._tell(outcome)
                else:
                    writing = job, writer.submit(self._write, job, outcome)
            self._settle(writing)
        return [self._finished[job.line.name] for job in self._jobs]

    def _attempt(self, job: Job, work: Callable[[], Any]) -> Any:
        """Return what `work` returns, or where this image cannot be done, the line that says why."""
        try:
            return work()
        except Cancelled:
            raise
        except LsaError as error:
            sentence = str(error)
        except (MemoryError, RuntimeError) as error:
            reason = lack_of_memory(error)
            if reason is None:
                raise
            sentence = (
                f"There is not enough memory for this image ({reason}): close other programs, or make it smaller."
            )
        line = replace(job.line, status=sentence)
        self._record.add(line)
        return line

    def _read(self, job: Job) -> _Pixels:
        if job.pair.trimap is None:
            raise DataError(
                f"There is no trimap with the name of {job.pair.image.name}, but every image needs one: "
                "add it, or take the image out."
            )
        settings = self._settings
        image = read_colours(job.pair.image, data_range=settings.data_range, ignore_alpha=settings.ignore_alpha)
        return image, read_trimap(job.pair.trimap)

    def _compute(self, job: Job, arrived: Future[_Pixels]) -> _Made:
        image, trimap = arrived.result()

        def watch(step: Progress) -> None:
            self._reach(int(step.fraction * (_PARTS - 1)), f"{job.pair.image.name}, {step.message}")

        result = self._matte(image, trimap, progress=watch, cancel=self._cancel)
        self._steps.check()  # a refinement that was stopped returns what it has; files are whole or not there
        rgba = None
        if job.files.cutout is not None:
            rgba = cut_out(image, result.alpha, progress=watch, cancel=self._cancel)
        return _Made(trimap, result, rgba)

    def _reach(self, part: int, message: str) -> None:
        """Report so much of the image in hand; its second operation begins anew, but progress does not go back."""
        part = max(part, self._reached)
        self._steps.advance(part - self._reached, message)
        self._reached = part

    def _write(self, job: Job, made: _Made) -> MattedFile:
        report = made.result.report
        line = replace(
            job.line,
            height=report.image_shape[0],
            width=report.image_shape[1],
            unknown=int(made.trimap.unknown.sum()),
            seconds=report.seconds,
            notes=" ".join(report.notes),
        )
        # Killed between these two lines, the next run knows the files for its own, and does them again.
        self._record.add(replace(line, status=BEGUN))
        write_result(job.files, made.result, made.rgba, bits=self._settings.bits)
        self._record.add(line)
        return line

    def _settle(self, writing: tuple[Job, Future[MattedFile]] | None) -> None:
        if writing is not None:
            job, future = writing
            self._tell(self._attempt(job, future.result))

    def _tell(self, line: MattedFile) -> None:
        self._finished[line.name] = line
        self._each(line)


def _kept(job: Job, record: Record[MattedFile]) -> MattedFile | None:
    """Return the line of an earlier run that made just this; None if it is to be done."""
    line = record.lines.get(job.line.name)
    if line is None or line.status != DONE or not line.covers(job.line):
        return None
    return replace(line, status=KEPT) if all(path.exists() for path in job.files.paths()) else None
