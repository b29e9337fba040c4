from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lsa_engine.errors import FileError
from lsa_engine.image_io import atomic_path
from lsa_engine.image_io.stacks import growing_stack, read_stack
from lsa_engine.image_io.tiff import growing_alpha


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run_python(code: str, *arguments: object) -> str:
    """Run code in a process of its own, whose limits and rights may be taken away, and return what it prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_the_file_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "alpha.png"
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert names_in(tmp_path) == ["alpha.png"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_or_interrupt_removes_the_half_and_keeps_the_older_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "alpha.png"
    target.write_bytes(b"older")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert target.read_bytes() == b"older"
    assert names_in(tmp_path) == ["alpha.png"]


def test_an_older_file_is_replaced_and_its_permissions_stay(tmp_path: Path) -> None:
    target = tmp_path / "alpha.png"
    target.write_bytes(b"older")
    target.chmod(0o640)
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"newer")
    assert target.read_bytes() == b"newer"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with atomic_path(tmp_path / "alpha.png") as temporary:
        temporary.write_bytes(b"")
    assert (tmp_path / "alpha.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = tmp_path / "link.png"
    link.symlink_to(folder / "real.png")
    with atomic_path(link) as temporary:
        temporary.write_bytes(b"whole")
    assert link.is_symlink()
    assert (folder / "real.png").read_bytes() == b"whole"


def test_a_relative_path_is_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_path("alpha.png") as temporary:
        temporary.write_bytes(b"whole")
    assert names_in(tmp_path) == ["alpha.png"]


def test_a_name_of_the_longest_kind_is_written(tmp_path: Path) -> None:
    target = tmp_path / ("a" * 251 + ".png")
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"


def test_targets_that_cannot_be_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target, words in [
        (tmp_path, "it is a folder"),
        (tmp_path / "missing" / "alpha.png", "missing does not exist: make it first"),
        (tmp_path / "file" / "alpha.png", "is not a folder"),
        (tmp_path / ("a" * 300 + ".png"), "name is too long"),
        (Path("/dev/full"), "device or a pipe"),
    ]:
        with pytest.raises(FileError, match=words), atomic_path(target):
            pytest.fail("the block must not run")
    assert names_in(tmp_path) == ["file"]


WRITE_AS_NOBODY = """
import os, sys
from pathlib import Path
from lsa_engine.errors import FileError
from lsa_engine.image_io import atomic_path

if os.geteuid() == 0:  # nothing is forbidden to root
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    with atomic_path(sys.argv[1]) as temporary:
        temporary.write_bytes(b"newer")
except FileError as error:
    print(error)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that other users can reach; pytest makes its own private again whenever a run of it begins."""
    with tempfile.TemporaryDirectory() as name:
        folder = way = Path(name)
        while way.stat().st_uid == os.geteuid() and way != Path(way.root):
            way.chmod(way.stat().st_mode | 0o011)
            way = way.parent
        yield folder
        folder.chmod(0o700)


def test_a_folder_without_write_permission_is_said_and_nothing_is_written(folder: Path) -> None:
    folder.chmod(0o555)
    message = run_python(WRITE_AS_NOBODY, folder / "alpha.png")
    assert "no permission to write in" in message
    assert "nothing was written" in message
    assert names_in(folder) == []


def test_a_write_protected_file_is_not_replaced_although_its_folder_is_open(folder: Path) -> None:
    folder.chmod(0o777)
    target = folder / "alpha.png"
    target.write_bytes(b"older")
    target.chmod(0o444)
    assert "write-protected" in run_python(WRITE_AS_NOBODY, target)
    assert target.read_bytes() == b"older"
    assert names_in(folder) == ["alpha.png"]


WRITE_BEYOND_THE_LIMIT = """
import resource, sys
import numpy as np
from lsa_engine import image_io
from lsa_engine.errors import FileError

noise = np.random.default_rng(0).random((200, 200, 4), dtype=np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
path = sys.argv[1]
try:
    image_io.write_rgba(path, noise) if "rgba" in path else image_io.write_alpha(path, noise[..., 0])
except FileError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["alpha.png", "alpha.tif", "rgba.png", "rgba.tif"])
def test_a_file_that_outgrows_the_limit_leaves_the_older_one(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_bytes(b"older")
    message = run_python(WRITE_BEYOND_THE_LIMIT, target)
    assert "larger than the system allows" in message
    assert "nothing was written" in message
    assert target.read_bytes() == b"older"
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_at_the_last_moment_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    target = tmp_path / "alpha.png"
    target.write_bytes(b"older")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="disk is full"), atomic_path(target) as temporary:
        temporary.write_bytes(b"newer")
    assert target.read_bytes() == b"older"
    assert names_in(tmp_path) == ["alpha.png"]


def test_a_device_that_is_always_full_gives_the_sentence_about_space(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"disk is full.*free some space"), atomic_path(tmp_path / "alpha.png") as path:
        path.unlink()
        path.symlink_to("/dev/full")
        path.write_bytes(b"whole")
    assert names_in(tmp_path) == []


def growing_files(folder: Path) -> dict[Path, AbstractContextManager[Any]]:
    """Files that are written by being mapped: a matte, and one of each page of a stack."""
    matte, mattes, source = (folder / name for name in ("matte.tif", "mattes.tif", "source.tif"))
    tifffile.imwrite(source, np.zeros((5, 40, 50), np.uint8), metadata={"axes": "ZYX"}, photometric="minisblack")
    stack = read_stack(source)
    assert stack is not None
    return {matte: growing_alpha(matte, (400, 500)), mattes: growing_stack(mattes, stack, (400, 500))}


@pytest.mark.skipif(os.name == "nt", reason="room is set aside when a file is made longer")
@pytest.mark.parametrize("allocation", ["by the system", "not offered by the disk", "unknown to the system"])
def test_room_is_set_aside_for_all_of_a_file_before_it_is_written_by_being_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allocation: str
) -> None:
    def not_offered(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    if allocation == "not offered by the disk":
        monkeypatch.setattr(os, "posix_fallocate", not_offered, raising=False)
    elif allocation == "unknown to the system":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    for path, growing in growing_files(tmp_path).items():
        with growing as mapped:
            (temporary,) = tmp_path.glob(".*.part.tif")
            assert temporary.stat().st_blocks * 512 >= mapped.nbytes
            mapped[...] = 0.5
        assert (tifffile.imread(path) == 0.5).all()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room is set aside in another way")
def test_a_disk_without_room_for_what_is_mapped_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    for path, growing in growing_files(tmp_path).items():
        path.write_bytes(b"older")
        with pytest.raises(FileError, match="disk is full"), growing:
            pytest.fail("It is to be told before.")
        assert path.read_bytes() == b"older"
    assert names_in(tmp_path) == ["matte.tif", "mattes.tif", "source.tif"]


def test_errors_about_other_files_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "alpha.png"):
        (tmp_path / "source.png").read_bytes()
    assert not isinstance(caught.value, FileError)
    assert names_in(tmp_path) == []
