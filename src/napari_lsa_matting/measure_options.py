"""The parts of the Measure widget that say which alphas make rows, and of which planes, volumes and frames."""

from __future__ import annotations

from inspect import unwrap
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image
from qtpy.QtWidgets import QFormLayout

from lsa_engine.errors import InputError
from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.frame_range import FrameRange
from napari_lsa_matting.layers import is_matte, made_as, spatial_shape
from napari_lsa_matting.measurement import Matte, has_volume, objects_of, seen_frame, series_axes
from napari_lsa_matting.panel import add_row, show_row

if TYPE_CHECKING:
    from napari.components import ViewerModel

THIS, OBJECTS, SELECTED = "this", "objects", "selected"
PLANE, PLANES, VOLUME, VOLUMES = "plane", "planes", "volume", "volumes"
_EXTENTS = {
    PLANE: "the plane that is seen",
    PLANES: "each plane",
    VOLUME: "the whole volume",
    VOLUMES: "each volume",
}


class MatteRow(FormRows):
    """A row of a form: which alphas make rows of the table.

    Parameters
    ----------
    form : QFormLayout
        Gets the row.
    viewer : napari.components.ViewerModel
        Whose layers.
    """

    def __init__(self, form: QFormLayout, viewer: ViewerModel) -> None:
        super().__init__(form)
        self._viewer = viewer
        self._taken_for: Image | None = None
        self.take = ComboBox(
            choices=[],
            tooltip="One alpha, all objects of a stack, or all alphas selected in the layer list (click them with Ctrl "
            "or Shift): a row of the table for each.",
        )
        add_row(form, "Take", self.take)
        self._follow(self.take)
        viewer.layers.selection.events.changed.connect(self._note_change)

    def let_go(self) -> None:
        """Stop to follow the layer list."""
        self._viewer.layers.selection.events.changed.disconnect(self._note_change)

    @property
    def by_selection(self) -> bool:
        """Whether the layer list tells which alphas are measured."""
        return bool(self.take.value == SELECTED)

    def offer(self, alpha: Image | None, image: Image | None) -> None:
        """Offer what there is: the objects of an alpha that is a stack, and the selection if there are other alphas."""
        others = [layer for layer in self._alphas(image) if layer is not alpha]
        count = 0 if alpha is None else len(objects_of(alpha))
        offered = [("the object that is seen" if count else "this alpha", THIS)]
        offered += [(f"all {count} objects", OBJECTS)] if count else []
        offered += [("all that are selected", SELECTED)] if others else []
        _offer(self.take, offered)
        if alpha is not self._taken_for and not self.by_selection:
            self.take.value = OBJECTS if count else THIS
        self._taken_for = alpha
        show_row(self._form, self.take, len(offered) > 1)

    def mattes(self, alpha: Image | None, image: Image | None) -> list[Matte]:
        """Return what is chosen.

        Raises
        ------
        InputError
            If that is nothing.
        """
        if self.by_selection:
            selected = self._viewer.layers.selection
            mattes = [Matte(layer, layer.name) for layer in self._alphas(image) if layer in selected]
            if not mattes:
                raise InputError("No alpha is selected in the layer list: click those to be measured with Ctrl.")
            return mattes
        if alpha is None:
            raise InputError("There is no alpha: make one with the Matting widget, or open one as an image.")
        return objects_of(alpha) if self.take.value == OBJECTS else [Matte(alpha)]

    def _alphas(self, image: Image | None) -> list[Image]:
        """Return the layers that may be alphas: not the image that is measured, nor maps of a matte."""
        layers = [unwrap(layer) for layer in self._viewer.layers]
        return [each for each in layers if is_matte(each) and each is not image and made_as(each) in (None, "alpha")]


class ExtentRows(FormRows):
    """Rows of a form: planes or volumes, what is seen or frame by frame, and which frames.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows.
    viewer : napari.components.ViewerModel
        Where it stands is "this slice".
    """

    def __init__(self, form: QFormLayout, viewer: ViewerModel) -> None:
        super().__init__(form)
        self._viewer = viewer
        self._alpha: Image | None = None
        self.extent = ComboBox(
            choices=[],
            tooltip="A plane in areas, or the last three axes in volumes; what is seen, or each frame of a range along "
            "an axis, with columns for the frame and its time or place.",
        )
        add_row(form, "Measure", self.extent)
        self.range = FrameRange(form, "measure")
        self.range.this_button.clicked.connect(self._choose_seen)
        self._follow(self.extent)
        self.range.changed.connect(self._note_change)

    @property
    def axes(self) -> int:
        """How many axes are measured."""
        return 3 if self.extent.value in (VOLUME, VOLUMES) else 2

    @property
    def along(self) -> int | None:
        """The axis of the frames, or None for what is seen."""
        return None if self.extent.value not in (PLANES, VOLUMES) else self.range.axis.value

    @property
    def frames_from_end(self) -> int:
        """The axis of the frames, counted from the end; 0 for none."""
        return 0 if self.along is None or self._alpha is None else self._alpha.ndim - self.along

    @property
    def wanted(self) -> range:
        """Which frames are measured."""
        return range(1) if self.along is None else self.range.wanted

    def offer(self, alpha: Image | None) -> None:
        """Offer what an alpha has; what the user has chosen stays."""
        self._alpha = alpha
        extents = [PLANE, PLANES] if series_axes(alpha, 2) else [PLANE]
        if has_volume(alpha):
            extents += [VOLUME, VOLUMES] if series_axes(alpha, 3) else [VOLUME]
        _offer(self.extent, [(_EXTENTS[extent], extent) for extent in extents])
        show_row(self._form, self.extent, len(extents) > 1)
        framed = self.extent.value in (PLANES, VOLUMES)
        self.range.show(framed)
        if not framed or alpha is None:
            return
        self.range.offer_axes(alpha, series_axes(alpha, self.axes))
        axis = self.range.axis.value
        self.range.offer_frames(alpha, axis, spatial_shape(alpha)[axis])
        self.range.enable(True, seen_frame(self._viewer, alpha, axis) is not None)

    def _choose_seen(self, _: bool = False) -> None:
        if self._alpha is not None and self.along is not None:
            seen = seen_frame(self._viewer, self._alpha, self.along)
            if seen is not None:
                self.range.choose(seen)


def _offer(box: ComboBox, choices: list[tuple[str, Any]]) -> None:
    """Give a box other choices, in this order; the one chosen stays if it is among them, else the first is taken."""
    if [box.native.itemText(number) for number in range(box.native.count())] == [text for text, _ in choices]:
        return
    chosen = box.value
    with box.changed.blocked():
        box.choices = ()  # magicgui appends what is new, whatever its order
        box.choices = choices
        box.value = chosen if chosen in [value for _, value in choices] else choices[0][1]
