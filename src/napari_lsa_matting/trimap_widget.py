"""The Trimap widget: paint a trimap, make one from what there is, change it as a whole, and see what it lacks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton

from lsa_engine.errors import InputError
from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.channels import place_in
from napari_lsa_matting.checks import covers
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.labels_look import frozen_plane
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    Index,
    full_data,
    is_labels,
    is_picture,
    is_trimap,
    plane_grid,
    plane_index,
)
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import JobControls, Panel, side_by_side
from napari_lsa_matting.plane_writer import PlaneEdit, PlaneWriter
from napari_lsa_matting.save_button import SaveButton
from napari_lsa_matting.session import session_of
from napari_lsa_matting.settings import read_settings
from napari_lsa_matting.stack_frames import some_frames
from napari_lsa_matting.trimap_code import file_script, planes_script, record_making, record_planes, trimap_script
from napari_lsa_matting.trimap_layer import add_trimap_layer, plane_of, problem_of_writing
from napari_lsa_matting.trimap_paint import make_paint_buttons
from napari_lsa_matting.trimap_planes import MadePlanes
from napari_lsa_matting.trimap_requests import (
    FileRequest,
    LabelsRequest,
    MadeTrimap,
    MakeRequest,
)
from napari_lsa_matting.trimap_results import show_made, show_planes
from napari_lsa_matting.trimap_sources import STROKES, TrimapSources
from napari_lsa_matting.trimap_status import TrimapStatus
from napari_lsa_matting.trimap_tools import TrimapTools

if TYPE_CHECKING:
    from napari.components import ViewerModel

_GONE = "{!r} was removed or replaced meanwhile, so its trimap was dropped."
_NO_TARGET = "{!r} was removed or replaced meanwhile, so the change was dropped."
_MEANWHILE = "The trimap was painted on meanwhile, so the change was dropped: try it again."
_WAIT = "Wait until the change is done, or cancel it."


class TrimapWidget(Panel):
    """Make a trimap, change it, and see what it lacks.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._writer: PlaneWriter | None = None
        self._autosave = autosave_of(napari_viewer)
        band = read_settings().band
        self._build_new()
        make = self.add_group("Make")
        self.sources = TrimapSources(self, make, band)
        self.sources.kind.changed.connect(self.refresh)
        self.sources.planes.changed.connect(self.refresh)
        self.sources.planes.range.this_button.clicked.connect(self._choose_this)
        self.controls = JobControls(
            "Make a trimap", "Foreground inside, background outside, and an unknown band along the outline."
        )
        self.controls.run_requested.connect(self._make)
        make.addRow(self.controls)
        self.follow_job(self.controls)
        self._build_paint()
        change = self.add_group("Change")
        self.tools = TrimapTools(change, band, self.use_tool)
        self.tool_controls = JobControls("", "")
        self.tool_controls.run_button.hide()
        change.addRow(self.tool_controls)
        self.follow_job(self.tool_controls)
        self.save = SaveButton(napari_viewer, "the trimap that is chosen", "There is no trimap to save yet.")
        self.add(self.save)
        self.code = CopyCode("the trimap as it was last made or changed by a button")
        self.add(self.code)
        self.refresh()

    @property
    def working(self) -> bool:
        """Whether a trimap is being made or changed."""
        return self.controls.busy or self.tool_controls.busy or self._writer is not None

    @property
    def busy(self) -> bool:
        """Whether a trimap is being made, changed or checked, or an autosaved one looked for."""
        return self.working or self.status.busy or self._autosave.looking

    def refresh(self) -> None:
        """Enable what can be done, and check the trimap in the background."""
        image, trimap = self.image.layer, self.trimap.layer
        self.new_button.setEnabled(image is not None)
        self.file_button.setEnabled(image is not None and not self.working)
        self._autosave.note_pair(image, trimap)
        offered = [] if trimap is None else [trimap]
        # What was said of the last file stays while its trimap is there.
        if not offered or self.save.layers != offered:
            self.save.offer(*offered)
        self.sources.refresh(image, trimap)
        self._show_problem()
        # Until a change is written whole, the layer takes no other edits.
        for button in (*self.paint_buttons.values(), self.undo_button):
            button.setEnabled(trimap is not None and self._writer is None)
        place_problem = None if trimap is None else self._place_problem(trimap)
        lazy = None if trimap is None else problem_of_writing(trimap)
        self.tools.refresh(trimap, trimap is not None and (lazy or place_problem) is None and not self.working)
        self.tool_controls.setVisible(self.tool_controls.busy or bool(self.tool_controls.outcome.text()))
        self.tool_controls.cancel_button.setVisible(self.tool_controls.busy)
        self.status.check(place_problem)

    def open_file(self, path: str | Path) -> None:
        """Add the trimap in a file to the viewer, on the image that is chosen; an error is shown as a notification."""
        image = self.image.layer
        problem = "There is no image to put a trimap on: open one." if image is None else self._place_problem(image)
        if problem is not None:
            notify_error(InputError(problem))
            return
        leading, plane = plane_grid(image)
        request = FileRequest(Path(path), plane, image.name, place_in(self.viewer, image, leading))
        deliver = partial(self._add_read, request, image, full_data(image), plane_index(image, self.viewer))
        self.controls.start(f"Trimap from {Path(path).name}", MakeRequest(request).run, deliver)
        self.refresh()

    def use_tool(self, name: str) -> None:
        """Change the trimap with a tool: "widen", "narrow", "smooth", "fill" or "islands"."""
        trimap = self.trimap.layer
        if trimap is None or self._place_problem(trimap) is not None:  # changed since the last look
            self.refresh()
            return
        index = plane_index(trimap, self.viewer)
        labels = frozen_plane(trimap, index)
        title, request = self.tools.request(name, trimap, labels)
        self._edit(self.tool_controls, title, request, trimap, index, labels)

    def close_down(self) -> None:
        """Finish what is being written, and go."""
        if self._writer is not None:
            self._writer.finish()
        self.status.drop()
        self.save.let_go()
        super().close_down()

    def _build_new(self) -> None:
        new = self.add_group("New trimap")
        self.image = self.add_choice(
            new, "Image", LayerChoice(self.viewer, is_picture, tooltip="The trimap covers this layer's pixels.")
        )
        self.new_button = QPushButton("Paint new")
        self.new_button.setToolTip("Add an empty trimap layer on the image and take up the brush.")
        self.new_button.clicked.connect(self._make_new)
        self.file_button = QPushButton("Open file…")
        self.file_button.setToolTip(
            "Read a trimap for the image: 0, 128, 255 or 0, 0.5, 1; PNG or TIFF. Of a stack: for the plane that is "
            "seen, or for all, if the file holds as many."
        )
        self.file_button.clicked.connect(self._ask_for_file)
        new.addRow(side_by_side(self.new_button, self.file_button))

    def _build_paint(self) -> None:
        paint = self.add_group("Paint")
        self.trimap = self.add_choice(
            paint,
            "Trimap",
            LayerChoice(self.viewer, is_labels, is_trimap, tooltip="The trimap to paint on, to change and to check."),
        )
        self.paint_buttons = make_paint_buttons(self.viewer, self.trimap)
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip("Take back the last stroke or change; Ctrl+Z does so on the selected layer.")
        self.undo_button.clicked.connect(self._undo)
        grid = QGridLayout()
        for number, button in enumerate((*self.paint_buttons.values(), self.undo_button)):
            grid.addWidget(button, *divmod(number, 2))
        paint.addRow(grid)
        self.status = TrimapStatus(self.viewer, self.image, self.trimap)
        self.status.checked.connect(self._show_problem)
        paint.addRow(self.status)

    def _undo(self, _: bool = False) -> None:
        if self.trimap.layer is not None:  # else removed since the last look
            self.trimap.layer.undo()

    def _make_new(self, _: bool = False) -> None:
        if self.image.layer is None:  # removed since the last look
            self.refresh()
            return
        layer = add_trimap_layer(self.viewer, self.image.layer, {})
        self._autosave.note_pair(self.image.layer, layer)
        layer.mode = "paint"
        self.refresh()

    def _ask_for_file(self, _: bool = False) -> None:
        path, _filter = QFileDialog.getOpenFileName(
            self, "Open a trimap", "", "Images (*.png *.tif *.tiff *.bmp);;All (*)"
        )
        if path:
            self.open_file(path)

    def _place_problem(self, layer: Layer) -> str | None:
        """Say why no plane of a layer can be worked on, or None."""
        try:
            plane_index(layer, self.viewer)
        except InputError as error:
            return str(error)
        return None

    def _show_problem(self) -> None:
        problem = self.sources.problem(self.image.layer, self.trimap.layer)
        if problem is None and not self.sources.planes.several and self.sources.kind.value == STROKES:
            problem = self.status.blocks
        self.controls.set_problem(_WAIT if self.working and not self.controls.busy else problem)

    def _make(self) -> None:
        image, trimap = self.image.layer, self.trimap.layer
        if self.sources.problem(image, trimap) is not None:  # changed since the last look
            self.refresh()
            return
        if self.sources.planes.several:
            self._make_planes(image, trimap)
            return
        request, source, index = self.sources.request(image, trimap)
        target, title = self._target(source), f"Trimap from {source.name}"
        if target is not None:
            self._edit(self.controls, title, request, target, index, frozen_plane(target, index))
        else:
            deliver = partial(self._add_made, source, full_data(source), index)
            self.controls.start(title, MakeRequest(request).run, deliver)
            self.refresh()

    def _target(self, source: Layer) -> Labels | None:
        """Return the layer that a trimap made from another one is written to, or None for a new one."""
        if isinstance(source, Labels) and self.sources.kind.value == STROKES:
            return source
        target = session_of(self.viewer).output(source, "trimap")
        there = isinstance(target, Labels) and target in self.viewer.layers
        there = there and covers(target, source) and problem_of_writing(target) is None
        return target if there else None

    def _make_planes(self, image: Image | None, trimap: Labels | None) -> None:
        source = self.sources.layer(trimap)
        target = None if source is None else self._target(source)
        request, source = self.sources.planes_request(image, trimap, target)
        path = None if image is None else image.source.path
        if target is None:
            deliver = partial(self._add_planes, source, full_data(source), path)
        else:
            deliver = partial(self._write_planes, target, full_data(target), path)
        self.controls.start(f"Trimaps from {source.name}", request.run, deliver)
        self.refresh()

    def _holds(self, layer: Layer, data: Any) -> bool:
        """Return whether a layer is still there, with the data that it had when a run began."""
        return layer in self.viewer.layers and full_data(layer) is data

    def _add_planes(self, source: Layer, data: Any, path: str | None, made: MadePlanes) -> None:
        if not self._holds(source, data):
            self.controls.outcome.say(_GONE.format(source.name))
            return
        show_planes(self.viewer, source, made)
        self._tell_planes(path, made, [])

    def _write_planes(self, layer: Labels, data: Any, path: str | None, made: MadePlanes) -> None:
        edits = [each.edit for each in made.planes.values() if each.edit is not None]
        if not self._holds(layer, data):
            self.controls.outcome.say(_NO_TARGET.format(layer.name))
        elif not edits:
            self.controls.outcome.say("There was nothing to change.", made.left_text)
        else:
            self.controls.outcome.say("Writing the trimaps …")
            self._writer = PlaneWriter(layer, edits, self)
            self._writer.finished.connect(partial(self._end_planes, self._writer, layer, path, made))
            self._writer.start()

    def _end_planes(self, writer: PlaneWriter, layer: Labels, path: str | None, made: MadePlanes) -> None:
        left = [plane for plane, each in made.planes.items() if each.index in writer.left_alone]
        written = [each for plane, each in made.planes.items() if each.edit is not None and plane not in left]
        record_planes(layer, {each.index: each.record for each in written})
        self._tell_planes(path, made, left)
        self._end_writing()

    def _tell_planes(self, path: str | None, made: MadePlanes, left: list[int]) -> None:
        """Say which planes were made, but for those that were left, and offer their code."""
        planes = [plane for plane in made.planes if plane not in left]
        if planes:
            self.code.offer(partial(planes_script, made.without_pixels(), planes, path))
        self.controls.outcome.say(
            f"Made {some_frames(planes, 'plane')}." if planes else None,
            f"Painted on meanwhile, so left alone: {some_frames(left, 'plane')}." if left else None,
            made.left_text,
        )

    def _choose_this(self, _: bool = False) -> None:
        try:
            seen = self.sources.stack(self.image.layer, self.trimap.layer).seen
        except InputError:  # changed since the last look
            seen = None
        if seen is not None:
            self.sources.planes.range.choose(seen)
        self.refresh()

    def _add_made(self, source: Layer, data: Any, index: Index, made: MadeTrimap) -> None:
        if self._add(source, data, index, made):
            self.code.offer(partial(trimap_script, made.request, made.inputs))

    def _add_read(self, request: FileRequest, image: Image, data: Any, index: Index, made: MadeTrimap) -> None:
        if self._add(image, data, () if made.labels.ndim > 2 else index, made):
            self.code.offer(partial(file_script, request, made))

    def _add(self, source: Layer, data: Any, index: Index, made: MadeTrimap) -> bool:
        """Show labels as a new layer on the one that they were made for, if that is as it was."""
        if not self._holds(source, data):
            self.controls.outcome.say(_GONE.format(source.name))
            return False
        show_made(self.viewer, source, index, made)
        return True

    def _edit(
        self, controls: JobControls, title: str, request: LabelsRequest, layer: Labels, index: Index, labels: Any
    ) -> None:
        """Bring a plane of a trimap to what a request makes of it, as one step that can be undone."""
        deliver = partial(self._write, controls, layer, full_data(layer), index)
        controls.start(title, MakeRequest(request, labels).run, deliver)
        self.refresh()

    def _write(self, controls: JobControls, layer: Labels, data: Any, index: Index, made: MadeTrimap) -> None:
        if not self._holds(layer, data):
            controls.outcome.say(_NO_TARGET.format(layer.name))
        elif made.stale or _differs(plane_of(layer, index), made.before):
            controls.outcome.say(_MEANWHILE)
        elif made.changes is None or not made.changes.values.size:
            controls.outcome.say("There was nothing to change.")
        else:
            self._writer = PlaneWriter(layer, [PlaneEdit(index, made.changes, made.before)], self)
            self._writer.finished.connect(partial(self._end_change, self._writer, controls, layer, index, made))
            self._writer.start()

    def _end_change(
        self, writer: PlaneWriter, controls: JobControls, layer: Labels, index: Index, made: MadeTrimap
    ) -> None:
        if writer.left_alone:
            controls.outcome.say(_MEANWHILE)
        else:
            record_making(layer, index, made.record)
            self.code.offer(partial(trimap_script, made.request, made.inputs))
        self._end_writing()

    def _end_writing(self) -> None:
        self._writer = None
        self.refresh_soon()  # not at once: a window that closes waits for this, and should begin no check any more


def _differs(plane: Any, before: Any) -> bool:
    """Return whether a plane in memory is no longer as it was; a lazy one is not read here."""
    return isinstance(plane, np.ndarray) and not np.array_equal(plane, before)
