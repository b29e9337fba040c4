"""Readers: trimaps and alphas come back with size and provenance, cut-outs keep straight colours and all bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsa_engine.arrays import as_alpha
from lsa_engine.errors import FileError
from lsa_engine.image_io import read_alpha, read_image
from lsa_engine.image_io.provenance import read_record
from lsa_engine.image_io.stacks import read_stack
from lsa_engine.image_io.trimap_files import read_trimaps
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.object_layers import OBJECT_AXIS
from napari_lsa_matting.stack_axes import recorded_place
from napari_lsa_matting.trimap_layer import trimap_settings

LayerTuple = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerTuple]]

_SUFFIXES = (".png", ".tif", ".tiff")


def get_trimap_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of trimap files, or None for other files."""
    return _read_trimaps if _readable(path) else None


def get_alpha_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of alphas, or None for other files."""
    return _read_alphas if _readable(path) else None


def get_cutout_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of RGBA cut-outs, or None for other files."""
    return _read_cutouts if _readable(path) else None


def _read_trimaps(path: str | Sequence[str]) -> list[LayerTuple]:
    layers = []
    for file in _files(path):
        trimaps, record = read_trimaps(file), read_record(file)
        settings = {**trimap_settings(), "name": Path(file).stem, **recorded_place(trimaps.stack.axes, record)}
        made = record.get(METADATA_KEY)
        if isinstance(made, Mapping) and made.get("kind") == "trimap":
            settings["metadata"] = {METADATA_KEY: dict(made)}
        layers.append((trimaps.to_labels(), settings, "labels"))
    return layers


def _read_alphas(path: str | Sequence[str]) -> list[LayerTuple]:
    layers = []
    for file in _files(path):
        stack, record = read_stack(file, colours=False), read_record(file)
        if stack is None:
            axes, pixels = "", read_alpha(file)
        else:
            planes = [as_alpha(stack.page(number), f"alpha in {file}") for number in range(len(stack))]
            axes, pixels = stack.axes, np.stack(planes).reshape(*stack.shape, *planes[0].shape)
        settings = {
            "name": Path(file).stem,
            "rgb": False,
            "colormap": "gray",
            "contrast_limits": (0.0, 1.0),
            **recorded_place(axes, record),
        }
        made = record.get(METADATA_KEY)
        if isinstance(made, Mapping) and made.get("kind") == "alpha":
            settings["metadata"] = {METADATA_KEY: dict(made)}
            if "objects" in made and "axis_labels" in settings:  # a file calls them channels
                labels = settings["axis_labels"]
                settings["axis_labels"] = tuple(OBJECT_AXIS if label == "c" else label for label in labels)
        layers.append((pixels, settings, "image"))
    return layers


def _read_cutouts(path: str | Sequence[str]) -> list[LayerTuple]:
    layers = []
    for file in _files(path):
        pixels = read_image(file)
        if pixels.ndim != 3 or pixels.shape[2] != 4:
            raise FileError(
                f"{file} holds an image of shape {pixels.shape}, but a cut-out has four channels (RGBA): "
                "open it with napari's own reader."
            )
        # Not with the record itself: what was cut out may be an image to work on again.
        place = recorded_place("", read_record(file))
        settings = {"name": Path(file).stem, "rgb": True, "blending": "translucent_no_depth", **place}
        layers.append((pixels, settings, "image"))
    return layers


def _files(path: str | Sequence[str]) -> list[str]:
    return [path] if isinstance(path, str) else list(path)


def _readable(path: str | Sequence[str]) -> bool:
    return all(Path(file).suffix.lower() in _SUFFIXES for file in _files(path))
