from __future__ import annotations

import inspect
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from anonderm.cli import main
from anonderm.cli.commands import COMMANDS, GROUPS
from anonderm.cli.flags import REQUIRED, Flag, field_help, flags_of, parse
from anonderm.stages import STAGES

Refused = Callable[[str], str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command line that must fail as a user's error; returns the message."""

    def run(line: str) -> str:
        assert main(line.split()) == 2
        message = capsys.readouterr().err
        assert "Traceback" not in message
        return message

    return run


def shown_by(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert set(STAGES) < set(COMMANDS)


def test_help_answers_at_once_and_without_importing_torch() -> None:
    code = "import sys; from anonderm.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("group", sorted(GROUPS))
@pytest.mark.parametrize("more", [[], ["--help"]])
def test_a_group_of_commands_lists_its_members(
    group: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([group, *more]) == 0
    shown = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert (f"  {name} " in shown and command.help in shown) == name.startswith(f"{group} ")


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_every_flag_of_a_stage_is_explained(stage, capsys: pytest.CaptureFixture[str]) -> None:
    shown = shown_by(f"{stage.name} --help", capsys)
    for name, text in field_help(stage.load_config()).items():
        assert f"--{name.replace('_', '-')}" in shown
        assert text, f"{stage.name}: {name} has no docstring"


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_help_starts_with_the_inputs_and_the_common_settings(stage, capsys) -> None:
    first, _, rest = shown_by(f"{stage.name} --help", capsys).partition("more options")
    flags = [name for name, wanted in stage.inputs.items() if not wanted.positional] + ["out", *stage.common]
    for name in flags:
        assert f"--{name.replace('_', '-')}" in first
    for flag in flags_of(stage.load_config()):
        assert flag.name in stage.common or f"--{flag.shown}" in (first if flag.default is REQUIRED else rest)


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_function_takes_its_inputs_its_configuration_and_a_run(stage) -> None:
    parameters = inspect.signature(stage.load_function()).parameters
    assert set(parameters) == {"config", "run", *stage.inputs}


def test_a_user_error_is_explained_without_a_traceback(tmp_path: Path, refused: Refused) -> None:
    message = refused(f"ingest --source {tmp_path / 'nowhere'} --out {tmp_path / 'run'}")
    assert str(tmp_path / "nowhere") in message


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("trian-gan", "Did you mean `anonderm train-gan`?"),
        ("evalute", "Did you mean `anonderm evaluate`?"),
        ("evalute fidelity", "Did you mean `anonderm evaluate fidelity`?"),
        ("evaluate fidelty", "Did you mean `anonderm evaluate fidelity`?"),
        ("fidelity", "Did you mean `anonderm evaluate fidelity`?"),
        ("weights fetsh gfpgan", "Did you mean `anonderm weights fetch`?"),
        ("evaluate --real faces", "`anonderm evaluate` lists"),
        ("xyzzy", "`anonderm --help` lists"),
        ("train-gan --fases x", "Did you mean --faces?"),
        ("train-gan --learning_rat=1", "Did you mean --learning-rate?"),
        ("run recipe.toml --smal", "Did you mean --small?"),
        ("verify release --relase x", "Did you mean --release?"),
        ("train-gan --sweep r1_gamma=1,2", "`anonderm sweep-gan` has it"),
        ("train-gan --sweep=r1_gamma=1,2", "`anonderm sweep-gan` has it"),
        ("evaluate utility --real x --synthetic y", "`anonderm evaluate data-mix` has it"),
        ("evaluate utility --real x --synthetic=y", "`anonderm evaluate data-mix` has it"),
        ("train-gan --mirror=perhaps", "must be true or false"),
    ],
)
def test_a_typo_is_answered_with_what_was_probably_meant(line: str, meant: str, refused: Refused) -> None:
    assert meant in refused(line)


def test_generate_takes_checkpoints_in_any_notation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ["--seeds", "0-2", "--psi", "0.7", "--noise", "const"]
    assert main(["generate", "phantom-64", *settings]) == 0
    made = capsys.readouterr().out
    for same in (
        ["generate", *settings, "--checkpoints", "phantom-64"],
        ["generate", "--checkpoints=phantom-64", "--seeds=0-2", "--psi=0.7", "--noise=const"],
    ):
        assert main(same) == 0
        assert capsys.readouterr().out == made, "the same command resumes in the same folder"
    folder = Path(made.strip()).parents[1]
    assert folder.parent == Path("runs")
    assert len(list((folder / "faces" / "images").iterdir())) == 3
    assert main(["generate", "phantom-64", "--seeds", "3"]) == 0
    assert len(list(Path("runs").iterdir())) == 2


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_every_flag_may_be_written_with_an_equals_sign(stage) -> None:
    """--flag=DEFAULT for every flag with a default gives the defaults."""
    flags = flags_of(stage.load_config())
    written = [flag for flag in flags if flag.default not in (REQUIRED, None, ()) and not multiple(flag)]
    required = [f"--{flag.shown}=there" for flag in flags if flag.default is REQUIRED]
    values = parse(
        stage.name, "", flags, [*required, *(f"--{flag.shown}={single(flag)}" for flag in written)]
    )
    assert all(values[flag.name] == flag.default for flag in flags if flag.default is not REQUIRED)


def single(flag: Flag) -> object:
    return flag.default[0] if isinstance(flag.default, tuple) else flag.default


def multiple(flag: Flag) -> bool:
    return isinstance(flag.default, tuple) and len(flag.default) > 1


def test_a_switch_may_have_a_value(tmp_path: Path, refused: Refused) -> None:
    assert "no such recipe" in refused(f"run --recipe={tmp_path / 'none.toml'} --dry-run=true --small=false")


def test_positional_arguments_given_as_flags_may_stand_in_any_order(tmp_path: Path, refused: Refused) -> None:
    assert "none.pkl" in refused(f"import-gan --out={tmp_path / 'gan.safetensors'} --pickle=none.pkl")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("phantom --size abc", "'abc' is not a whole number, such as 64"),
        ("phantom --size 1.5", "'1.5' is not a whole number"),
        ("phantom --val-share half", "'half' is not a number, such as 0.5"),
        ("phantom --lesion-scale x", "'x' is not a number"),
        ("train-classifier --faces x --brightness 1 b", "'b' is not a number"),
    ],
)
def test_text_in_place_of_a_number_is_refused_in_our_words(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(line.split())
    shown = " ".join(capsys.readouterr().err.replace("│", "").replace("|", "").split())
    assert words in shown
    assert "literal" not in shown


@pytest.mark.parametrize("command", ["train-gan --help", "run recipes/phantom.toml --dry-run", "verify none"])
def test_output_into_a_closed_pipe_ends_without_a_traceback(command: str) -> None:
    root, line = Path(__file__).parents[1], f"{sys.executable} -m anonderm.cli {command}"
    both = subprocess.run(
        ["bash", "-c", f"{line} 2>&1 | true; exit ${{PIPESTATUS[0]}}"], check=False, cwd=root
    )
    assert both.returncode == 141
    one = subprocess.run(
        ["bash", "-c", f"{line} | true"], capture_output=True, text=True, check=False, cwd=root
    )
    assert "Traceback" not in one.stderr
