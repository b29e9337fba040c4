"""The part of the Trimap widget that changes a trimap as a whole: buttons and two distances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.layers import Labels
from qtpy.QtWidgets import QFormLayout, QGridLayout, QPushButton

from lsa_engine import trimap_editing
from napari_lsa_matting.distance_box import DistanceBox
from napari_lsa_matting.layers import pixel_spacing
from napari_lsa_matting.panel import add_row
from napari_lsa_matting.trimap_requests import ToolRequest

_SPECK = 10  # pixels


@dataclass(frozen=True)
class Tool:
    """One way to change a trimap.

    Attributes
    ----------
    title, tip : str
        Text and tooltip of its button.
    change : callable
        One of :mod:`lsa_engine.trimap_editing`.
    """

    title: str
    tip: str
    change: Callable[..., Any]


BAND_TOOLS = {
    "widen": Tool("Widen", "Let the unknown band grow by the distance, on both sides.", trimap_editing.widen_unknown),
    "narrow": Tool(
        "Narrow",
        "Let what is known grow into the unknown band by the distance; a line of it stays.",
        trimap_editing.narrow_unknown,
    ),
    "smooth": Tool("Smooth", "Round outlines off, over about the distance.", trimap_editing.smooth_outlines),
}
SPECK_TOOLS = {
    "fill": Tool(
        "Fill holes",
        "Fill what the foreground surrounds, and unknown specks in the background.",
        trimap_editing.fill_holes,
    ),
    "islands": Tool(
        "Remove islands",
        "Remove specks of foreground and background; the largest of each stays.",
        trimap_editing.remove_islands,
    ),
}


class TrimapTools:
    """Rows of a form: distances in the trimap's unit, and a button for every tool.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows.
    band : int
        Pixels to propose as distance.
    pressed : callable
        Gets the name of the tool whose button is pressed.

    Attributes
    ----------
    distance, speck : DistanceBox
        What the first three tools, and the other two, go by.
    buttons : dict of str to QPushButton
        By the tools' names: "widen", "narrow", "smooth", "fill", "islands".
    """

    def __init__(self, form: QFormLayout, band: int, pressed: Callable[[str], None]) -> None:
        self.distance = DistanceBox(band, tooltip="How far the band is widened or narrowed, or outlines smoothed.")
        self.speck = DistanceBox(
            _SPECK, tooltip="Holes and islands go that are no larger than a disc of this diameter."
        )
        self.buttons: dict[str, QPushButton] = {}
        for text, box, tools in (
            ("Distance", self.distance, BAND_TOOLS),
            ("No larger than", self.speck, SPECK_TOOLS),
        ):
            add_row(form, text, box)
            # Three in a row would make the dock wide.
            grid = QGridLayout()
            for number, (name, tool) in enumerate(tools.items()):
                button = self.buttons[name] = QPushButton(tool.title)
                button.setToolTip(tool.tip)
                button.clicked.connect(lambda _=False, name=name: pressed(name))
                whole_row = number % 2 == 0 and number == len(tools) - 1
                grid.addWidget(button, *divmod(number, 2), 1, 2 if whole_row else 1)
            form.addRow(grid)

    def refresh(self, trimap: Labels | None, usable: bool) -> None:
        """Take the unit of the trimap, and enable the buttons."""
        for box in (self.distance, self.speck):
            box.follow(trimap)
        for button in self.buttons.values():
            button.setEnabled(usable)

    def request(self, name: str, trimap: Labels, labels: Any) -> tuple[str, ToolRequest]:
        """Return the title of a tool, and what it does to the labels (H, W) of a plane."""
        tool = (BAND_TOOLS | SPECK_TOOLS)[name]
        box = self.distance if name in BAND_TOOLS else self.speck
        return tool.title, ToolRequest(tool.change, labels, float(box.value), pixel_spacing(trimap)[0])
