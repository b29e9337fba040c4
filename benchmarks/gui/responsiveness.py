"""How long napari's event loop is held up while the widgets work on a large image.

A timer notes the gaps between its calls: while a task runs, and while its result is put into layers. Beside every gap
by the clock stands the most work that the main thread itself has done in one: on a busy machine, where it waits for its
turn, only this tells what the plugin and napari take.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import napari
import numpy as np
from numpy.typing import NDArray

from event_loop import Gap, Gaps, longest, process_events, wait_until
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import with_provenance
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.panel import Panel
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget
from rest import at_rest
from scratch import own_cache

LONGEST_MS = 50.0
PAUSE_S = 2.0  # in which layers are drawn, before and after each task


def scene(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return an image of slow gradients and a soft disc as its alpha."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    alpha = np.clip((height / 3 - np.hypot(y - height / 2, x - width / 2)) / 200 + 0.5, 0, 1).astype(np.float32)
    return (np.stack([x / width, y / height, (x + y) / (width + height)], -1) * 200).astype(np.uint8), alpha


@contextmanager
def opened(kind: type[Panel], image: NDArray[np.uint8]) -> Iterator[tuple[Any, Any]]:
    """Open a viewer with a photograph and a widget."""
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.add_image(image, name="photo", rgb=True)
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget)
    process_events(3)
    yield viewer, widget
    viewer.close()


class Row(NamedTuple):
    """How the event loop went on during a task, and while what came of it was shown.

    Attributes
    ----------
    task : str
        What was done.
    turn : int
        How many times.
    seconds : float
        How long it took.
    running, shown : list of Gap
        The last gap of the run is the one in which its layers are made: it counts among those when they are shown.
    """

    task: str
    turn: int
    seconds: float
    running: list[Gap]
    shown: list[Gap]

    @property
    def most_work(self) -> float:
        """The most that the main thread itself worked at a time, in milliseconds."""
        return longest(self.running + self.shown).work


def begin_table(title: str, height: int, width: int) -> None:
    """Print the head of a table."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    print(f"\n## The event loop beside the {title} widget, {width} × {height} pixels (load of the machine: {load})\n")
    print(
        "| task | run | seconds | longest gap while it runs (work) | gaps over 50 ms (work) | when layers are shown |"
    )
    print("|---|---|---|---|---|---|")


def show(row: Row) -> None:
    """Print a row."""
    late = [sum(gap[kind] > LONGEST_MS for gap in row.running) for kind in (0, 1)]
    print(
        f"| {row.task} | {row.turn} | {row.seconds:.1f} | {as_text(longest(row.running))} | {late[0]} ({late[1]}) "
        f"| {as_text(longest(row.shown))} |",
        flush=True,
    )


def measure(task: str, turn: int, gaps: Gaps, begin: Callable[[], object], ended: Callable[[], bool]) -> Row:
    """Do something, and note how the event loop went on."""
    process_events(PAUSE_S / 2)
    gaps.restart()
    begin()
    seconds = wait_until(ended)
    seen = gaps.restart()
    process_events(PAUSE_S)
    return Row(task, turn, seconds, seen[:-1], seen[-1:] + gaps.restart())


def as_text(gap: Gap) -> str:
    """Return a gap by the clock, and its work in brackets."""
    return f"{gap.clock:.0f} ms ({gap.work:.0f})"


def foreground(height: int, width: int, rounds: int) -> Iterator[Row]:
    """Note the gaps of the Foreground widget's two tasks."""
    image, alpha = scene(height, width)
    with opened(ForegroundWidget, image) as (viewer, widget):
        viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"))
        gaps = Gaps()
        for task in ("estimate", "refine"):
            for turn in range(rounds):
                widget.task.value = task
                yield measure(task, turn + 1, gaps, widget.controls.run_button.click, lambda: not widget.controls.busy)


def matting(height: int, width: int, rounds: int) -> Iterator[Row]:
    """Note the gaps of a run, of one that is cancelled, of live strokes, and of what is shown of a matte."""
    image, alpha = scene(height, width)
    labels = np.select([alpha >= 1, alpha <= 0], [1, 2], 0).astype(np.uint8)
    with opened(MattingWidget, image) as (viewer, widget):
        trimap = viewer.add_labels(labels, **trimap_settings())
        wait_until(lambda: widget.options.facilities is not None)
        gaps = Gaps()
        controls, live, view = widget.controls, widget.live, widget.view

        def cancel_soon() -> None:
            controls.run_button.click()
            process_events(1.5)
            controls.cancel_button.click()

        def stroke() -> None:
            row = int(np.random.default_rng().integers(0, height - 1))
            for column in range(0, width, width // 20):
                trimap.paint((row, column), 2)
                process_events(0.02)

        for turn in range(rounds):
            yield measure("run", turn + 1, gaps, controls.run_button.click, lambda: not controls.busy)
        yield measure("run, cancelled after 1.5 s", 1, gaps, cancel_soon, lambda: not controls.busy)
        yield measure("violation shown", 1, gaps, lambda: view.boxes["violation"].native.click(), lambda: True)
        yield measure("live mode begins", 1, gaps, widget.live_box.native.click, lambda: not live.busy)
        for turn in range(rounds + 1):
            yield measure("live stroke", turn + 1, gaps, stroke, lambda: not live.busy)
        yield measure("before and after", 1, gaps, lambda: view.slider.setValue(50), lambda: True)
        yield measure("slider moved", 1, gaps, lambda: view.slider.setValue(70), lambda: True)
        widget.live_box.value = False


def trimap(height: int, width: int, rounds: int) -> Iterator[Row]:
    """Note the gaps of a trimap from a segmentation, of every tool, of taking them back, and of strokes."""
    image, alpha = scene(height, width)
    with opened(TrimapWidget, image) as (viewer, widget):
        viewer.add_labels((alpha > 0.5).astype(np.uint8), name="cells")
        gaps, ended = Gaps(), partial(at_rest, widget)
        wait_until(ended)
        for turn in range(rounds):
            yield measure("from a segmentation", turn + 1, gaps, widget.controls.run_button.click, ended)
        layer = widget.trimap.layer

        def stroke() -> None:
            for column in range(0, width, width // 20):
                layer.paint((height // 3, column), 2)
                process_events(0.02)

        for name in ("widen", "narrow", "smooth", "fill", "islands"):
            button = widget.tools.buttons[name]
            for turn in range(rounds):
                yield measure(name, turn + 1, gaps, button.click, ended)
        for turn in range(rounds):
            yield measure("undo", turn + 1, gaps, widget.undo_button.click, ended)
        for turn in range(rounds):
            yield measure("stroke from side to side", turn + 1, gaps, stroke, ended)


def measuring(height: int, width: int, rounds: int) -> Iterator[Row]:
    """Note the gaps of measuring a matte, and the objects of a segmentation in it."""
    image, alpha = scene(height, width)
    cells = np.zeros((height, width), np.int32)
    side = 100
    for number in range((height // side) * (width // side)):
        row, column = divmod(number, width // side)
        cells[row * side + 10 : (row + 1) * side - 10, column * side + 10 : (column + 1) * side - 10] = number + 1
    with opened(MeasureWidget, image) as (viewer, widget):
        viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"))
        gaps, ended = Gaps(), partial(at_rest, widget)
        wait_until(ended)
        for turn in range(rounds):
            yield measure("one matte", turn + 1, gaps, widget.controls.run_button.click, ended)
        widget.labels.value = viewer.add_labels(cells, name="cells")
        wait_until(ended)
        for turn in range(rounds):
            yield measure(f"{cells.max()} objects", turn + 1, gaps, widget.controls.run_button.click, ended)


def stack(height: int, width: int, rounds: int) -> Iterator[Row]:
    """Note the gaps of three frames: trimaps proposed from one, and their mattes."""
    image, alpha = scene(height, width)
    frames = np.stack([image, np.roll(image, 20, 1), np.roll(image, 40, 1)])
    labels = np.zeros(frames.shape[:3], np.uint8)
    labels[0] = np.select([alpha >= 1, alpha <= 0], [1, 2], 0)
    labels[2] = np.roll(labels[0], 40, 1)
    with opened(StackWidget, frames) as (viewer, widget):
        viewer.add_labels(labels, **trimap_settings())
        gaps, ended = Gaps(), partial(at_rest, widget)
        wait_until(ended)
        for turn in range(rounds):
            yield measure("propose", turn + 1, gaps, widget.proposing.run_button.click, ended)
        yield measure("run", 1, gaps, widget.controls.run_button.click, ended)


WIDGETS = {"matting": matting, "foreground": foreground, "trimap": trimap, "measure": measuring, "stack": stack}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--widgets", choices=WIDGETS, nargs="*", default=list(WIDGETS))
    options = parser.parse_args()
    with own_cache():
        for name in options.widgets:
            begin_table(name.capitalize(), options.height, options.width)
            for row in WIDGETS[name](options.height, options.width, options.rounds):
                show(row)


if __name__ == "__main__":
    main()
