"""Files that are either written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from lsa_engine.errors import FileError

_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_OFFERED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}  # by some file systems
_AT_ONCE = 2**20
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part\.\w+")


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file beside `path`, which becomes `path` only when the block ends well.

    On success the temporary file is flushed to the disk and renamed, which replaces an older file in one step and keeps
    its permissions. On any exception, an interrupt by the user included, it is removed and the older file stays as it
    was.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write; its folder must exist. A symbolic link is followed.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder with the same suffix, to be written by the block.

    Raises
    ------
    FileError
        If the folder is missing, there is no permission, the disk is full, or writing fails otherwise.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}.part{target.suffix}")
    with _explained(target, temporary):
        _refuse_unusable(target)
    try:
        with _explained(target, temporary):
            _create_like(temporary, target)
            yield temporary
            _flush(temporary)
            os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def reserve_room(path: Path, start: int, length: int) -> None:
    """Have the disk set aside the bytes of a file, zeros so far, that are to be written by being mapped.

    A map fills a file's holes when it is written, and where the disk is full then, the system ends the process.

    Raises
    ------
    OSError
        If the disk is full.
    """
    if os.name == "nt":
        return  # room is set aside when a file is made longer
    with path.open("rb+") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                return os.posix_fallocate(file.fileno(), start, length)
            except OSError as error:
                if error.errno not in _NOT_OFFERED:
                    raise
        file.seek(start)
        for done in range(0, length, _AT_ONCE):
            file.write(bytes(min(_AT_ONCE, length - done)))


def remove_left_overs(folder: Path) -> None:
    """Remove the temporary files that a process left in a folder when it was killed while it wrote."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _refuse_unusable(target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        target.stat()  # a name that is too long, or a path through a file, is told before the work is done
    if os.path.isdir(target):
        raise FileError(f"Cannot write {target}, because it is a folder: give the name of a file.")
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileError(f"Cannot write {target}, because it is a device or a pipe: give the name of an ordinary file.")
    if os.path.exists(target) and not os.access(target, os.W_OK):
        # A rename would replace it all the same, but its owner has said that it is not to be changed.
        raise FileError(f"Cannot write {target}, because it is write-protected: choose another name or unlock it.")


@contextlib.contextmanager
def _explained(target: Path, temporary: Path) -> Iterator[None]:
    """Turn the system's errors about the file being written into one sentence."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        about = error.filename if error.filename2 is None else error.filename2
        if about is not None and os.fspath(about) not in (str(target), str(temporary)):
            raise
        raise FileError(f"Cannot write {target}, because {_reason(error, target)}; nothing was written.") from error


def _reason(error: OSError, target: Path) -> str:
    if error.errno in _NO_SPACE:
        return "the disk is full or its quota is used up: free some space or choose another folder"
    if error.errno == errno.EFBIG:
        return "the file would be larger than the system allows: choose another disk or fewer bits"
    if error.errno in _NO_PERMISSION:
        return f"there is no permission to write in {target.parent}: choose another folder or ask for permission"
    if error.errno == errno.ENOENT:
        return f"the folder {target.parent} does not exist: make it first or choose another"
    if error.errno == errno.ENOTDIR:
        return f"{target.parent} is not a folder: choose another"
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long: choose a shorter one"
    return f"the system said {str(error)!r}: check the disk and the folder"


def _create_like(temporary: Path, target: Path) -> None:
    # Opened with the usual mode, so that the user's umask decides on permissions (a tempfile would be private).
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    if os.path.exists(target):
        shutil.copymode(target, temporary)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where the system offers that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
