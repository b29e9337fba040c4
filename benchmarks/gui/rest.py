"""When nothing of a widget is under way."""

from __future__ import annotations

from typing import Any

from napari_lsa_matting.jobs import Job
from napari_lsa_matting.plane_writer import PlaneWriter


def at_rest(widget: Any) -> bool:
    """Return whether a widget has taken note of the last change, and none of its work is under way."""
    return not (
        widget.settling
        or widget.findChildren(Job)
        or widget.findChildren(PlaneWriter)
        or getattr(widget, "busy", False)
    )
