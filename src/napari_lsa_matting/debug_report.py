"""What is worth knowing when something goes wrong, as text to paste into a report, without personal paths."""

from __future__ import annotations

import platform
import re
import traceback
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.settings import PLUGIN, Settings

_PACKAGES = (PLUGIN, "napari", "npe2", "qtpy", "torch", "numpy", "scipy", "scikit-image", "pymatting")


@dataclass(frozen=True, eq=False)
class DebugReportRequest:
    """Write a debug report: work for a worker, because it loads torch and reads weights.

    Attributes
    ----------
    settings : Settings
        What the user prefers.
    qt : str
        Binding and version of Qt.
    error : BaseException or None
        What was raised last.
    """

    settings: Settings
    qt: str
    error: BaseException | None

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> str:
        """Return the report as text."""
        steps = Steps("collecting versions", 2, progress, cancel)
        lines = ["napari-lsa-matting debug report", "", "[versions]"]
        lines += [f"{name}: {_version(name)}" for name in _PACKAGES]
        lines += [f"Qt: {self.qt}", f"Python: {platform.python_version()}", f"system: {platform.platform()}"]
        steps.advance(message="looking for devices and weights")
        lines += ["", "[devices]", *_devices(), "", "[weights]", *_weights(), "", "[settings]"]
        lines += [f"{name}: {value!r}" for name, value in asdict(self.settings).items()]
        lines += ["", "[last error]", *_error(self.error)]
        steps.advance()
        return without_paths("\n".join(lines)) + "\n"


def without_paths(text: str) -> str:
    """Return a text in which the user's folder is "~", and other absolute paths are cut to their last two parts."""
    home = str(Path.home())
    text = text.replace(home, "~") if len(home) > 1 else text
    return re.sub(r"(?:[A-Za-z]:)?(?:[\\/][^\\/\s'\",:]+)+(?=[\\/][^\\/\s'\",:]+[\\/][^\\/\s'\",:]+)", "…", text)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    import torch

    from lsa_engine.devices import choose_device

    lines = [f"auto: {choose_device('auto')}"]
    for index in range(torch.cuda.device_count()):
        lines.append(f"cuda:{index}: {torch.cuda.get_device_name(index)}")
    return [*lines, f"CUDA of torch: {torch.version.cuda or 'none'}", f"threads: {torch.get_num_threads()}"]


def _weights() -> list[str]:
    from lsa_engine.weights.registry import available_weights

    return [f"{info.name}: {info.size}, {info.bytes} bytes, sha256 {info.sha256}" for info in available_weights()]


def _error(error: BaseException | None) -> list[str]:
    if error is None:
        return ["none"]
    return "".join(traceback.format_exception(error)).rstrip().splitlines()
