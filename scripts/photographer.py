"""A napari window that is photographed: whole, and its docked widget alone, narrow, in both themes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before napari is loaded: what whoever takes the pictures prefers is neither shown nor changed.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "napari.yaml")

import napari
from napari.settings import get_plugin_settings
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QApplication, QScrollArea, QWidget

from napari_lsa_matting.panel import Panel

PLUGIN = "napari-lsa-matting"
SIZE = (1240, 860)  # a 13-inch screen less the desktop's own bars
SMALL = (1280, 720)  # a small laptop, or a screen of twice that at 200 %
DOCK_WIDTH = 330
NARROW = 280
THEMES = ("dark", "light")
_ANY_WIDTH = 16_777_215  # Qt's own limit


class Photographer:
    """Opens one widget after another in one viewer, and takes pictures of it.

    Parameters
    ----------
    folder : Path
        Where the pictures of the whole window go.
    theme : str
        Theme of those; the contact sheets show both.
    pieces : Path or None
        Where every state in both themes goes, each a file, if anywhere.
    """

    def __init__(self, folder: Path, theme: str, pieces: Path | None = None) -> None:
        self.folder = folder
        self.pieces = pieces
        for place in (folder, pieces):
            if place is not None:
                place.mkdir(parents=True, exist_ok=True)
        self.theme = theme
        # By theme and name: widgets in a narrow dock, and small windows.
        self.narrow: dict[str, dict[str, QPixmap]] = {each: {} for each in THEMES}
        self.windows: dict[str, dict[str, QPixmap]] = {each: {} for each in THEMES}
        self._open: list[Panel] = []
        # What earlier pictures have left unsaved is nothing to restore.
        get_plugin_settings(PLUGIN).trimap.autosave = 0
        self.viewer = napari.Viewer(show=False)
        self.viewer.theme = theme
        self.viewer.show()
        self.viewer.window.resize(*SIZE)
        self.viewer.open_sample(PLUGIN, "peacock")
        self.wait(1.0)

    def wait(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 600) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("The widget did not come to the state of its picture.")
            self.wait(0.05)

    def open(self, kind: type[Panel], name: str, *, alone: bool = True) -> Any:
        """Open a widget, alone or below those that are open."""
        if alone:
            self.viewer.window.remove_dock_widget("all")
            self._open.clear()
        widget = kind(self.viewer)
        self._open.append(widget)
        self.viewer.window.add_dock_widget(widget, name=f"{name} (LSA Matting)", area="right")
        widget.setMinimumWidth(DOCK_WIDTH)
        self.viewer.reset_view()
        self.wait(1.0)
        return widget

    def take(self, name: str, *, on_sheet: bool = True) -> None:
        """Write a picture of the whole window, and put its widget on the contact sheets, if there is room for it."""
        self.wait(0.5)
        self.viewer.screenshot(self.folder / f"{name}.png", canvas_only=False, flash=False)
        self.note(name, on_sheet=on_sheet)

    def note(self, name: str, *, on_sheet: bool = True) -> None:
        """Look at the widget that was opened last, with all of its rows, in a dock as narrow as it may be."""
        widget = self._open[-1]
        widget.setFixedWidth(max(NARROW, widget.minimumSizeHint().width()))
        self.wait(1.0)  # texts and pictures have other heights then, which takes some turns of the event loop
        for theme in THEMES:
            self._wear(theme)
            rows = _rows(widget).grab()
            if on_sheet:
                self.narrow[theme][name] = rows
            if self.pieces is not None:
                rows.save(str(self.pieces / f"{name}-{theme}-rows.png"))
                _whole(self.viewer).save(str(self.pieces / f"{name}-{theme}.png"))
        widget.setMaximumWidth(_ANY_WIDTH)
        widget.setMinimumWidth(DOCK_WIDTH)
        self._wear(self.theme)

    def note_window(self, name: str) -> None:
        """Put the whole window on the contact sheets, with docks as narrow as they may be; then make it large again."""
        for widget in self._open:
            widget.setMinimumWidth(0)
        for theme in THEMES:
            self._wear(theme)
            self.windows[theme][name] = whole = _whole(self.viewer)
            if self.pieces is not None:
                whole.save(str(self.pieces / f"{name}-{theme}.png"))
        self.viewer.window.resize(*SIZE)
        self._wear(self.theme)

    def run(self, widget: Any) -> None:
        """Press Run and wait for the end."""
        self.wait(0.5)
        widget.controls.run_button.click()
        self.wait_until(lambda: not widget.controls.busy)
        self.wait(0.5)

    def _wear(self, theme: str) -> None:
        self.viewer.theme = theme
        self.wait(0.4)


def _whole(viewer: napari.Viewer) -> QPixmap:
    """Return what the whole window shows."""
    pixels = viewer.screenshot(canvas_only=False, flash=False)
    height, width = pixels.shape[:2]
    return QPixmap.fromImage(QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888))


def _rows(widget: Panel) -> QWidget:
    """Return what lies in the scroll area: all rows, also those for which the window is too low."""
    area = widget.findChild(QScrollArea)
    inner = area.widget() if area is not None else None
    return widget if inner is None else inner
