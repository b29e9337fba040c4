"""The First steps widget: from a sample to a table in five steps, and a report for when something goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from qtpy import API_NAME, QT_VERSION
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QPushButton

from lsa_engine.samples import SAMPLES
from napari_lsa_matting.debug_report import DebugReportRequest
from napari_lsa_matting.first_step import FirstStep
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.notifications import last_error, notify_error
from napari_lsa_matting.panel import Message, Panel, add_row
from napari_lsa_matting.settings import PLUGIN, read_settings

if TYPE_CHECKING:
    from napari.components import ViewerModel

_STEPS = (
    (
        "2. Trimap",
        "Trimap",
        "The sample has one. For an image of your own: say what is surely object (1) and surely not (2); erase (0) "
        "what is in between.",
        "",
    ),
    (
        "3. Matte",
        "Matting",
        "How much of every pixel is object. Paint on the trimap where it is wrong, and run again, or tick Live there.",
        "Run",
    ),
    ("4. Cut-out", "Foreground", "The object's own colours, without a fringe of the ground.", "Run"),
    (
        "5. Table",
        "Measure",
        "Areas and shape, weighted by opacity; intensities of the image that you choose there.",
        "Run",
    ),
)
_SAVE = "Save… in Matting and Foreground writes the matte and the cut-out to files; the table has its own button."


class FirstStepsWidget(Panel):
    """Lead through one matte, with a button for every step.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        first = self.add_group("1. Image")
        self.sample = ComboBox(
            choices=[(name.capitalize(), name) for name in SAMPLES],
            tooltip="\n".join(sample.subject for sample in SAMPLES.values()),
        )
        add_row(first, "Sample", self.sample)
        self.sample_button = QPushButton("Open the sample")
        self.sample_button.setToolTip(
            "Open a photograph with its trimap; or open an image of your own with File ▸ Open."
        )
        self.sample_button.clicked.connect(self._open_sample)
        first.addRow(self.sample_button)
        self.steps: dict[str, FirstStep] = {}
        for title, name, hint, run in _STEPS:
            step = self.steps[name] = FirstStep(napari_viewer, title, name, hint, run)
            self.add(step)
        saving = Message()
        saving.say(_SAVE)
        self.add(saving)
        trouble = self.add_group("If something goes wrong")
        self.report_button = QPushButton("Copy debug report")
        self.report_button.setToolTip(
            "Copy versions, devices, weights, settings and the last error to the clipboard, without personal paths."
        )
        self.report_button.clicked.connect(self._copy_report)
        trouble.addRow(self.report_button)
        self.report_outcome = Message()
        trouble.addRow(self.report_outcome)

    def _open_sample(self, _: bool = False) -> None:
        self.viewer.open_sample(PLUGIN, self.sample.value)

    def _copy_report(self, _: bool = False) -> None:
        self.report_button.setEnabled(False)
        self.report_outcome.say("collecting …")
        request = DebugReportRequest(read_settings(), f"{API_NAME} {QT_VERSION}", last_error())
        job = Job("Writing a debug report", request.run, self)
        job.succeeded.connect(self._put_on_clipboard)
        job.failed.connect(notify_error)
        job.ended.connect(lambda: self.report_button.setEnabled(True))
        job.start()

    def _put_on_clipboard(self, text: str) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
            self.report_outcome.say("The report is on the clipboard: paste it where you ask for help.")
