"""A run's folder: recipe, events, checkpoint, weights; what another process needs to follow or stop a run."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

RECIPE_FILE = "recipe.toml"
EVENTS_FILE = "events.jsonl"
CHECKPOINT_FILE = "checkpoint.pt"
WEIGHTS_FILE = "weights.safetensors"
STOP_FILE = "STOP"
VALIDATION_FOLDER = "validation"


def read_events(folder: str | Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the events of a run that follow a byte offset, and the offset to go on from.

    A line that is still being written is left for the next call; a run without events gives an empty list.
    """
    path = Path(folder) / EVENTS_FILE
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line.strip()], offset + len(whole)


def request_stop(folder: str | Path) -> None:
    """Ask the run in this folder to finish its step, save and leave."""
    (Path(folder) / STOP_FILE).touch()


def clean_up(folder: Path, *, keep_events: bool) -> None:
    """Remove what a killed run may have left: half-written files, and the events of a run that never saved."""
    for stray in (*folder.glob(".*.part*"), *folder.glob(f"{VALIDATION_FOLDER}/.*.part*"), *folder.glob("*.part")):
        stray.unlink(missing_ok=True)
    if not keep_events:
        (folder / EVENTS_FILE).unlink(missing_ok=True)


class EventLog:
    """Append events to a run's file, one JSON object a line, each line whole."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS_FILE

    def write(self, event: str, **values: Any) -> None:
        """Append one event with the time now."""
        line = json.dumps({"event": event, "time": time.time(), **values}) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

    def rewind(self, step: int) -> None:
        """Drop the events of steps after `step`, which a resumed run will write again."""
        events, _ = read_events(self._path.parent)
        kept = [event for event in events if event.get("step", 0) <= step]
        temporary = self._path.with_suffix(".part")
        temporary.write_text("".join(json.dumps(event) + "\n" for event in kept), encoding="utf-8")
        os.replace(temporary, self._path)


class StopRequest:
    """Whether a run was asked to stop: by the file STOP, SIGTERM or SIGINT (signals in the main thread only)."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / STOP_FILE
        self._signalled = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        self._file.unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._file.unlink(missing_ok=True)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def __bool__(self) -> bool:
        return self._signalled or self._file.exists()
