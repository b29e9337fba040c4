"""What a run needs before its process starts: the recipe with the data that was chosen, and the cut-outs it names."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import FileError, InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.training.runs import RECIPE_FILE

if TYPE_CHECKING:
    from lsa_engine.training.recipe import Recipe
    from napari_lsa_matting.training_pairs import TrainingPicture

CUTOUTS = "cut-outs"
PHOTOS = "skimage"


class Prepared(NamedTuple):
    """The recipe's file, and the folder under which its data lie."""

    recipe: Path
    data: Path


def with_data(recipe: Recipe, foregrounds: tuple[str, ...]) -> Recipe:
    """Return a recipe whose examples are these foregrounds and drawn shapes over scikit-image's photographs."""
    data = {"photos": (PHOTOS,), "validation_photos": (PHOTOS,), "sprites": (), "foregrounds": foregrounds}
    # What is trained on own pictures is no longer under the recipe's licence.
    licence = "unstated" if foregrounds else recipe.licence
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=data), "licence": licence})


def folders_wanted(recipe: Recipe) -> list[str]:
    """Return the names of the data folders that a recipe asks for, without the photographs that are always there."""
    data = recipe.data
    names = dict.fromkeys((*data.photos, *data.sprites, *data.foregrounds, *data.validation_photos))
    return [name for name in names if name != PHOTOS]


@dataclass(frozen=True, eq=False)
class PrepareRequest:
    """Write the run's recipe into its folder, and the cut-outs of open layers beside it.

    Attributes
    ----------
    recipe : Recipe
        With the data chosen, but for the cut-outs' folder.
    folder : Path
        The run's folder.
    data : Path
        The folder under which the recipe's data lie.
    pictures : tuple of TrainingPicture
        What to cut out; empty where the recipe names folders of its own.
    """

    recipe: Recipe
    folder: Path
    data: Path
    pictures: tuple[TrainingPicture, ...] = ()

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Prepared:
        """Write, and return where.

        Raises
        ------
        InputError
            If a picture has no object to cut out.
        FileError
            If the folder cannot be written to.
        """
        from lsa_engine.image_io import atomic_path

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            recipe, data = self.recipe, self.data
            if self.pictures:
                cutouts = self._write_cutouts(progress, cancel)
                recipe, data = with_data(recipe, (cutouts.name,)), self.folder
            path = self.folder / RECIPE_FILE
            with atomic_path(path) as temporary:
                temporary.write_text(recipe.to_toml(), "utf-8")
        except OSError as error:
            raise FileError(
                f"The run cannot be prepared in {self.folder} ({error.strerror}): "
                "choose a folder that can be written to."
            ) from error
        return Prepared(path, data)

    def _write_cutouts(self, progress: ProgressCallback, cancel: CancelToken) -> Path:
        from lsa_engine.image_io import write_rgba

        folder = _new_folder(self.folder)
        steps = Steps("cutting out", len(self.pictures), progress, cancel)
        try:
            for number, picture in enumerate(self.pictures, 1):
                cutout = _cut_out(picture, cancel)
                write_rgba(folder / f"{number:03d}-{_file_name(picture.image.name)}.png", cutout, bits=8)
                steps.advance()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder


def _cut_out(picture: TrainingPicture, cancel: CancelToken) -> NDArray[np.float32]:
    from lsa_engine.arrays import as_float_image
    from lsa_engine.training.own_images import cut_out_object, trim_cutout

    name = picture.image.name
    try:
        if picture.alpha is None:
            return trim_cutout(np.asarray(picture.image.pixels))
        image = as_float_image(picture.image.colours(), data_range=picture.image.data_range)
        return cut_out_object(image, np.asarray(picture.alpha.pixels), cancel=cancel)
    except InputError as error:
        raise InputError(f"{name!r} cannot be trained on. {error}") from error


def _new_folder(run: Path) -> Path:
    """Make a folder for cut-outs in a run's folder, and leave those of an earlier try as they are."""
    for number in range(1, 10000):
        folder = run / (CUTOUTS if number == 1 else f"{CUTOUTS}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileError(f"{run} holds {number} folders of cut-outs: choose another folder for the run.")


def _file_name(name: str) -> str:
    """Return a layer's name without what a file's cannot have."""
    return re.sub(r"[^\w\-]+", "-", name).strip("-")[:60] or "picture"
