"""What tests do with the widgets, whichever it is: wait for them, and press Run."""

from __future__ import annotations

from typing import Any

from rest import at_rest


def settle(qtbot: Any, widget: Any) -> None:
    """Wait, as long as it takes, until a widget has taken note of the last change and none of its work is under way."""
    qtbot.waitUntil(lambda: at_rest(widget))


def run(qtbot: Any, widget: Any) -> str:
    """Press Run, wait until all is done, and return what is said of the run."""
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled(), widget.controls.reason.text()
    widget.controls.run_button.click()
    assert widget.controls.busy
    settle(qtbot, widget)
    return str(widget.controls.outcome.text())
