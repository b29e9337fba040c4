"""The named weights: those that come with the package, and the user's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lsa_engine.errors import WeightsError
from lsa_engine.weights.files import MATTING, SUFFIX, file_sha256, read_metadata

_LOG = logging.getLogger(__name__)
_SHIPPED_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class WeightsInfo:
    """What is known of a weights file without loading it.

    Attributes
    ----------
    name : str
        The name to ask for it by: the file's name without its suffix.
    size : str
        Named size of the network (:data:`lsa_engine.network.SIZES`).
    path : Path
        Where the file lies.
    sha256 : str
        Hash of the file, in hexadecimal.
    licence : str
        Licence of the weights, "unstated" if the file does not say.
    description : str
        What the weights are, in a sentence; may be empty.
    bytes : int
        Length of the file.
    kind : str
        "matting" for a whole network, "encoder" for one to start training from.
    """

    name: str
    size: str
    path: Path
    sha256: str
    licence: str
    description: str
    bytes: int
    kind: str = MATTING


def user_weights_folder() -> Path:
    """Return the folder of the user's own weights: LSA_WEIGHTS_DIR, else the one this system keeps for data."""
    configured = os.environ.get("LSA_WEIGHTS_DIR")
    if configured:
        return Path(configured).expanduser()
    from platformdirs import user_data_dir

    return Path(user_data_dir("lsa-matting", appauthor=False)) / "weights"


def available_weights(kind: str | None = MATTING) -> list[WeightsInfo]:
    """Return the weights that can be asked for by name: those that come with the package, then the user's own.

    A file that cannot be read is passed over with a logged warning, and so is a user's file with a shipped name.

    Parameters
    ----------
    kind : {"matting", "encoder", None}
        Weights of whole networks, encoders to start training from, or both.

    Returns
    -------
    list of WeightsInfo
    """
    found: dict[str, WeightsInfo] = {}
    for path in _weights_files():
        try:
            info = describe_weights(path)
        except (WeightsError, OSError) as error:
            _LOG.warning("Passed over weights file %s: %s", path, error)
            continue
        if info.name in found:
            _LOG.warning("Passed over weights file %s: %s comes with the package; rename it.", path, info.name)
        else:
            found[info.name] = info
    return [info for info in found.values() if kind in (None, info.kind)]


def find_weights(name_or_path: str | Path) -> Path:
    """Return the weights file that a name or a path stands for.

    Parameters
    ----------
    name_or_path : str or Path
        A name that :func:`available_weights` lists, or a file. Names come first.

    Raises
    ------
    WeightsError
        If there is neither; the message lists the known names.
    """
    known: dict[str, Path] = {}
    for path in _weights_files():
        known.setdefault(path.stem, path)
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    if isinstance(name_or_path, (str, os.PathLike)):
        with suppress(OSError, RuntimeError):  # names that are too long, or homes of nobody
            path = Path(name_or_path).expanduser()
            if path.is_file():
                return path
    names = ", ".join(known) or "none is installed"
    raise WeightsError(
        f"Got weights {str(name_or_path)!r}, expected a {SUFFIX} file or a known name ({names}); check the name, "
        "or make weights with 'lsa train' or 'lsa import-weights'."
    )


def describe_weights(path: Path) -> WeightsInfo:
    """Return what a weights file says of itself, with its length and hash.

    Raises
    ------
    WeightsError
        If the file is not one of ours, or is cut short.
    """
    metadata = read_metadata(path)
    status = path.stat()
    return WeightsInfo(
        name=path.stem,
        size=metadata["size"],
        path=path,
        sha256=_remembered_sha256(path, status.st_mtime_ns, status.st_size),
        licence=metadata.get("licence", "unstated"),
        description=metadata.get("description", ""),
        bytes=status.st_size,
        kind=metadata.get("kind", MATTING),
    )


def shipped_names() -> set[str]:
    """Return the names of the weights that come with the package."""
    return {path.stem for path in _files_in(_SHIPPED_FOLDER)}


def _weights_files() -> Iterator[Path]:
    yield from _files_in(_SHIPPED_FOLDER)
    yield from _files_in(user_weights_folder())


def _files_in(folder: Path) -> list[Path]:
    try:
        # A leading dot marks a file that is still being written.
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        _LOG.warning("Passed over weights folder %s: %s", folder, error)
        return []


@lru_cache(maxsize=64)
def _remembered_sha256(path: Path, modified: int, length: int) -> str:
    """Hash a file once as long as it does not change: a listing must not read hundreds of megabytes each time."""
    return file_sha256(path)
