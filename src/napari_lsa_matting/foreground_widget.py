"""The Foreground widget: an image and its alpha in, colours without spill and a cut-out out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_lsa_matting.checks import Pair, match_planes, missing
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    Index,
    add_output,
    full_data,
    image_notes,
    image_plane,
    is_matte,
    is_picture,
    is_trimap,
    made_as,
    update_output,
)
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row
from napari_lsa_matting.requests import ForegroundRequest
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

_METHODS = [("multilevel (fast)", "multilevel"), ("closed-form", "closed-form")]


class ForegroundWidget(Panel):
    """Estimate the colours of the foreground, and cut it out.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        what = self.add_group("What")
        self.image = self.add_choice(
            what,
            "Image",
            LayerChoice(napari_viewer, is_picture, tooltip="The picture; of a stack, the plane that is seen."),
        )
        self.alpha = self.add_choice(
            what,
            "Alpha",
            LayerChoice(napari_viewer, is_matte, _is_alpha, tooltip="The opacity; the Matting widget makes one."),
        )
        how = self.add_group("How")
        self.method = ComboBox(
            choices=_METHODS,
            tooltip="Multilevel: a second for 12 megapixels. Closed-form: smoother, but slow above one megapixel.",
        )
        add_row(how, "Method", self.method)
        self.make_cutout = CheckBox(
            value=True, text="Cut-out (RGBA)", tooltip="The foreground's colours with the alpha as transparency."
        )
        self.make_foreground = CheckBox(
            value=False, text="Foreground colours", tooltip="The colours alone, also where the object is transparent."
        )
        self.make_background = CheckBox(
            value=False, text="Background colours", tooltip="The colours of what lies behind the object."
        )
        for box in (self.make_cutout, self.make_foreground, self.make_background):
            how.addRow(box.native)
            box.changed.connect(self.refresh_soon)

        self.notes = Message()
        self.add(self.notes)
        self.controls = JobControls("Run", "Estimate the colours and show them as image layers.")
        self.controls.run_requested.connect(self.run)
        self.add(self.controls)
        self.follow_job(self.controls)
        self.refresh()

    def refresh(self) -> None:
        """Say what stands against a run."""
        pair = self._pair()
        problem = pair.problem
        if problem is None and not self._wanted():
            problem = "No result is chosen: tick at least one."
        self.controls.set_problem(problem)
        image = self.image.layer
        self.notes.say(*(image_notes(image) if image is not None else []))

    def run(self) -> None:
        """Estimate the colours of what is chosen, in the background."""
        pair = self._pair()
        if pair.problem is not None:
            self.refresh()
            return
        image, alpha = self.image.layer, self.alpha.layer
        request = ForegroundRequest(
            image_plane(image, pair.first), image_plane(alpha, pair.second), str(self.method.value), self._wanted()
        )
        facts = {"image": image.name, "alpha": alpha.name, "plane": list(pair.first), "method": request.method}
        deliver = partial(self._show, image, full_data(image), alpha, pair.first, facts)
        self.controls.start(f"Foreground of {image.name}", request.run, deliver)

    def _pair(self) -> Pair:
        image, alpha = self.image.layer, self.alpha.layer
        if image is None:
            return missing("There is no image layer: open an image, or File ▸ Open Sample ▸ LSA Matting.")
        if alpha is None:
            return missing("There is no alpha: make one with the Matting widget, or open one as an image.")
        if alpha is image:
            return missing(f"{image.name!r} is chosen as image and as alpha: choose its matte as alpha.")
        return match_planes(self.viewer, image, alpha)

    def _wanted(self) -> tuple[str, ...]:
        boxes = {"cut-out": self.make_cutout, "foreground": self.make_foreground, "background": self.make_background}
        return tuple(kind for kind, box in boxes.items() if box.value)

    def _show(
        self,
        image: Image,
        data: Any,
        alpha: Image,
        index: Index,
        facts: dict[str, Any],
        results: dict[str, NDArray[Any]],
    ) -> None:
        if image not in self.viewer.layers or full_data(image) is not data:
            self.controls.outcome.say("The image was removed or replaced meanwhile, so its colours were dropped.")
            return
        session = session_of(self.viewer)
        added = []
        # From below to above: the cut-out shall lie on top.
        for kind, pixels in reversed(results.items()):
            made = {"kind": kind, **facts}
            layer = session.output(image, (kind, index))
            if isinstance(layer, Image) and layer in self.viewer.layers and layer.data.shape[-3:] == pixels.shape:
                update_output(layer, pixels, index, made)
                continue
            layer = add_output(
                self.viewer,
                pixels,
                image,
                index,
                name=kind,
                facts=made,
                on_top=True,
                rgb=True,
                blending="translucent_no_depth",
            )
            session.remember_output(image, (kind, index), layer)
            added.append(layer)
        self.controls.outcome.say(f"Made: {', '.join(results)}.", self._reveal(added, alpha, image))

    def _reveal(self, added: list[Image], *inputs: Layer) -> str | None:
        """Hide what would cover or double the topmost new layer, and say so."""
        if not added:
            return None
        trimaps = [layer for layer in self.viewer.layers if is_trimap(layer)]
        hidden = [layer for layer in [*added[:-1], *inputs, *trimaps] if layer.visible]
        for layer in hidden:
            layer.visible = False
        names = ", ".join(layer.name for layer in hidden)
        return f"Hidden, so that it can be seen: {names}." if names else None


def _is_alpha(layer: Layer) -> bool:
    return made_as(layer) == "alpha"
