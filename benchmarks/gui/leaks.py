"""What stays behind when the widgets work, and are opened and closed, many times in one process.

Everything is done some times before the first count: libraries are loaded, threads of the pools are there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import napari
import numpy as np

from census import Census
from event_loop import process_events, wait_until
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import with_provenance
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget
from scratch import own_cache

_SHAPE = (192, 256)
_FIRST = 5
_LISTED = 4
_KINDS = (TrimapWidget, MattingWidget, StackWidget, ForegroundWidget, MeasureWidget, TrainingWidget)


@contextmanager
def scene() -> Iterator[Any]:
    """Open a viewer with a photograph, a trimap and an alpha."""
    rows, columns = np.mgrid[: _SHAPE[0], : _SHAPE[1]].astype(np.float32)
    radius = np.hypot(rows - _SHAPE[0] / 2, columns - _SHAPE[1] / 2)
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.add_image(np.stack([rows, columns, radius], 2).clip(0, 255).astype(np.uint8), name="photo", rgb=True)
    alpha = np.clip((60 - radius) / 10, 0, 1)
    viewer.add_image(alpha, name="first alpha", metadata=with_provenance({}, kind="alpha"))
    viewer.add_labels(np.select([radius < 50, radius > 70], [1, 2], 0).astype(np.uint8), **trimap_settings())
    process_events(1)
    yield viewer
    viewer.close()


@contextmanager
def opened(kind: Callable[[Any], Any], viewer: Any) -> Iterator[Any]:
    """Dock a widget."""
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget)
    process_events(0.3)
    yield widget
    viewer.window.remove_dock_widget(widget)
    process_events(0.1)


def repeat(task: str, times: int, do: Callable[[int], object], first: int = _FIRST) -> None:
    """Do something many times, and print what has grown; `first` times before the first count."""
    for turn in range(first):
        do(turn)
    before = Census.take()
    for turn in range(times):
        do(turn)
    after = Census.take()
    grown = after.grown(before, max(2, times // 2))
    listed = ", ".join(f"{count} {name}" for name, count in list(grown.items())[:_LISTED]) or "none"
    more = f"{after.megabytes - before.megabytes:+.1f} MB", f"{after.threads - before.threads:+d}"
    print(f"| {task} | {times} | {' | '.join(more)} | {listed} |", flush=True)


def runs(times: int) -> None:
    """Matte, and follow strokes."""
    with scene() as viewer, opened(MattingWidget, viewer) as widget:
        controls, live, trimap = widget.controls, widget.live, viewer.layers["trimap"]
        wait_until(controls.run_button.isEnabled)

        def run(_: int) -> None:
            controls.run_button.click()
            wait_until(lambda: not controls.busy)

        def cancelled(_: int) -> None:
            controls.run_button.click()
            process_events(0.05)
            controls.cancel_button.click()
            wait_until(lambda: not controls.busy)

        def stroke(turn: int) -> None:
            trimap.paint((20 + turn % 50, 30), 1 + turn % 2)
            wait_until(lambda: not live.busy)

        repeat("Matting: runs", times, run)
        repeat("Matting: runs, cancelled", times, cancelled)
        widget.live_box.value = True
        # The strokes themselves are kept, packed, so that they can be undone and copied as code; and what the engine
        # needs to undo the last of them, up to 64 MB, which so many strokes fill.
        repeat("Matting: live strokes", times, stroke, 3 * _FIRST)
        widget.live_box.value = False


def edits(times: int) -> None:
    """Change a trimap as a whole, and undo that."""
    with scene() as viewer, opened(TrimapWidget, viewer) as widget:
        wait_until(lambda: not widget.busy)

        def edit(_: int) -> None:
            widget.use_tool("widen")
            wait_until(lambda: not widget.busy)
            widget.undo_button.click()
            process_events(0.2)
            wait_until(lambda: not widget.busy)

        repeat("Trimap: changes, undone", times, edit)


def colours(times: int) -> None:
    """Find the colours of a foreground, and measure."""
    with scene() as viewer, opened(ForegroundWidget, viewer) as widget, opened(MeasureWidget, viewer) as measure:

        def run(_: int) -> None:
            for controls in (widget.controls, measure.controls):
                wait_until(controls.run_button.isEnabled)
                controls.run_button.click()
                wait_until(lambda controls=controls: not controls.busy)  # type: ignore[misc]

        repeat("Foreground and Measure: runs", times, run)


def widgets(times: int) -> None:
    """Open and close the widgets."""
    with scene() as viewer:
        for kind in _KINDS:

            def open_and_close(_: int, kind: Any = kind) -> None:
                with opened(kind, viewer):
                    pass

            repeat(f"{kind.__name__}: opened and closed", times, open_and_close)


def viewers(times: int) -> None:
    """Open and close viewers, without and with a widget."""

    def open_and_close(_: int) -> None:
        with scene():
            pass

    def with_widget(_: int) -> None:
        with scene() as viewer:
            viewer.window.add_dock_widget(MattingWidget(viewer))
            process_events(0.5)

    repeat("viewer without a widget", times, open_and_close)
    repeat("viewer with the Matting widget", times, with_widget)


_TASKS = {"runs": runs, "edits": edits, "colours": colours, "widgets": widgets, "viewers": viewers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="runs, strokes and changes; widgets a tenth as often")
    parser.add_argument("--task", choices=_TASKS, action="append", help="only this one; can be given several times")
    options = parser.parse_args()
    print("\n## What stays behind\n")
    print("| task | times | memory | threads | objects that have grown by half the times or more |")
    print("|---|---|---|---|---|")
    with own_cache():
        for name, task in _TASKS.items():
            if not options.task or name in options.task:
                task(options.times if name in ("runs", "edits", "colours") else max(2, options.times // 10))


if __name__ == "__main__":
    main()
