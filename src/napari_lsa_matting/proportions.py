"""Pictures in a panel that are as wide as there is room, and keep their proportions."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSizePolicy

_WIDTH = 260  # pixels, of a dock


class KeepsProportions:
    """A widget, if mixed into one, whose height follows from its width; call :meth:`keep_proportions` once.

    A picture that set its own height when resized would, in a panel that it just fills, be lower beside the scroll
    bar and higher without: the bar would come and go without end, each time one call deeper, until the stack is full.
    A layout that asks for the height settles on a width between the two.
    """

    def keep_proportions(self: Any) -> None:
        """Have layouts ask for the height."""
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def heightForWidth(self, width: int) -> int:
        """Return the height at which the picture keeps its proportions."""
        raise NotImplementedError

    def sizeHint(self) -> QSize:
        """Return a size that suits a dock."""
        return QSize(_WIDTH, self.heightForWidth(_WIDTH))

    def minimumSizeHint(self) -> QSize:
        """Return next to nothing: what matters is the height for the width."""
        return QSize(1, 1)
