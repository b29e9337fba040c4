"""What the Save button writes: the formats that suit a layer, and the work done in a worker thread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels

from lsa_engine.errors import FileError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.layers import plane_grid
from napari_lsa_matting.writers import deep_source, write_matte, write_trimap

if TYPE_CHECKING:
    from lsa_engine.image_io.writing import Bits

_SUFFIXES = (".png", ".tif", ".tiff")
_FORBIDDEN = re.compile(r'[\x00-\x1f\\/:*?"<>|.]+')


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name : str
        For a person.
    suffix : str
        ".png", ".tif" or ".ome.tif".
    bits : {8, 16} or None
        Depth of a channel; None leaves it to the writer.
    """

    name: str
    suffix: str
    bits: Bits | None = None

    @property
    def filter(self) -> str:
        """What a file dialog shows."""
        return f"{self.name} (*{self.suffix})"

    def path(self, chosen: Path) -> Path:
        """Return the file to write where a person has chosen this format and a name: a suffix in the name counts."""
        name = chosen.name.lower()
        if self.suffix == ".ome.tif" and name.endswith((".tif", ".tiff")) and ".ome." not in name:
            return chosen.with_suffix(self.suffix)
        return chosen if name.endswith(_SUFFIXES) else chosen.with_name(chosen.name + self.suffix)


_ALPHA = (Format("TIFF, float with pixel size", ".tif"), Format("OME-TIFF, float with pixel size", ".ome.tif"))
_ALPHA_PNG = Format("PNG, 16 bits", ".png", 16)
_TRIMAP = (Format("TIFF with pixel size", ".tif"), Format("OME-TIFF with pixel size", ".ome.tif"))
_TRIMAP_PNG = Format("PNG", ".png")
_COLOURS = (("PNG", ".png"), ("TIFF", ".tif"), ("OME-TIFF", ".ome.tif"))


def formats_of(layer: Image | Labels) -> list[Format]:
    """Return the formats in which a layer that a run has made, or a trimap, can be saved, the one to propose first."""
    if not isinstance(layer, Labels) and layer.rgb:
        depths: tuple[Bits, Bits] = (16, 8) if deep_source(layer.metadata) else (8, 16)
        return [Format(f"{name}, {bits} bits", suffix, bits) for name, suffix in _COLOURS for bits in depths]
    leading, _ = plane_grid(layer)
    others, png = (_TRIMAP, _TRIMAP_PNG) if isinstance(layer, Labels) else (_ALPHA, _ALPHA_PNG)
    # A PNG holds one plane.
    return list(others) if any(length > 1 for length in leading) else [png, *others]


def proposed_name(name: str) -> str:
    """Return a layer's name without what file systems, or the search for a suffix, stumble over."""
    return _FORBIDDEN.sub("-", name).strip(" -") or "layer"


@dataclass(frozen=True, eq=False)
class SaveItem:
    """A layer and its file.

    Attributes
    ----------
    path : Path
        The file.
    data : array_like
        The layer's data.
    settings : dict
        The layer's settings, as napari's writers get them.
    kind : str
        "image", or "labels" for a trimap.
    """

    path: Path
    data: Any
    settings: dict[str, Any]
    kind: str

    @classmethod
    def of(cls, layer: Image | Labels, path: Path) -> SaveItem:
        """Return what is to be written of a layer as it is now."""
        data, settings, kind = layer.as_layer_data_tuple()
        return cls(path, data, settings, kind)


@dataclass(frozen=True, eq=False)
class SaveRequest:
    """Write layers into files.

    Attributes
    ----------
    items : sequence of SaveItem
        What is written.
    bits : {8, 16} or None
        As in :class:`Format`.
    replace : bool
        Whether a person has agreed that files of these names are replaced.
    """

    items: Sequence[SaveItem]
    bits: Bits | None
    replace: bool

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> list[Path]:
        """Write the files, each whole or not at all, and return their paths.

        Raises
        ------
        LsaError
            As the functions of :mod:`~napari_lsa_matting.writers`, and if there is a file that is not to be replaced.
        """
        steps = Steps("writing", len(self.items), progress, cancel)
        there = [item.path for item in self.items if item.path.exists()]
        if there and not self.replace:
            raise FileError(f"There is a file {there[0]} already, so nothing was written: choose another name.")
        for item in self.items:
            steps.check()
            alone = progress if len(self.items) == 1 else None
            if item.kind == "labels":
                write_trimap(str(item.path), item.data, item.settings, progress=alone, cancel=cancel)
            else:
                write_matte(str(item.path), item.data, item.settings, bits=self.bits, progress=alone, cancel=cancel)
            steps.advance()
        return [item.path for item in self.items]
