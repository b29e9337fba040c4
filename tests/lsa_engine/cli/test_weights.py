from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import lsa_engine.weights
from lsa_engine.cli.main import main
from lsa_engine.weights import WeightsInfo


class Touch:
    """Unpickling it makes a file: what a malicious checkpoint could do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_that_would_execute_code_is_refused_and_not_executed(
    tmp_path: Path, user_weights_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "executed"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"state_dict": Touch(trace)}))
    assert main(["import-weights", str(tmp_path / "evil.pth")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "evil.pth" in said
    assert not trace.exists()
    assert list(user_weights_folder.iterdir()) == []


def test_a_missing_checkpoint_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-weights", str(tmp_path / "none.pth")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "none.pth" in said


@pytest.mark.parametrize(
    ("kind", "arguments", "use"),
    [
        ("matting", ["--name", "mine"], "--weights mine."),
        ("matting", ["--output", "there.safetensors"], "--weights there.safetensors."),
        ("encoder", ["--name", "mine", "--kind", "timm"], 'start_from = "mine" in a recipe.'),
    ],
)
def test_options_reach_the_import_and_the_licence_is_shown(
    kind: str, arguments: list[str], use: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {}

    def import_checkpoint(source: Path, destination: Path | None = None, **options) -> WeightsInfo:
        asked.update(options, source=source, destination=destination)
        path = destination or Path(f"{options['name']}.safetensors")
        return WeightsInfo(path.stem, "lsanet-r50d", path, "0" * 64, "for research only", "", 1, kind)

    monkeypatch.setattr(lsa_engine.weights, "import_checkpoint", import_checkpoint)
    assert main(["import-weights", "model.pth", *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].endswith(use)
    assert printed.splitlines()[1] == "Licence: for research only"
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert asked["source"] == Path("model.pth")
    assert asked["name"] == given.get("--name")
    assert asked["destination"] == (Path(given["--output"]) if "--output" in given else None)
    assert asked["kind"] == given.get("--kind", "auto")
