"""The manifest as npe2 and napari see it."""

from __future__ import annotations

from importlib.metadata import requires, version
from typing import Any

import pytest
from npe2 import PluginManifest

from widgets import settle


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-lsa-matting")


def test_every_python_name_of_the_manifest_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_seven_widgets_are_offered_in_this_order(manifest: PluginManifest) -> None:
    widgets = manifest.contributions.widgets or []
    names = [widget.display_name for widget in widgets]
    assert names == ["Trimap", "Matting", "Stack", "Foreground", "Measure", "Training", "First steps"]


def test_every_widget_stands_in_a_menu_that_napari_opens_to_plugins(manifest: PluginManifest) -> None:
    from napari._app_model.constants._menus import is_menu_contributable

    menus = manifest.contributions.menus
    assert all(is_menu_contributable(menu) for menu in menus)
    in_menus = {item.command for items in menus.values() for item in items}
    # Help is no step of the work with layers: it is found under Plugins.
    widgets = {widget.command for widget in manifest.contributions.widgets or []}
    assert in_menus == widgets - {"napari-lsa-matting.first_steps_widget"}


def test_readers_leave_ordinary_image_files_alone(manifest: PluginManifest) -> None:
    from fnmatch import fnmatch

    patterns = [pattern for reader in manifest.contributions.readers or [] for pattern in reader.filename_patterns]
    assert not any(fnmatch(name, pattern) for pattern in patterns for name in ("photo.png", "stack.tif", "a.jpg"))
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in ("a_trimap.png", "cutout.tiff"))


def test_the_plugin_is_of_the_version_of_the_distribution(manifest: PluginManifest) -> None:
    assert manifest.package_version == version("napari-lsa-matting")


def test_the_base_installation_brings_neither_napari_nor_qt() -> None:
    base = [need for need in requires("napari-lsa-matting") or [] if "extra ==" not in need]
    assert not any(need.lower().startswith(("napari", "pyqt", "pyside", "qtpy", "magicgui")) for need in base)


def test_napari_opens_every_widget_from_its_menu(
    make_napari_viewer_proxy: Any, manifest: PluginManifest, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    panels = []
    for widget in manifest.contributions.widgets or []:
        _, opened = viewer.window.add_plugin_dock_widget("napari-lsa-matting", widget.display_name)
        assert type(opened).__name__ == f"{widget.display_name.title().replace(' ', '')}Widget"
        panels.append(opened)
    for opened in panels:
        settle(qtbot, opened)  # a worker that still looks for weights when Python ends would abort it
