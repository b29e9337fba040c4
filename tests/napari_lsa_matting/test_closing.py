"""Closing viewers, and napari, while the widgets work: the work ends, the process ends, nothing is complained about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
from pathlib import Path
import napari, numpy as np
from qtpy.QtCore import QThreadPool, QTimer
from event_loop import process_events, wait_until
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import with_provenance
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.saving import formats_of
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget

FOLDER = Path(sys.argv[1])
FRAMES, HEIGHT, WIDTH = 3, 600, 800
POOL = QThreadPool.globalInstance()
rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
radius = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
ALPHA = np.clip((250 - radius) / 100, 0, 1)
LABELS = np.select([radius < 150, radius > 250], [1, 2], 0).astype(np.uint8)

def viewer_with(kind):
    viewer = napari.Viewer(show=True)
    frames = (FRAMES,) if kind is StackWidget else ()
    viewer.add_image(np.broadcast_to(rows * columns, (*frames, HEIGHT, WIDTH)).copy(), name="photo")
    alpha = np.broadcast_to(ALPHA, (*frames, HEIGHT, WIDTH)).copy()
    viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"))
    viewer.add_labels(np.broadcast_to(LABELS, (*frames, HEIGHT, WIDTH)).copy(), **trimap_settings())
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget)
    return viewer, widget

def press_run(widget):
    wait_until(widget.controls.run_button.isEnabled)
    widget.controls.run_button.click()
    assert widget.controls.busy

def follow(widget):
    wait_until(lambda: widget.live_box.enabled)
    widget.live_box.value = True
    wait_until(lambda: widget.live._job is not None)

def save(widget):
    alpha = widget.viewer.layers["alpha"]
    widget.save.save(FOLDER / "alpha.tiff", formats_of(alpha)[0], alpha)
    assert widget.save.busy

def preview(widget):
    press_run(widget)
    wait_until(lambda: not widget.controls.busy)
    widget.view.preview.value = "checkerboard"
    assert widget.view.busy

def prepare(widget):
    cut_out = np.dstack([np.stack([rows, columns, rows], 2) / 4, 255 * ALPHA]).astype(np.uint8)
    widget.viewer.add_image(cut_out, name="cut out", rgb=True)
    widget.output.value = FOLDER / "run"
    wait_until(widget.launch_button.isEnabled)
    widget.launch_button.click()
    assert widget.preparing

def widen(widget):
    wait_until(lambda: not widget.busy)
    widget.use_tool("widen")
    assert widget.tool_controls.busy

for kind, begin in [
    (MattingWidget, press_run), (MattingWidget, follow), (StackWidget, press_run), (TrimapWidget, widen),
    (ForegroundWidget, press_run), (MeasureWidget, press_run), (MattingWidget, save), (MattingWidget, preview),
    (TrainingWidget, prepare),
]:
    viewer, widget = viewer_with(kind)
    begin(widget)
    del widget
    if begin is not prepare:  # which is soon done, and the run that then begins outlives the viewer
        process_events(0.05)
    viewer.close()
    del viewer
    process_events(0.1)
    wait_until(lambda: POOL.activeThreadCount() == 0)
    print("closed", kind.__name__, begin.__name__, flush=True)

viewer, widget = viewer_with(MattingWidget)
press_run(widget)
QTimer.singleShot(100, napari._qt.qt_event_loop.quit_app)
napari.run()
print("left with", POOL.activeThreadCount(), "threads", flush=True)
"""


def test_whatever_runs_when_its_viewer_or_napari_is_closed_ends_cleanly(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=900, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "left with 0 threads"
    assert result.stdout.count("closed") == 9
    assert not (tmp_path / "run" / "train.log").exists()  # nobody waits for a run that was being prepared
    assert [path.name for path in tmp_path.glob("alpha*")] in ([], ["alpha.tiff"])
    for complaint in ("Traceback", "Error", "QThread", "QObject"):
        assert complaint not in result.stderr, result.stderr


_WITHOUT_EVENT_LOOP = """
import napari, sys

viewer = napari.Viewer(show=False)
viewer.window.add_plugin_dock_widget("napari-lsa-matting", "Matting")
assert "lsa_engine.inference.matter" not in sys.modules  # a worker is loading it
viewer.close()
"""


def test_a_script_that_ends_while_libraries_are_loaded_waits_for_the_worker() -> None:
    result = subprocess.run([sys.executable, "-c", _WITHOUT_EVENT_LOOP], capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
    assert "Error" not in result.stderr, result.stderr
