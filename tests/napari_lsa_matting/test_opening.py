"""Opening a widget is quick: torch is loaded in the background, if at all."""

from __future__ import annotations

import os
import subprocess
import sys

_SCRIPT = """
import sys, threading, time

class Watch:
    importers = set()
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            self.importers.add(threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_widget import TrimapWidget
viewer = ViewerModel()
widgets = [kind(viewer) for kind in (TrimapWidget, ForegroundWidget, MeasureWidget)]
assert "torch" not in sys.modules
# From here on, workers may load it.
widgets.append(TrainingWidget(viewer))
matting = MattingWidget(viewer)
end = time.monotonic() + 600
while matting.options.facilities is None and time.monotonic() < end:
    app.processEvents()
    time.sleep(0.01)
assert matting.options.facilities is not None
print(max(widget.minimumSizeHint().width() for widget in [*widgets, matting]))
print(sorted(Watch.importers))
"""


def test_no_widget_imports_torch_on_the_main_thread_and_all_fit_a_narrow_dock() -> None:
    result = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
    width, importers = result.stdout.splitlines()[-2:]
    assert importers == "[False]"
    assert int(width) <= 300


_FIRST_TRIMAP = """
import numpy as np
import napari
from numba.core import event
from event_loop import wait_until
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget

viewer = napari.Viewer(show=False)
with event.install_recorder("numba:compile") as before:
    widget = TrimapWidget(viewer)
    viewer.window.add_dock_widget(widget)
    wait_until(lambda: not widget.findChildren(Job))
with event.install_recorder("numba:compile") as then:
    viewer.add_labels(np.zeros((40, 40), np.uint8), **trimap_settings())
print(len(before.buffer) > 0, len(then.buffer))
viewer.close()
"""


def test_what_colours_a_trimap_is_compiled_before_the_first_is_added() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(
        [sys.executable, "-c", _FIRST_TRIMAP], capture_output=True, text=True, timeout=900, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["True", "0"]
