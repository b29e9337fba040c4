"""Fixtures of the plugin's tests: a viewer with a scene, random small weights, and a place for notifications."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication, QFileDialog

import lsa_engine as lsa
from brakes import Brake
from lsa_engine.progress import CancelToken
from lsa_engine.trimap import Trimap
from napari_lsa_matting.code_snippet import FindSources, SaveArrays, Script
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from slow_layers import Heart, Slow
from stacks import add_stack
from watchdog import Watchdog


def take_a_screen() -> None:
    """Start a virtual screen for this process alone: it shares neither focus nor clipboard with the tests beside it."""
    receive, send = os.pipe()
    options = ["-displayfd", str(send), "-screen", "0", "1280x1024x24", "+extension", "GLX", "-nolisten", "tcp"]
    server = subprocess.Popen(["Xvfb", *options], pass_fds=[send], stderr=subprocess.DEVNULL)
    atexit.register(server.terminate)
    os.close(send)
    number = b""
    while not number.endswith(b"\n"):
        part = os.read(receive, 16)
        if not part:
            raise RuntimeError("Xvfb ended before it had a screen: try it in a shell.")
        number += part
    os.close(receive)
    os.environ["DISPLAY"] = f":{int(number)}"


if "PYTEST_XDIST_WORKER" in os.environ and shutil.which("Xvfb"):
    take_a_screen()

PATIENCE_MS = 300_000  # the first run in a process loads torch or compiles PyMatting's loops, maybe on a busy machine


class PatientBot(QtBot):  # type: ignore[misc]
    """pytest-qt's bot, with patience: no test here depends on how fast a machine is."""

    def waitUntil(self, callback: Callable[[], bool | None]) -> None:
        """Process events until something is so."""
        super().waitUntil(callback, timeout=PATIENCE_MS)

    def waitSignal(self, signal: Any) -> Any:
        """Return a context at whose end the signal has come."""
        return super().waitSignal(signal, timeout=PATIENCE_MS)


@pytest.fixture
def qtbot(qapp: Any, request: pytest.FixtureRequest) -> PatientBot:
    """Take the place of pytest-qt's own."""
    return PatientBot(request)


@pytest.fixture(scope="module", autouse=True)
def spared_by_collections() -> None:
    """Let no collection look at what is loaded: with every viewer napari has some, of half a second otherwise."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def manifests_read_once() -> Iterator[None]:
    """Let napari find the same plugins for every viewer without reading their manifests again."""
    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found))
        yield


@pytest.fixture(autouse=True)
def user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and preferences of the tests' own, in place of the user's."""
    from napari import settings

    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setattr("napari_lsa_matting.settings.user_cache_path", lambda *_, **__: folder / "cache")
    monkeypatch.setattr(settings, "_CFG_PATH", str(folder / "settings.yaml"))
    settings._clear_plugin_settings_cache()
    return folder


@pytest.fixture(scope="session")
def random_weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small network as it is before any training: enough to test everything but beauty."""
    import torch

    from lsa_engine.network import build_network
    from lsa_engine.weights.files import save_weights

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("random") / "random-lite.safetensors"
    network = build_network("lsanet-lite")
    save_weights(path, network.state_dict(), {"size": "lsanet-lite", "name": "random-lite", "licence": "CC0-1.0"})
    return path


@pytest.fixture
def random_weights(random_weights_file: Path, user_weights_folder: Path) -> str:
    """The name of random weights among the user's own."""
    (user_weights_folder / random_weights_file.name).symlink_to(random_weights_file)
    return random_weights_file.stem


@pytest.fixture
def viewer_model(scene: Any) -> ViewerModel:
    """A viewer without a window, with the scene's image in µm and its trimap."""
    viewer = ViewerModel()
    fill(viewer, scene)
    return viewer


@pytest.fixture
def scene_viewer(make_napari_viewer_proxy: Callable[..., Any], scene: Any) -> Any:
    """napari's public proxy of a real viewer, with the scene's image in µm and its trimap."""
    viewer = make_napari_viewer_proxy()
    fill(viewer, scene)
    return viewer


@pytest.fixture
def stack_viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    """A viewer with seven slices, of which the first and the fifth have trimaps."""
    viewer = make_napari_viewer_proxy()
    add_stack(viewer)
    return viewer


def fill(viewer: Any, scene: Any) -> None:
    """Add the scene's image and trimap."""
    place: dict[str, Any] = {
        "scale": (0.5, 0.5),
        "translate": (10, 20),
        "units": ("um", "um"),
        "axis_labels": ("y", "x"),
    }
    viewer.add_image(np.round(scene.image * 255).astype(np.uint8), name="photo", rgb=True, **place)
    viewer.add_labels(Trimap(scene.trimap).to_labels(), **trimap_settings(), **place)


@pytest.fixture
def notifications() -> Iterator[list[str]]:
    """The texts of napari's notifications during a test."""
    texts: list[str] = []

    def keep(notification: Any) -> None:
        texts.append(notification.message)

    notification_manager.notification_ready.connect(keep)
    yield texts
    notification_manager.notification_ready.disconnect(keep)


@pytest.fixture
def heart(qapp: Any) -> Iterator[Heart]:
    """The beat of the event loop."""
    heart = Heart()
    yield heart
    heart.stop()


@pytest.fixture
def slow(heart: Heart) -> Iterator[Callable[..., Slow]]:
    """Makes lazy data of an array: slow(pixels, seconds)."""
    made: list[Slow] = []

    def make(*settings: Any) -> Slow:
        made.append(Slow(heart, *settings))
        return made[-1]

    yield make
    for each in made:
        each.let_go()


@pytest.fixture
def paint() -> Callable[..., None]:
    """Draw a stroke with the mouse: paint(viewer, (row, column), …), in pixels of the photo, from point to point."""
    return _paint


def _paint(viewer: Any, *points: tuple[float, float]) -> None:
    canvas = unwrap(viewer).window._qt_viewer.canvas
    node = canvas.layer_to_visual[unwrap(viewer.layers["photo"])].node
    to_canvas = node.get_transform("visual", "canvas")
    places = [np.rint(to_canvas.map((column, row))[:2]).astype(int).tolist() for row, column in points]
    events = canvas._scene_canvas.events
    events.mouse_press(pos=places[0], modifiers=(), button=1)
    for place in places[1:]:
        events.mouse_move(pos=place, modifiers=(), button=1, press_event=None)
    events.mouse_release(pos=places[-1], modifiers=(), button=1)


@pytest.fixture
def open_widget(qtbot: Any, random_weights: str) -> Callable[[Any], MattingWidget]:
    """Opens the Matting widget in a viewer, with random weights on the processor."""

    def open_in(viewer: Any) -> MattingWidget:
        widget = MattingWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Matting")
        qtbot.waitUntil(lambda: widget.options.facilities is not None)
        widget.options.weights.value = random_weights
        widget.options.device.value = "cpu"
        return widget

    return open_in


@pytest.fixture
def saved_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user saves the arrays that code loads."""
    path = tmp_path / "run.npz"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    return path


@pytest.fixture
def copied(qtbot: Any) -> Callable[[CopyCode], str]:
    """Presses Copy as code, and returns what is on the clipboard then."""

    def copy(code: CopyCode) -> str:
        QApplication.clipboard().setText("")
        assert code.button.isEnabled()
        code.button.click()
        qtbot.waitUntil(lambda: not code.busy)
        return str(QApplication.clipboard().text())

    return copy


@pytest.fixture
def execute() -> Callable[[str], dict[str, Any]]:
    """Executes code in a thread of its own, and returns its names.

    In a thread, torch has as many threads as in a widget's worker; with another number, sums differ in their last
    digit, and many steps with random weights make much of that.
    """

    def execute(code: str) -> dict[str, Any]:
        assert "napari" not in code
        names: dict[str, Any] = {}
        with ThreadPoolExecutor(1) as pool:
            pool.submit(exec, code, names).result()
        return names

    return execute


@pytest.fixture
def repeat(tmp_path: Path, execute: Callable[[str], dict[str, Any]]) -> Callable[[Script], tuple[str, dict[str, Any]]]:
    """Writes a script with what it loads, executes it, and returns the code and its names."""

    def repeat(script: Script) -> tuple[str, dict[str, Any]]:
        found = FindSources(script).run(lambda _: None, CancelToken())
        code = SaveArrays(script, found, tmp_path / "repeat.npz").run(lambda _: None, CancelToken())
        return code, execute(code)

    return repeat


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> Brake:
    """A brake on predictions of the network."""
    brake = Brake()
    predict = lsa.Matter.predict

    def held_up(matter: Any, *, cancel: Any = None, **settings: Any) -> Any:
        try:
            brake.wait(cancel)
            return predict(matter, cancel=cancel, **settings)
        finally:
            brake.ended.set()

    monkeypatch.setattr(lsa.Matter, "predict", held_up)
    return brake


@pytest.fixture(scope="session")
def no_run_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End runs even if the tests are killed."""
    watchdog = Watchdog(tmp_path_factory.getbasetemp())
    yield
    watchdog.dismiss()
