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
from typing import Any

import napari
import numpy as np
from numpy.typing import NDArray

from event_loop import Gap, Gaps, longest, process_events, wait_until
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import with_provenance
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.panel import Panel
from napari_lsa_matting.trimap_layer import trimap_settings
from scratch import own_cache

LONGEST_MS = 50.0


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


def begin_table(title: str, image: NDArray[np.uint8]) -> None:
    """Print the head of a table."""
    height, width = image.shape[:2]
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    print(f"\n## The event loop beside the {title} widget, {width} × {height} pixels (load of the machine: {load})\n")
    print(
        "| task | run | seconds | longest gap while it runs (work) | gaps over 50 ms (work) | when layers are shown |"
    )
    print("|---|---|---|---|---|---|")


def measure(task: str, turn: int, gaps: Gaps, begin: Callable[[], object], ended: Callable[[], bool]) -> None:
    """Do something and print its row."""
    process_events(1)
    gaps.restart()
    begin()
    seconds = wait_until(ended)
    # The last gap of the run is the one in which its layers are made.
    seen = gaps.restart()
    running, shown = seen[:-1], seen[-1:]
    process_events(2)
    shown += gaps.restart()
    late = [sum(gap[kind] > LONGEST_MS for gap in running) for kind in (0, 1)]
    print(
        f"| {task} | {turn} | {seconds:.1f} | {as_text(longest(running))} | {late[0]} ({late[1]}) "
        f"| {as_text(longest(shown))} |",
        flush=True,
    )


def as_text(gap: Gap) -> str:
    """Return a gap by the clock, and its work in brackets."""
    return f"{gap.clock:.0f} ms ({gap.work:.0f})"


def foreground(height: int, width: int, rounds: int) -> None:
    """Print the gaps of the Foreground widget's two tasks."""
    image, alpha = scene(height, width)
    with opened(ForegroundWidget, image) as (viewer, widget):
        viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"))
        gaps = Gaps()
        begin_table("Foreground", image)
        for task in ("estimate", "refine"):
            for turn in range(rounds):
                widget.task.value = task
                measure(task, turn + 1, gaps, widget.controls.run_button.click, lambda: not widget.controls.busy)


def matting(height: int, width: int, rounds: int) -> None:
    """Print the gaps of a run, of one that is cancelled, of live strokes, and of what is shown of a matte."""
    image, alpha = scene(height, width)
    labels = np.select([alpha >= 1, alpha <= 0], [1, 2], 0).astype(np.uint8)
    with opened(MattingWidget, image) as (viewer, widget):
        trimap = viewer.add_labels(labels, **trimap_settings())
        wait_until(lambda: widget.options.facilities is not None)
        gaps = Gaps()
        begin_table("Matting", image)
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
            measure("run", turn + 1, gaps, controls.run_button.click, lambda: not controls.busy)
        measure("run, cancelled after 1.5 s", 1, gaps, cancel_soon, lambda: not controls.busy)
        measure("violation shown", 1, gaps, lambda: view.boxes["violation"].native.click(), lambda: True)
        measure("live mode begins", 1, gaps, widget.live_box.native.click, lambda: not live.busy)
        for turn in range(rounds + 1):
            measure("live stroke", turn + 1, gaps, stroke, lambda: not live.busy)
        measure("before and after", 1, gaps, lambda: view.slider.setValue(50), lambda: True)
        measure("slider moved", 1, gaps, lambda: view.slider.setValue(70), lambda: True)
        widget.live_box.value = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--widget", choices=("both", "foreground", "matting"), default="both")
    options = parser.parse_args()
    size = options.height, options.width
    with own_cache():
        if options.widget != "foreground":
            matting(*size, options.rounds)
        if options.widget != "matting":
            foreground(*size, options.rounds)


if __name__ == "__main__":
    main()
