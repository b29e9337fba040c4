"""What importing the engine brings in, and what it does without; each check in a fresh interpreter."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lsa_engine

GRAPHICAL = ("napari", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui", "superqt", "vispy", "npe2")

# Put in front of a script: importing any of the names fails as if they were not installed.
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)


def test_importing_the_engine_loads_neither_numpy_nor_torch() -> None:
    done = run("import sys, lsa_engine; print(sorted({'numpy', 'torch', 'scipy', 'skimage'} & set(sys.modules)))")
    assert done.stdout == "[]\n", done.stderr


def test_loading_the_command_line_loads_neither_numpy_nor_torch() -> None:
    done = run("import sys, lsa_engine.cli.main; print(sorted({'numpy', 'torch', 'tqdm'} & set(sys.modules)))")
    assert done.stdout == "[]\n", done.stderr


def test_every_engine_module_and_public_name_loads_without_napari_qt_and_magicgui() -> None:
    script = BLOCKER.format(names=set(GRAPHICAL)) + (
        "import importlib, pkgutil, lsa_engine\n"
        "for module in pkgutil.walk_packages(lsa_engine.__path__, 'lsa_engine.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "for name in lsa_engine.__all__: getattr(lsa_engine, name)\n"
        "print('loaded', len(lsa_engine.__all__))\n"
    )
    done = run(script)
    assert done.stdout == f"loaded {len(lsa_engine.__all__)}\n", done.stderr


def test_the_blocker_of_these_tests_does_block() -> None:
    done = run(BLOCKER.format(names=set(GRAPHICAL)) + "import qtpy")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'qtpy'" in done.stderr


def test_no_engine_module_names_a_graphical_package() -> None:
    root = Path(lsa_engine.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found += [
                f"{path.name}: {name}" for name in names if name.partition(".")[0] in (*GRAPHICAL, "napari_lsa_matting")
            ]
    assert found == []


def test_every_public_name_is_loaded_from_its_home() -> None:
    for name, home in lsa_engine._HOMES.items():
        assert getattr(lsa_engine, name) is getattr(importlib.import_module(home), name), name


def test_the_lists_of_public_names_agree() -> None:
    tree = ast.parse(Path(lsa_engine.__file__).read_text(encoding="utf-8"))
    checking = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module for node in checking.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == lsa_engine._HOMES
    assert {*lsa_engine._HOMES, "__version__"} == set(lsa_engine.__all__)
    assert set(lsa_engine.__all__) <= set(dir(lsa_engine))


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'lsa_engine' has no attribute 'mate'"):
        _ = lsa_engine.mate


def test_the_version_is_the_one_of_the_project_file() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert lsa_engine.__version__ == tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]


def test_every_engine_folder_is_a_package() -> None:
    root = Path(lsa_engine.__file__).parent
    folders = {path.parent for path in root.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
