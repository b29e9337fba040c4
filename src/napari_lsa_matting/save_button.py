"""The button that writes what the last run has made into files."""

from __future__ import annotations

import weakref
from inspect import unwrap
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.history import get_save_history, update_save_history
from napari.utils.notifications import show_info
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QVBoxLayout, QWidget

from lsa_engine.progress import Progress
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message, describe_progress
from napari_lsa_matting.saving import Format, SaveItem, SaveRequest, formats_of, proposed_name

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

_SAVE, _CANCEL = "Save…", "Cancel saving"
_NO_RUN = "There is nothing to save yet: run first."
_REMOVED = "What the last run made was removed: run once more."
_CANCEL_TIP = "Stop writing; no file is left half written."
_ALL = "All, a file each…"


class SaveButton(QWidget):
    """Save the layers of the last run, or a trimap, with this plugin's writers; of several, a menu asks which.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    what : str
        What is saved, for a person: "the last matte".
    nothing : str
        What to say where there is nothing to save.
    """

    def __init__(self, viewer: ViewerModel, what: str, nothing: str = _NO_RUN) -> None:
        super().__init__()
        self._nothing = nothing
        self._viewer = viewer
        self._tip = f"Write {what} to a file: in full depth, with the pixel size and a record of how it was made."
        self._layers: list[weakref.ref[Image | Labels]] = []
        self._job: Job | None = None
        self.button = QPushButton(_SAVE)
        self.button.clicked.connect(self._press)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.menu.triggered.connect(self._choose)
        self.status = Message()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.button)
        rows.addWidget(self.status)
        viewer.layers.events.removed.connect(self._refresh)
        self._refresh()

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self._job is not None

    @property
    def layers(self) -> list[Image | Labels]:
        """What there is to save."""
        alive = [reference() for reference in self._layers]
        return [layer for layer in alive if layer is not None and layer in self._viewer.layers]

    def offer(self, *layers: Image | Labels) -> None:
        """Offer layers in place of those before: what a run has made, or a trimap; none if there is nothing."""
        self._layers = [weakref.ref(unwrap(layer)) for layer in layers]
        if not self.busy:
            self.status.say()
        self._refresh()

    def let_go(self) -> None:
        """Stop to follow the viewer."""
        self._viewer.layers.events.removed.disconnect(self._refresh)

    def choose_file(self, *layers: Image | Labels) -> None:
        """Ask where to write layers, and write them."""
        if not layers:  # removed while the menu was open
            return
        names = [layer.name for layer in layers]
        formats = formats_of(layers[0])
        dialog = QFileDialog(self, f"Save {', '.join(names)}", get_save_history()[0])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        by_filter = {kind.filter: kind for kind in formats}
        dialog.setNameFilters(list(by_filter))
        # Added by the dialog itself, so that it asks before a file of the full name is replaced.
        dialog.setDefaultSuffix(formats[0].suffix[1:])
        dialog.filterSelected.connect(lambda text: dialog.setDefaultSuffix(by_filter[text].suffix[1:]))
        dialog.selectFile(proposed_name(names[0] if len(names) == 1 else ""))
        accepted = bool(dialog.exec())
        files, chosen = dialog.selectedFiles(), dialog.selectedNameFilter()
        dialog.deleteLater()
        if accepted and files:
            self.save(Path(files[0]), by_filter.get(chosen, formats[0]), *layers)

    def save(self, chosen: Path, kind: Format, *layers: Image | Labels) -> None:
        """Write layers, in the background.

        Parameters
        ----------
        chosen : Path
            The file, which is replaced if it is there; of several layers, what the names of their files begin with.
        kind : Format
            The format; what the suffix of `chosen` says, if it has one, goes before it.
        *layers : napari.layers.Image or napari.layers.Labels
            What is written.
        """
        if self.busy:
            return
        path = kind.path(chosen)
        if len(layers) == 1:
            items = [SaveItem.of(layers[0], path)]
        else:
            stem, suffix = path.name[: path.name.index(".", 1)], path.name[path.name.index(".", 1) :]
            names = [f"{stem} {proposed_name(layer.name)}{suffix}" for layer in layers]
            items = [SaveItem.of(layer, path.with_name(name)) for layer, name in zip(layers, names, strict=True)]
        # The dialog has asked whether the file of the very name is to be replaced, and no other.
        request = SaveRequest(items, kind.bits, replace=len(items) == 1 and path == chosen)
        job = self._job = Job(f"Saving {path.name}", request.run, self)
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(self._show_written)
        job.failed.connect(self._fail)
        job.ended.connect(self._end)
        self.status.say("writing …")
        self._refresh()
        job.start()

    def _press(self, _: bool = False) -> None:
        if self._job is not None:
            self._job.cancel()
            self.status.say("stopping …")
            return
        layers = self.layers
        if len(layers) == 1:
            self.choose_file(layers[0])

    def _fill_menu(self) -> None:
        self.menu.clear()
        for number, layer in enumerate(self.layers):
            # An ampersand would make the next letter a shortcut.
            self._add_action(f"{layer.name.replace('&', '&&')}…", number)
        self.menu.addSeparator()
        self._add_action(_ALL, None)

    def _add_action(self, text: str, number: int | None) -> None:
        action = QAction(text, self.menu)
        action.setData(number)
        self.menu.addAction(action)

    def _choose(self, action: QAction) -> None:
        layers, number = self.layers, action.data()
        self.choose_file(*(layers if number is None else layers[number : number + 1]))

    def _refresh(self, _: object = None) -> None:
        count = len(self.layers)
        self.button.setMenu(self.menu if count > 1 and not self.busy else None)
        self.button.setText(_CANCEL if self.busy else _SAVE)
        self.button.setEnabled(self.busy or count > 0)
        if self.busy:
            self.button.setToolTip(_CANCEL_TIP)
        else:
            self.button.setToolTip(self._tip if count else _REMOVED if self._layers else self._nothing)

    def _show_progress(self, progress: Progress) -> None:
        self.status.say(describe_progress(progress))

    def _show_written(self, paths: list[Path]) -> None:
        update_save_history(str(paths[0]))
        text = f"Saved {', '.join(map(str, paths))}."
        self.status.say(text)
        show_info(text)

    def _fail(self, error: Exception) -> None:
        self.status.say(str(error))
        notify_error(error)

    def _end(self) -> None:
        if self._job is not None and self._job.cancelled:
            self.status.say("Cancelled; no file was left half written.")
        self._job = None
        self._refresh()
