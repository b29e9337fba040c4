"""Say what is installed and found: versions, devices, weights, folders."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lsa_engine.cli.status import DONE

_DISTRIBUTION = "napari-lsa-matting"
_PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pymatting", "safetensors", "pillow", "tifffile", "imagecodecs")
_OPTIONAL = ("napari", "PyQt6", "PySide6")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa info``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    facts = collect()
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print(_as_text(facts))
    return DONE


def collect() -> dict[str, Any]:
    """Return the facts, ready for JSON: ``versions``, ``devices``, ``weights``, ``folders``."""
    return {
        "versions": _versions(),
        "devices": _devices(),
        "weights": _weights(),
        "folders": _folders(),
    }


def _versions() -> dict[str, str]:
    found = {
        _DISTRIBUTION: version(_DISTRIBUTION),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name in (*_PACKAGES, *_OPTIONAL):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _devices() -> list[dict[str, Any]]:
    import torch

    devices: list[dict[str, Any]] = [{"device": "cpu", "name": _processor(), "threads": torch.get_num_threads()}]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(
            {"device": f"cuda:{index}", "name": properties.name, "memory_bytes": properties.total_memory},
        )
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": platform.machine()})
    return devices


def _processor() -> str:
    # platform.processor() is empty on most Linux systems.
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _weights() -> list[dict[str, Any]]:
    from lsa_engine.weights import available_weights

    return [asdict(weights) | {"path": str(weights.path)} for weights in available_weights(kind=None)]


def _folders() -> dict[str, dict[str, Any]]:
    from lsa_engine.weights import user_weights_folder

    folder = user_weights_folder()
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    size = sum(path.stat().st_size for path in files)
    return {"own weights": {"path": str(folder), "exists": folder.is_dir(), "files": len(files), "bytes": size}}


def _as_text(facts: dict[str, Any]) -> str:
    lines = ["Versions", *(f"  {name:<20} {text}" for name, text in facts["versions"].items()), "", "Devices"]
    for device in facts["devices"]:
        extra = f", {device['threads']} threads" if "threads" in device else ""
        if "memory_bytes" in device:
            extra = f", {device['memory_bytes'] / 2**30:.1f} GiB"
        lines.append(f"  {device['device']:<20} {device['name']}{extra}")
    lines += ["", "Weights"]
    for weights in facts["weights"]:
        lines.append(
            f"  {weights['name']:<20} {weights['size']}, {weights['bytes'] / 1e6:.1f} MB, licence {weights['licence']}"
        )
        lines.append(f"  {'':<20} {weights['path']}")
        lines.append(f"  {'':<20} sha256 {weights['sha256']}")
    if not facts["weights"]:
        lines.append("  none is installed")
    lines += ["", "Folders"]
    for name, folder in facts["folders"].items():
        state = f"{folder['files']} files, {folder['bytes'] / 1e6:.1f} MB" if folder["exists"] else "not there yet"
        lines.append(f"  {name:<20} {folder['path']} ({state})")
    return "\n".join(lines)
