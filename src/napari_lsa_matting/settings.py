"""The plugin's page in napari's Preferences: what widgets start with, and where files are kept.

The page is declared under ``configurations`` in the manifest; napari keeps its values. Widgets read them when they are
opened.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

PLUGIN = "napari-lsa-matting"


@dataclass(frozen=True)
class Settings:
    """What the user prefers.

    Attributes
    ----------
    weights : str
        Name of installed weights, or path of a weights file.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    refinement : {"none", "fast", "paper"}
        Method of the refinement (§4.3).
    memory_limit : float
        Memory in GB beyond which an image is computed in tiles.
    band : int
        Pixels of unknown that are proposed on either side of an outline.
    autosave : int
        Seconds after the last edit until a trimap is saved for the case of a crash; 0 for never.
    cache_folder : str
        Where such trimaps are kept; empty for the system's place.
    """

    weights: str = "lsa-lite"
    device: str = "auto"
    refinement: str = "none"
    memory_limit: float = 4.0
    band: int = 5
    autosave: int = 3
    cache_folder: str = ""

    @property
    def cache_path(self) -> Path:
        """The folder for files that may be lost."""
        if self.cache_folder.strip():
            return Path(self.cache_folder.strip()).expanduser()
        return user_cache_path("lsa-matting", appauthor=False)


def read_settings() -> Settings:
    """Return what is set in napari's Preferences; the defaults where napari does not know the plugin."""
    values = _napari_values()
    return Settings(**{field.name: values[field.name] for field in fields(Settings) if field.name in values})


def _napari_values() -> dict[str, Any]:
    from napari.settings import get_plugin_settings

    try:
        groups = get_plugin_settings(PLUGIN)
    except KeyError:  # run from a script or a test, without the plugin's manifest
        return {}
    return {name: value for group in groups.model_dump().values() for name, value in group.items()}
