"""Read other people's checkpoints as plain tensors, without running what they hold."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.errors import FileError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("state_dict", "model")
_PARALLEL_PREFIX = "module."
# What plain tensors are rebuilt with; anything else that a refused file asks for is reported.
_PLAIN = re.compile(
    r"collections\.OrderedDict|torch\.(\w+Storage|Size|device|\w+\d+|storage\.\w+|_utils\._rebuild_\w+|nn\.parameter\.Parameter)"
)
_DAMAGE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a checkpoint's tensors by name, and what else it says of itself that is worth keeping.

    Unwraps ``{"state_dict": …}`` and ``{"model": …}``, and takes off the ``module.`` of data-parallel training.

    Parameters
    ----------
    path : Path
        A file written by ``torch.save``, or safetensors.

    Raises
    ------
    FileError
        If the file is missing or must not be read.
    WeightsError
        If it is damaged or foreign, would run code when loaded, or holds something other than tensors.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(9)
    except OSError as error:
        raise FileError(
            f"Got checkpoint {path}, which cannot be read ({error.strerror}); check its name and permissions."
        ) from error
    # A safetensors file begins with the length of its header, which is JSON.
    content = _load_safetensors(path) if beginning[8:] == b"{" else _load_tensors(path)
    facts = {}
    if isinstance(content, Mapping) and isinstance(content.get("epoch"), int):
        facts["epoch"] = str(content["epoch"])
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    return _named_tensors(content, path), facts


def _load_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"Got checkpoint {path}, a damaged safetensors file ({error}), expected a whole one; get the file again."
        ) from error


def _load_tensors(path: Path) -> Any:
    import torch

    try:
        # Given a file and not its path, torch goes by what is in it and not by how its name ends.
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except (*_DAMAGE, OSError) as error:
        wanted = _wanted_code(path)
        if wanted:
            raise WeightsError(
                f"Got checkpoint {path}, a pickle that would run code when loaded (it asks for {', '.join(wanted)}), "
                "expected plain tensors; nothing of it was run: get the weights as safetensors or a plain state_dict."
            ) from error
        raise WeightsError(
            f"Got checkpoint {path}, expected a file of tensors written by torch.save, but it is damaged or of another "
            f"kind ({_reason(error)}); get the file again."
        ) from error


def _reason(error: BaseException) -> str:
    # What torch says first is advice to load the file unsafely; its reason comes later.
    text = str(error).partition("WeightsUnpickler error:")[2] or str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].strip()[:120]


def _wanted_code(path: Path) -> list[str]:
    """Return what a pickle would import beyond tensors, up to four names, without running it."""
    wanted: list[str] = []
    strings: list[str] = []
    try:
        pickles = io.BytesIO(_pickle_bytes(path))
        # torch's older format is several pickles in a row; what follows them is no pickle and ends the search.
        while True:
            for opcode, argument, _ in pickletools.genops(pickles):
                if isinstance(argument, str):
                    strings.append(argument)
                if opcode.name in ("GLOBAL", "INST"):
                    wanted.append(str(argument).replace(" ", "."))
                elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
                    wanted.append(".".join(strings[-2:]))
    except (*_DAMAGE, OSError, zipfile.BadZipFile):
        # The names are for the message only: what was found before the end will do.
        return [name for name in dict.fromkeys(wanted) if not _PLAIN.fullmatch(name)][:4]


def _pickle_bytes(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("data.pkl")), "data.pkl")
        return archive.read(name)


def _named_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"Got checkpoint {path} with nothing but {type(content).__name__} in it, expected tensors by name; get one."
        )
    odd = [
        str(name) for name, value in content.items() if not (isinstance(name, str) and isinstance(value, torch.Tensor))
    ]
    if odd:
        raise WeightsError(
            f"Got checkpoint {path}, in which {len(odd)} entries are no tensors ({', '.join(odd[:8])}), expected named "
            "tensors, or a 'state_dict' of them; save the network's state_dict alone."
        )
    if all(name.startswith(_PARALLEL_PREFIX) for name in content):
        content = {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in content.items()}
    return {name: tensor.detach() for name, tensor in content.items()}
