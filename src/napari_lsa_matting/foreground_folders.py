"""The rows that say which folder of foregrounds is refined, and where to."""

from __future__ import annotations

from pathlib import Path

from magicgui.types import FileDialogMode
from magicgui.widgets import FileEdit
from qtpy.QtWidgets import QFormLayout

from napari_lsa_matting.foreground_folder_request import RefineFolderRequest
from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.panel import add_row, show_row
from napari_lsa_matting.training_data import path_edit, path_of

_FOLDER = FileDialogMode.EXISTING_DIRECTORY


class ForegroundFolders(FormRows):
    """Three rows of a form: folders of foregrounds, of their alphas, and of what comes of them.

    Parameters
    ----------
    form : QFormLayout
        Where the rows go.
    """

    def __init__(self, form: QFormLayout) -> None:
        super().__init__(form)
        self.foregrounds = path_edit(
            _FOLDER, None, "A folder of training foregrounds: straight colours, gray, RGB or RGBA."
        )
        self.alphas = path_edit(
            _FOLDER, None, "Their alphas, files of the same names. Empty: the foregrounds' own alpha channel."
        )
        self.output = path_edit(
            _FOLDER,
            None,
            "Where the refined files go; made if it does not exist. A run that was stopped goes on there.",
        )
        rows = {"Foregrounds": self.foregrounds, "Alphas": self.alphas, "Output": self.output}
        for label, row in rows.items():
            add_row(form, label, row)
            self._follow(row)

    def show(self, shown: bool) -> None:
        """Show the rows, or hide them."""
        for row in (self.foregrounds, self.alphas, self.output):
            show_row(self._form, row, shown)

    @property
    def problem(self) -> str | None:
        """What stands against a run; what the files themselves lack is said by the run."""
        foregrounds, alphas, output = map(_chosen, (self.foregrounds, self.alphas, self.output))
        if foregrounds is None:
            return "No folder of foregrounds is chosen: choose one."
        if not foregrounds.is_dir():
            return f"There is no folder {foregrounds}: choose one that holds foregrounds."
        if alphas is not None and not alphas.is_dir():
            return f"There is no folder {alphas}: choose one that holds alphas, or none."
        if output is None:
            return "No output folder is chosen: choose where the refined files go."
        if output.is_file():
            return f"The output {output} is a file: choose a folder."
        if output.resolve() in {folder.resolve() for folder in (foregrounds, alphas) if folder is not None}:
            return f"The output {output} holds what is to be refined: choose another folder."
        return None

    def request(self, method: str, kappa: float) -> RefineFolderRequest:
        """Return what refines the folders that are chosen; only where there is no :attr:`problem`."""
        alphas = _chosen(self.alphas)
        return RefineFolderRequest(
            path_of(self.foregrounds).absolute(),
            None if alphas is None else alphas.absolute(),
            path_of(self.output).absolute(),
            method,
            kappa,
        )


def _chosen(edit: FileEdit) -> Path | None:
    """Return the path of a control, or None if it is empty, whose value would be the current folder."""
    return path_of(edit) if str(edit.line_edit.value).strip() else None
