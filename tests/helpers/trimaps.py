"""What tests do with the Trimap widget."""

from __future__ import annotations

from typing import Any

from napari_lsa_matting.trimap_widget import TrimapWidget


def open_trimap(viewer: Any) -> TrimapWidget:
    """Dock the widget in a viewer."""
    widget = TrimapWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Trimap")
    return widget
