"""The rows that say which weights a run starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QFormLayout

from lsa_engine.errors import LsaError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.panel import add_row, show_row
from napari_lsa_matting.training_data import path_edit, path_of

if TYPE_CHECKING:
    from lsa_engine.training.recipe import Recipe

FROM_FILE = "a file…"
NOTHING = ""
_NOTHING_SHOWN = "nothing"


@dataclass(frozen=True)
class StartingPoints:
    """The weights that a run can start from, and where it can run.

    Attributes
    ----------
    sizes : dict of str to str
        Names of installed weights, of whole networks and of encoders, and their networks' named sizes.
    devices : tuple of str
        Names of devices that this machine has, "auto" first.
    automatic : str
        The device that a training takes by itself.
    """

    sizes: dict[str, str]
    devices: tuple[str, ...]
    automatic: str

    @property
    def device_choices(self) -> list[tuple[str, str]]:
        """The devices, each with its name for a person and that for the engine."""
        return [(f"auto ({self.automatic})" if name == "auto" else name, name) for name in self.devices]


def find_starting_points(progress: ProgressCallback, cancel: CancelToken) -> StartingPoints:
    """Look for weights and devices, and load what recipes are checked with: work for a job."""
    from lsa_engine.devices import choose_training_device, present_devices
    from lsa_engine.network import SIZES
    from lsa_engine.weights.registry import available_weights

    steps = Steps("looking for weights", 1, progress, cancel)
    found = StartingPoints(
        sizes={info.name: info.size for info in available_weights(None) if info.size in SIZES},
        devices=tuple(present_devices()),
        automatic=str(choose_training_device("auto")),
    )
    steps.finish()
    return found


class StartChoice(FormRows):
    """Two rows of a form: the weights to start from, and a file if none of the names is wanted.

    Parameters
    ----------
    form : QFormLayout
        Where the rows go.
    """

    def __init__(self, form: QFormLayout) -> None:
        super().__init__(form)
        self.points: StartingPoints | None = None
        self.weights = ComboBox(
            choices=[(_NOTHING_SHOWN, NOTHING)],
            tooltip="The weights that training begins with: those of the recipe, others of the same network, or none.",
        )
        add_row(form, "Start from", self.weights)
        self.file = path_edit(
            FileDialogMode.EXISTING_FILE, None, "Weights of the recipe's network.", "Weights (*.safetensors)"
        )
        add_row(form, "Weights file", self.file)
        self._follow(self.weights, self.file)

    def suit(self, recipe: Recipe | None) -> None:
        """Offer the weights of the recipe's network, and choose those that the recipe names."""
        choices = [(_NOTHING_SHOWN, NOTHING)]
        named = recipe.start_from if recipe is not None else None
        if recipe is not None and self.points is not None:
            choices += [(name, name) for name, size in self.points.sizes.items() if size == recipe.size]
        if named is not None and named not in dict(choices).values():
            choices.append((Path(named).name, named))
        with self.weights.changed.blocked():
            self.weights.choices = [*choices, (FROM_FILE, FROM_FILE)]
            self.weights.value = named or NOTHING
        self._note_change()

    def show_what_counts(self, enabled: bool) -> None:
        """Show the file's row where it is wanted, and enable both or not."""
        show_row(self._form, self.file, self.weights.value == FROM_FILE)
        self.weights.enabled = self.file.enabled = enabled

    def problem(self, recipe: Recipe) -> str | None:
        """Return what stands against starting from what is chosen."""
        from lsa_engine.weights.registry import find_weights

        if self.value is None:
            return None
        if self.weights.value == FROM_FILE and not path_of(self.file).is_file():
            return "No weights file is chosen: choose a .safetensors file, or weights by their name."
        try:
            size = _size_of(find_weights(self.value))
        except LsaError as error:
            return str(error)
        except OSError as error:
            return f"The weights file {self.value} cannot be read ({error.strerror}): choose another."
        if size != recipe.size:
            return f"The weights are of network {size}, but recipe {recipe.name!r} trains {recipe.size}: choose others."
        return None

    @property
    def value(self) -> str | None:
        """A name, a file, or None."""
        chosen = path_of(self.file) if self.weights.value == FROM_FILE else self.weights.value
        return str(chosen) if chosen else None


def _size_of(path: Path) -> str:
    from lsa_engine.weights.files import read_metadata

    return read_metadata(path)["size"]
