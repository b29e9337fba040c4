"""The command as a whole: parsing, statuses, what goes to which stream. Nothing here needs a network."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsa_engine.cli.main import build_parser, main
from lsa_engine.image_io import read_image, write_alpha, write_image, write_rgba

COMMANDS = ("matte", "refine-foreground", "measure", "evaluate", "train", "import-weights", "info", "demo")


def lsa(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lsa_engine", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_or_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: lsa {command}")
    assert "options:" in text


def test_the_list_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {command} " in text or f"    {command}\n" in text for command in COMMANDS)


def test_help_answers_without_loading_the_engine() -> None:
    # The target is 0.3 s; importing any of these would take longer.
    command = [sys.executable, "-X", "importtime", "-m", "lsa_engine", "matte", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "lsa_engine" in loaded
    assert not loaded & {"numpy", "torch", "scipy", "numba", "skimage", "PIL"}


def test_the_version_is_printed() -> None:
    import lsa_engine

    done = lsa("--version")
    assert (done.returncode, done.stdout) == (0, f"lsa {lsa_engine.__version__}\n")


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_defaults_of_matte_are_the_documented_ones() -> None:
    options = build_parser().parse_args(["matte", "photo.png", "trimap.png", "-o", "alpha.png"])
    assert (options.weights, options.device, options.dtype) == ("lsa-lite", "auto", "auto")
    assert (options.tta, options.refine, options.bits) == (0, "none", 16)
    assert (options.image, options.trimap, options.output) == (Path("photo.png"), Path("trimap.png"), Path("alpha.png"))


def test_a_missing_file_is_one_sentence_on_standard_error_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.png"
    status = main(["refine-foreground", str(missing), str(missing), "-o", str(tmp_path / "out.png")])
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.startswith("lsa: ") and printed.err.count("\n") == 1
    assert str(missing) in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_foreground_is_refined_and_its_cost_falls(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A wrong colour under alpha = 0, which the refinement must smooth away.
    foreground = read_image(folder / "foreground.png").copy()
    foreground[:4] = 0
    write_image(folder / "foreground.png", foreground, bits=8)
    out = folder / "refined.png"
    status = main(["refine-foreground", str(folder / "foreground.png"), str(folder / "alpha.png"), "-o", str(out)])
    refined = read_image(out)
    assert status == 0
    assert refined.dtype == np.uint8 and refined.shape == foreground.shape
    assert refined[:4].min() > 100
    printed = capsys.readouterr().out
    before, after = printed.partition("(cost ")[2].removesuffix(" after).\n").split(" before, ")
    assert float(after) < 0.2 * float(before)


def test_a_16_bit_foreground_stays_16_bits_deep(folder: Path, scene) -> None:
    write_image(folder / "foreground.png", scene.foreground, bits=16)
    out = folder / "refined.png"
    assert main(["refine-foreground", str(folder / "foreground.png"), str(folder / "alpha.png"), "-o", str(out)]) == 0
    assert read_image(out).dtype == np.uint16


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("refined.jpg", "does not end in .png or .tif or .tiff"),
        ("nowhere/refined.png", "does not exist: make it first"),
        ("alpha.png", "is both read and written"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_computed(
    name: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import lsa_engine.foreground

    monkeypatch.setattr(lsa_engine.foreground, "refine_foreground", lambda *_, **__: pytest.fail("it was computed"))
    kept = (folder / "alpha.png").read_bytes()
    arguments = [str(folder / "foreground.png"), str(folder / "alpha.png"), "-o", str(folder / name)]
    assert main(["refine-foreground", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert (folder / "alpha.png").read_bytes() == kept


def test_ctrl_c_while_a_file_is_written_leaves_the_old_file_and_nothing_else(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / "refined.png"
    out.write_bytes(b"the old file")
    before = sorted(folder.iterdir())

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    status = main(["refine-foreground", str(folder / "foreground.png"), str(folder / "alpha.png"), "-o", str(out)])
    assert status == 130
    assert capsys.readouterr().err == "lsa: stopped with Ctrl-C; no half-written file was left.\n"
    assert out.read_bytes() == b"the old file"
    assert sorted(folder.iterdir()) == before


def test_ctrl_c_at_the_terminal_stops_a_long_refinement_with_status_130(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_image(tmp_path / "foreground.png", rng.random((2400, 2400, 3), np.float32), bits=8)
    write_alpha(tmp_path / "alpha.png", rng.random((2400, 2400), np.float32))
    before = sorted(tmp_path.iterdir())
    ours, theirs = pty.openpty()
    files = ["foreground.png", "alpha.png", "-o", "out.png"]
    command = [sys.executable, "-m", "lsa_engine", "refine-foreground", *files, "--method", "paper"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    try:
        # The bar appears after a second of work: then it is in the middle of it.
        while b"%|" not in printed:
            printed += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130
        with contextlib.suppress(OSError):  # the end of what was printed
            while chunk := os.read(ours, 4096):
                printed += chunk
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"stopped with Ctrl-C" in printed
    assert b"Traceback" not in printed
    assert sorted(tmp_path.iterdir()) == before


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = f"{sys.executable} -m lsa_engine info --json | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def test_a_folder_of_foregrounds_is_refined_and_a_failure_shows_in_the_status(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colours, alphas = tmp_path / "colours", tmp_path / "alphas"
    for target, name in ((colours, "foreground.png"), (alphas, "alpha.png")):
        target.mkdir()
        for stem in ("a", "b"):
            (target / f"{stem}.png").write_bytes((folder / name).read_bytes())
    command = ["refine-foreground", str(colours), str(alphas), "-o", str(tmp_path / "out")]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split() == ["file", "size", "cost", "before", "after", "seconds"]
    assert "2 refined, 0 kept from before, 0 failed" in printed.out

    (colours / "b.png").write_bytes(b"")
    assert main(command) == 2
    printed = capsys.readouterr()
    assert "0 refined, 1 kept from before, 1 failed" in printed.out
    assert "lsa: b.png was not refined" in printed.err


def test_a_cut_out_needs_no_alpha_beside_it(tmp_path: Path, scene) -> None:
    write_rgba(tmp_path / "cutout.png", np.dstack([scene.foreground, scene.alpha]), bits=16)
    out = tmp_path / "refined.png"
    assert main(["refine-foreground", str(tmp_path / "cutout.png"), "-o", str(out)]) == 0
    assert read_image(out).shape == (*scene.alpha.shape, 4)


def test_the_figure_is_drawn_beside_the_refined_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / "foreground.png"), str(folder / "alpha.png"), "-o", str(folder / "refined.png")]
    assert main(["refine-foreground", *files, "--plot", str(folder / "figure.png")]) == 0
    height, width = read_image(folder / "figure.png").shape[:2]
    assert width > 1000 and height > 400
    assert main(["refine-foreground", *files, "--plot", str(folder / "figure.xyz")]) == 2
    assert "does not end in .png or .pdf or .svg" in capsys.readouterr().err
