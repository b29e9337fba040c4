"""The plugin's page in napari's Preferences."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from lsa_engine.progress import CancelToken
from napari_lsa_matting.matting_options import MattingOptions
from napari_lsa_matting.requests import find_facilities
from napari_lsa_matting.session import Session
from napari_lsa_matting.settings import PLUGIN, Settings, read_settings


@pytest.fixture
def preferences(plugin_settings: None, npe2pm: Any) -> Any:
    """napari's values of this plugin's settings, in a folder of the test."""
    from napari.settings import get_plugin_settings

    npe2pm.register(PluginManifest.from_distribution(PLUGIN))
    return get_plugin_settings(PLUGIN)


def test_the_manifest_and_the_module_have_the_same_settings_and_defaults(preferences: Any) -> None:
    declared = {name: value for group in preferences.model_dump().values() for name, value in group.items()}
    assert declared == asdict(Settings())
    assert read_settings() == Settings()


def test_what_is_set_is_read_and_lasts(preferences: Any) -> None:
    from napari import settings as napari_settings

    preferences.matting.device = "cpu"
    preferences.matting.memory_limit = 1.5
    preferences.trimap.band = 12
    preferences.files.cache_folder = "/data/cache"
    assert read_settings() == Settings(device="cpu", memory_limit=1.5, band=12, cache_folder="/data/cache")
    napari_settings._clear_plugin_settings_cache()  # as in the next session
    settings = read_settings()
    assert settings.band == 12
    assert settings.memory_limit == 1.5
    assert settings.cache_path == Path("/data/cache")


def test_without_the_manifest_there_are_defaults(plugin_settings: None) -> None:
    assert read_settings() == Settings()


def test_napari_refuses_a_device_that_does_not_exist(preferences: Any) -> None:
    with pytest.raises(ValueError, match="not one of the allowed"):
        preferences.matting.device = "tpu"


def test_the_page_stands_in_napari_s_preferences(preferences: Any, make_napari_viewer: Any, qtbot: Any) -> None:
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog

    viewer = make_napari_viewer()
    dialog = PreferencesDialog(viewer.window._qt_window)
    qtbot.addWidget(dialog)
    pages = [dialog._list.item(row).text() for row in range(dialog._list.count())]
    assert "LSA Matting" in pages
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert any("Unknown band" in text for text in texts)


def test_the_matting_widget_starts_as_preferred(preferences: Any, qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    options = MattingOptions(window, QFormLayout(window))
    preferences.matting.device, preferences.matting.refinement = "cpu", "paper"
    options.show_facilities(find_facilities(lambda _: None, CancelToken()))
    assert options.settings.device == "cpu"
    assert options.settings.refinement == {"method": "paper"}
    assert options.settings.weights == "lsa-lite"


def test_an_image_beyond_the_memory_limit_is_computed_in_tiles(preferences: Any, random_weights: str) -> None:
    trimap = np.zeros((600, 600), np.uint8)
    trimap[:10], trimap[10:20] = 255, 128
    tiles = []
    for limit in (4.0, 0.1):
        preferences.matting.memory_limit = limit
        with Session().matter(random_weights, "cpu") as matter:
            matter.set_image(np.zeros((600, 600, 3), np.float32))
            matter.set_trimap(trimap)
            tiles.append(matter.predict().report.tiles)
    assert tiles[0] is None
    assert tiles[1] is not None
