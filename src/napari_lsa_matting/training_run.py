"""A training run as a process of its own: launch it, follow its events, whoever launched it, and tell if it is gone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lsa_engine.errors import FileError
from lsa_engine.training.runs import (
    CHECKPOINT_FILE,
    EVENTS_FILE,
    RECIPE_FILE,
    STOP_FILE,
    VALIDATION_FOLDER,
    WEIGHTS_FILE,
    read_events,
)

LOG_FILE = "train.log"

_OF_A_RUN = (CHECKPOINT_FILE, EVENTS_FILE, RECIPE_FILE, STOP_FILE, VALIDATION_FOLDER, WEIGHTS_FILE, LOG_FILE)
_LAST = ("finished", "stopped", "failed")


def launch(recipe: str, data: str | Path, output: str | Path, device: str, *, resume: bool) -> subprocess.Popen[bytes]:
    """Start ``lsa train`` in a process that goes on when this one ends.

    Parameters
    ----------
    recipe : str
        A built-in recipe's name, or a TOML file.
    data, output : str or Path
        The data folder, and the run's folder, which is made; what the process prints goes to ``train.log`` there.
    device : str
        "auto", "cpu", "cuda" or "mps".
    resume : bool
        Go on from the folder's checkpoint.

    Returns
    -------
    subprocess.Popen
        The process.

    Raises
    ------
    FileError
        If the folder cannot be made or written to.
    """
    folder = Path(output).resolve()
    command = [sys.executable, "-m", "lsa_engine", "train", str(recipe)]
    command += ["--output", str(folder), "--data", str(Path(data).resolve()), "--device", device]
    if resume:
        command.append("--resume")
    # A session (on Windows: process group) of its own, so that closing napari or its terminal does not end the run.
    on_windows = sys.platform == "win32"
    flags = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_FILE).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=not on_windows,
                creationflags=flags,
            )
    except OSError as error:
        raise FileError(
            f"The run cannot be started in {folder} ({error.strerror}): choose a folder that can be written to."
        ) from error


def has_events(folder: str | Path) -> bool:
    """Return whether a folder holds a run that can be followed."""
    return (Path(folder) / EVENTS_FILE).is_file()


def can_resume(folder: str | Path) -> bool:
    """Return whether a folder holds a run that can go on."""
    return (Path(folder) / CHECKPOINT_FILE).is_file()


@dataclass
class RunLog:
    """What is known of a run from its events; call :meth:`update` from time to time.

    Attributes
    ----------
    folder : Path
        The run's folder.
    steps : int
        Steps in all; 0 before the run says so.
    step : int
        The last step heard of.
    losses : list of (int, float)
        Step and loss.
    scores : list of (int, float)
        Step and SAD on the validation examples, the mean in thousands.
    state : str
        "waiting", "running", "finished", "stopped", "failed", or "interrupted" if its process is gone without a word.
    message : str
        What the last event says, for a person.
    picture : Path or None
        The latest validation picture.
    recipe : str
        The recipe's name; empty before the run says so.
    data : Path or None
        The data folder, where the run has said it.
    device : str
        Where it was last begun; "auto" before the run says so.
    versions : dict of str to str
        What it was made with, as far as it has said.
    """

    folder: Path
    steps: int = 0
    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)
    state: str = "waiting"
    message: str = ""
    picture: Path | None = None
    recipe: str = ""
    data: Path | None = None
    device: str = "auto"
    versions: dict[str, str] = field(default_factory=dict)
    _process: tuple[str, int, float] | None = None
    _offset: int = 0
    _file: tuple[int, int] = (0, 0)
    _began: tuple[int, float] = (0, 0.0)
    _latest: tuple[int, float] = (0, 0.0)

    @property
    def remaining_seconds(self) -> float | None:
        """Time left at the pace since the last start, or None if it cannot be told."""
        done = self._latest[0] - self._began[0]
        if self.state != "running" or done <= 0:
            return None
        return (self._latest[1] - self._began[1]) / done * (self.steps - self._latest[0])

    def update(self) -> bool:
        """Read what is new; return whether anything is."""
        # Asked before reading: what a process has written before it went is still read.
        gone = self.state == "running" and self._is_gone()
        news = self._read()
        if gone and self.state == "running":
            self.state = "interrupted"
            self.message = "Its process is gone; resume to go on from the last checkpoint."
            return True
        return news

    def _is_gone(self) -> bool:
        """Return whether the process that wrote last ran on this machine and does so no more."""
        if self._process is None or self._process[0] != platform.node():
            return False
        _, number, began = self._process
        try:
            process = psutil.Process(number)
            # A number may have been given to another process since.
            return process.status() == psutil.STATUS_ZOMBIE or process.create_time() > began + 1
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False

    def _read(self) -> bool:
        path = self.folder / EVENTS_FILE
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        # A resumed run writes its events anew, from the checkpoint on: then all that was read is out of date.
        if self._offset and (status.st_ino != self._file[0] or status.st_size < self._offset):
            self._forget()
        self._file = (status.st_ino, status.st_size)
        events, self._offset = read_events(self.folder, self._offset)
        for event in events:
            self._take(event)
        return bool(events)

    def _forget(self) -> None:
        vars(self).update(vars(RunLog(self.folder)))

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        self.step = max(self.step, event.get("step", 0))
        if kind == "started":
            self.steps = event["steps"]
            self.state = "running"
            self.message = ""
            self._began = (event.get("step", 0), event["time"])
            self.recipe = event.get("name", "")
            self.data = Path(event["data"]) if "data" in event else None
            self.device = event.get("device", "auto")
            self.versions = event.get("versions", {})
            self._process = (event["host"], event["process"], event["time"]) if "process" in event else None
        elif kind == "step":
            self.losses.append((event["step"], event["loss"]))
            self._latest = (event["step"], event["time"])
        elif kind == "validation":
            self.scores.append((event["step"], event["sad"]))
            self.picture = self.folder / event["image"]
        elif kind in _LAST:
            self.state = kind
            self.message = event.get("message", "")


def last_words(folder: str | Path) -> str:
    """Return the last line that the process printed, where the reason of a failure stands, or an empty text."""
    try:
        text = (Path(folder) / LOG_FILE).read_text("utf-8", errors="replace")
    except OSError:
        return ""
    # Progress bars overwrite their line with carriage returns.
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def folder_problem(folder: Path) -> str | None:
    """Return what stands against writing a run into a folder, or None."""
    if folder.exists() and not folder.is_dir():
        return f"The output {folder} is a file: choose a folder."
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        return f"The output cannot be made in {above}, which is a file: choose another folder."
    if not os.access(above, os.W_OK | os.X_OK):
        return f"The output cannot be written to {above}: choose a folder that you may write to."
    if folder.is_dir() and not has_events(folder) and not can_resume(folder):
        others = [path.name for path in folder.iterdir() if not _is_of_a_run(path.name)]
        if others:
            return f"The output folder holds other files ({sorted(others)[0]}, …): choose an empty one."
    return None


def _is_of_a_run(name: str) -> bool:
    return name in _OF_A_RUN or name.startswith((".", "cut-outs"))
