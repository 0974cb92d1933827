from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from anonderm.cli import main
from anonderm.stages import STAGES


def test_help_lists_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in STAGES)


def test_help_answers_without_importing_torch() -> None:
    code = "import sys; from anonderm.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_every_flag_of_a_stage_is_explained(stage, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*stage.name.split(), "--help"])
    shown = capsys.readouterr().out
    assert stop.value.code == 0
    classes = [cls for cls in stage.load_config().__mro__ if dataclasses.is_dataclass(cls)]
    source = "".join(inspect.getsource(cls) for cls in classes)
    for field in dataclasses.fields(stage.load_config()):
        assert f"--{field.name.replace('_', '-')}" in shown
        after = source[source.index(f"\n    {field.name}:") :].splitlines()[2]
        assert after.strip().startswith(('"""', 'r"""')), f"{stage.name}: {field.name} has no docstring"


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_function_takes_its_inputs_its_configuration_and_a_run(stage) -> None:
    parameters = inspect.signature(stage.load_function()).parameters
    assert set(parameters) == {"config", "run", *stage.inputs}


def test_a_user_error_is_told_with_a_way_out_and_no_traceback(tmp_path, capsys) -> None:
    status = main(["ingest", "--source", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")])
    told = capsys.readouterr().err
    assert status == 2
    assert str(tmp_path / "nowhere") in told
    assert "Traceback" not in told


def test_generate_takes_checkpoints_with_and_without_a_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ["--seeds", "0-2", "--psi", "0.7", "--noise", "const"]
    assert main(["generate", "phantom-64", *settings]) == 0
    made = capsys.readouterr().out
    assert main(["generate", *settings, "--checkpoints", "phantom-64"]) == 0
    assert capsys.readouterr().out == made, "the same command resumes in the same folder"
    folder = Path(made.strip()).parents[1]
    assert folder.parent == Path("runs")
    assert len(list((folder / "faces" / "images").iterdir())) == 3
    assert main(["generate", "phantom-64", "--seeds", "3"]) == 0
    assert len(list(Path("runs").iterdir())) == 2


def test_an_unknown_command_is_refused(capsys) -> None:
    assert main(["trian-gan"]) == 2
    assert "trian-gan" in capsys.readouterr().err
