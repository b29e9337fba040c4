"""How long napari's event loop is held up while the widgets work on a large image.

A timer of 5 ms notes the gaps between its calls: while a task runs, and while its result is put into layers.
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import with_provenance

LONGEST_MS = 50.0


class Gaps:
    """Notes how late a timer of the event loop is called."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._note)
        self._timer.start()

    def _note(self) -> None:
        now = time.perf_counter()
        self.seen.append(1000 * (now - self._last))
        self._last = now

    def restart(self) -> None:
        """Forget what was noted."""
        self.seen.clear()
        self._last = time.perf_counter()


def scene(megapixels: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return an image of slow gradients and a soft disc as its alpha."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    width = round(1.5 * height)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    alpha = np.clip((height / 3 - np.hypot(y - height / 2, x - width / 2)) / 200 + 0.5, 0, 1).astype(np.float32)
    return (np.stack([x / width, y / height, (x + y) / (width + height)], -1) * 200).astype(np.uint8), alpha


def process_events(seconds: float) -> None:
    """Let the event loop run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.001)


def foreground(megapixels: float, rounds: int) -> None:
    """Print the gaps of the Foreground widget's two tasks."""
    image, alpha = scene(megapixels)
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.add_image(image, name="photo", rgb=True)
    viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"))
    widget = ForegroundWidget(viewer)
    viewer.window.add_dock_widget(widget)
    gaps = Gaps()
    process_events(3)
    print(f"## The event loop beside the Foreground widget, {alpha.size / 1e6:.0f} megapixels\n")
    print("| task | run | seconds | longest gap while it runs | gaps over 50 ms | longest gap when layers are shown |")
    print("|---|---|---|---|---|---|")
    for task in ("estimate", "refine"):
        for turn in range(rounds):
            widget.task.value = task
            process_events(1)
            gaps.restart()
            begin = time.perf_counter()
            widget.controls.run_button.click()
            while widget.controls.busy:
                QApplication.processEvents()
                time.sleep(0.001)
            seconds = time.perf_counter() - begin
            # The last gap of the run is the one in which its layers are made.
            running, shown = gaps.seen[:-1], gaps.seen[-1:]
            gaps.restart()
            process_events(2)
            shown += gaps.seen
            late = sum(gap > LONGEST_MS for gap in running)
            print(f"| {task} | {turn + 1} | {seconds:.1f} | {max(running):.0f} ms | {late} | {max(shown):.0f} ms |")
    viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    foreground(options.megapixels, options.rounds)


if __name__ == "__main__":
    main()
