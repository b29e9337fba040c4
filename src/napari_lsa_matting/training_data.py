"""The rows that say what a run is trained on: the recipe's folders, drawn shapes, a folder of cut-outs, open layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit
from qtpy.QtWidgets import QFormLayout

from lsa_engine.image_io.folders import pictures_in
from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.panel import add_row, show_row
from napari_lsa_matting.training_pairs import TrainingPairs, TrainingPicture
from napari_lsa_matting.training_request import folders_wanted, with_data

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.training.recipe import Recipe

RECIPE, DRAWN, FOLDER, LAYERS = "recipe", "drawn", "folder", "layers"
_SOURCES = [
    ("by the recipe", RECIPE),
    ("drawn shapes", DRAWN),
    ("a folder", FOLDER),
    ("open layers", LAYERS),
]
_OWN_IMAGES = "fine-tune"


class TrainingData(FormRows):
    """Rows of a form, and what is chosen in them.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    form : QFormLayout
        Where the rows go.
    """

    def __init__(self, viewer: ViewerModel, form: QFormLayout) -> None:
        super().__init__(form)
        self.source = ComboBox(
            choices=_SOURCES,
            tooltip="What the examples are made of. Shapes that are drawn by chance are always among them; own "
            "cut-outs, or open layers with their alpha, come into half of them (or the recipe's share).",
        )
        add_row(form, "Examples", self.source)
        self.root = path_edit(
            FileDialogMode.EXISTING_DIRECTORY, Path.home(), "Where the folders that the recipe names lie."
        )
        add_row(form, "Data folder", self.root)
        self.cutouts = path_edit(
            FileDialogMode.EXISTING_DIRECTORY,
            Path.home(),
            "A folder of RGBA pictures with straight colours, as the Foreground widget and `lsa matte --cutout` make.",
        )
        add_row(form, "Cut-outs", self.cutouts)
        self.pairs = TrainingPairs(viewer)
        form.addRow(self.pairs)
        self._follow(self.source, self.root, self.cutouts)
        self.pairs.changed.connect(self.changed.emit)

    def suit(self, recipe_name: str) -> None:
        """Choose the source that a recipe is made for."""
        self.source.value = LAYERS if recipe_name == _OWN_IMAGES else RECIPE

    def show_what_counts(self, recipe: Recipe | None, enabled: bool) -> None:
        """Show the rows that the source uses, and enable them or not."""
        source = self.source.value
        wants_root = source == RECIPE and (recipe is None or bool(folders_wanted(recipe)))
        for row, shown in ((self.root, wants_root), (self.cutouts, source == FOLDER)):
            show_row(self._form, row, shown)
            row.enabled = enabled
        self.pairs.setVisible(source == LAYERS and bool(self.pairs.rows))
        self.pairs.setEnabled(enabled)
        self.source.enabled = enabled

    def problem(self, recipe: Recipe) -> str | None:
        """Return what stands against training by a recipe on what is chosen."""
        if self.source.value == LAYERS:
            return self.pairs.problem
        if self.source.value == FOLDER:
            return _cutouts_problem(path_of(self.cutouts))
        if self.source.value == RECIPE:
            return _root_problem(recipe, path_of(self.root))
        return None

    def applied_to(self, recipe: Recipe) -> Recipe:
        """Return the recipe with what is chosen; cut-outs of layers are named when they are written."""
        if self.source.value == RECIPE:
            return recipe
        foregrounds = (path_of(self.cutouts).name,) if self.source.value == FOLDER else ()
        return with_data(recipe, foregrounds)

    @property
    def folder(self) -> Path:
        """The folder under which the recipe's data lie."""
        if self.source.value == FOLDER:
            return path_of(self.cutouts).absolute().parent
        return path_of(self.root)

    def take(self) -> tuple[TrainingPicture, ...]:
        """Return the pictures of open layers, if they are what is chosen."""
        return self.pairs.take() if self.source.value == LAYERS else ()


def path_edit(mode: FileDialogMode, value: Path | None, tip: str, filter: str | None = None) -> FileEdit:
    """Return a control that chooses one path, with a button small enough to leave room for it."""
    edit = FileEdit(mode=mode, tooltip=tip, filter=filter)
    if value is not None:
        edit.value = value
    edit.choose_btn.text = "…"
    edit.choose_btn.native.setMaximumWidth(32)
    return edit


def path_of(edit: FileEdit) -> Path:
    """Return the one path of a control that chooses one."""
    return Path(str(edit.value))


def _cutouts_problem(folder: Path) -> str | None:
    if not folder.is_dir():
        return f"There is no folder {folder}: choose one that holds cut-outs."
    pictures = pictures_in(folder)
    if not pictures:
        return f"The folder {folder} holds no pictures: choose one that holds RGBA cut-outs."
    return _without_alpha(pictures[0])


def _without_alpha(path: Path) -> str | None:
    """Return what is wrong with a picture that has no alpha channel, as far as its first bytes tell."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            mode = picture.mode
    except (OSError, UnidentifiedImageError):
        return None  # a kind that only the engine reads, which will say what is wrong
    if mode in ("RGBA", "PA", "LA") or path.suffix.lower() in (".tif", ".tiff"):
        return None
    return (
        f"{path.name} has no alpha channel, but the folder must hold RGBA cut-outs: "
        "make them with the Foreground widget, or open the pictures and train on open layers."
    )


def _root_problem(recipe: Recipe, root: Path) -> str | None:
    wanted = folders_wanted(recipe)
    if not wanted:
        return None
    if not root.is_dir():
        return f"There is no data folder {root}: choose one that exists."
    lacking = [name for name in wanted if not (root / name).is_dir()]
    if not lacking:
        return None
    return (
        f"Recipe {recipe.name!r} needs {', '.join(lacking)} in the data folder {root}: "
        "choose the folder that holds them, or other examples."
    )
