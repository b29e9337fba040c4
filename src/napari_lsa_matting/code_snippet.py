"""A run as a Python script that uses the engine alone, the arrays that it loads, and the files that hold them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import FileError, LsaError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

NUMPY = "numpy"
"""The import that a script writes as np."""


@dataclass(frozen=True, eq=False)
class Source:
    """A file that may hold what a script works on.

    Attributes
    ----------
    lines : tuple of str
        Code that reads it.
    imports : tuple of str
        What that needs: "module.name".
    holds : callable
        Tells whether the file still holds just that; work for a worker, which may raise an LsaError.
    """

    lines: tuple[str, ...]
    imports: tuple[str, ...]
    holds: Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Input:
    """Something that a script works on.

    Attributes
    ----------
    arrays : mapping of str to callable
        What is saved where no file holds it: each array by its name, read by a worker when its turn comes. Reading may
        raise an LsaError, which says why the run cannot be repeated.
    lines : tuple of str
        Code that takes them from ``arrays``.
    source : Source or None
        A file to read instead.
    """

    arrays: Mapping[str, Callable[[], NDArray[Any]]]
    lines: tuple[str, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, eq=False)
class Script:
    """Python that repeats a run.

    Attributes
    ----------
    title : str
        What it makes, for a person.
    versions : mapping of str to str
        What the run was made with.
    inputs : tuple of Input
        What it works on.
    body : tuple of str
        The lines after those that get the inputs.
    imports : tuple of str
        What they need beside ``lsa_engine as lsa``: "module.name", or :data:`NUMPY`.
    """

    title: str
    versions: Mapping[str, str]
    inputs: tuple[Input, ...]
    body: tuple[str, ...]
    imports: tuple[str, ...] = ()

    def text(self, found: Collection[Input] = (), arrays: Path | None = None) -> str:
        """Return the code.

        Parameters
        ----------
        found : collection of Input
            The inputs whose files are read.
        arrays : Path, optional
            What :class:`SaveArrays` has written; needed if some are not found.
        """
        saved = [each for each in self.inputs if each not in found]
        sources = [each.source for each in self.inputs if each in found and each.source is not None]
        imports = {*self.imports, *(name for source in sources for name in source.imports)}
        made_with = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [f"# {self.title}, made with {made_with}.", *_imports(imports | ({NUMPY} if saved else set())), ""]
        if saved:
            lines.append(f"arrays = np.load({str(arrays)!r})  # saved when this was copied: they came from no file")
        for each in self.inputs:
            lines += each.source.lines if each in found and each.source is not None else each.lines
        return "\n".join([*lines, *self.body]) + "\n"


def _imports(names: Iterable[str]) -> Iterator[str]:
    by_module: dict[str, list[str]] = {}
    for name in sorted(names):
        module, _, member = name.rpartition(".")
        by_module.setdefault(module, []).append(member)
    if by_module.pop("", None):
        yield "import numpy as np"
    yield from ("", "import lsa_engine as lsa")
    for module, members in by_module.items():
        yield f"from {module} import {', '.join(members)}"


def call(name: str, arguments: Mapping[str, Any]) -> str:
    """Return the code of a call with named arguments."""
    return f"{name}({named(arguments)})"


def named(arguments: Mapping[str, Any]) -> str:
    """Return the code of named arguments."""
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


@dataclass(frozen=True, eq=False)
class FindSources:
    """Look whether the files that layers came from still hold what a run was given.

    Attributes
    ----------
    script : Script
        The run.
    """

    script: Script

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> tuple[Input, ...]:
        """Return the inputs whose files can be read by the script."""
        steps = Steps("reading the files again", len(self.script.inputs), progress, cancel)
        found = []
        for each in self.script.inputs:
            if each.source is not None and _holds(each.source):
                found.append(each)
            steps.advance()
        return tuple(found)


def _holds(source: Source) -> bool:
    try:
        return source.holds()
    except LsaError:  # a format that only a reader of napari knows, or a file that has gone
        return False


@dataclass(frozen=True, eq=False)
class SaveArrays:
    """Save what no file holds beside the script.

    Attributes
    ----------
    script : Script
        The run.
    found : tuple of Input
        What files hold already.
    path : Path
        The file to write, which ends in .npz.
    """

    script: Script
    found: tuple[Input, ...]
    path: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> str:
        """Write the file, whole or not at all, and return the script.

        Raises
        ------
        FileError
            If it cannot be written.
        InputError
            If an array is no longer what the run was given.
        """
        from lsa_engine.image_io import atomic_path

        arrays = {
            name: read for each in self.script.inputs if each not in self.found for name, read in each.arrays.items()
        }
        steps = Steps("saving the arrays", len(arrays), progress, cancel)
        try:
            with atomic_path(self.path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                # One after the other: the frames of a stack would not fit into memory together.
                for name, read in arrays.items():
                    _put(archive, name, read())
                    steps.advance()
        except OSError as error:
            raise FileError(f"{self.path} cannot be written ({error.strerror}): choose another folder.") from error
        return self.script.text(self.found, self.path)


def _put(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
