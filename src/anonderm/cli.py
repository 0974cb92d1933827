"""The command line: a table of the stages, with flags derived from their configuration classes."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import tyro

from anonderm import __version__
from anonderm.core import weights
from anonderm.core.config import to_dict
from anonderm.core.errors import AnondermError, ReleaseRefused
from anonderm.core.rundir import RunRecord
from anonderm.stages import STAGES, Stage, open_artefact, run_stage

if TYPE_CHECKING:
    from anonderm.core.checkpoint import Checkpoint

_INTRO = """\
anonderm turns a small private set of labelled face photos into a large anonymous synthetic one,
and shows with numbers how faithful, useful and anonymous it is.

usage: anonderm COMMAND [OPTIONS]           anonderm COMMAND --help explains one

The whole line
  run                      Run a recipe: every stage in order, resumable, ends with a report.
  verify                   Check a release: checksums, marks, card, evidence; names every fault by its file.
  weights                  List weights: those that ship, and those of others; `add` and `fetch` get these.
  import-gan               Turn a StyleGAN2 pickle of NVIDIA's programs into a checkpoint; no code of it runs.
  export-gan               Write a checkpoint's generator as TorchScript or ONNX for other programs.
"""

_EXAMPLES = """
Examples
  anonderm run recipes/phantom.toml                        the embedded default, nothing needed
  anonderm run recipes/folder.toml --data photos/ --dry-run    the plan for your photos, with times
  anonderm run recipes/acnegan.toml --small                a paper's line on drawn faces, in a minute
  anonderm train-gan --faces runs/phantom/photos --base phantom-64 --out runs/mine --kimg 5
  anonderm generate runs/mine --seeds 0-99 --psi 0.7 --out runs/faces
"""

_OUT_HELP = """\
The run folder to write, or to resume. Left out: runs/{}-XXXXXXXX, where the X are a digest of inputs \
and settings, so that the same command resumes and another one starts anew."""

_KINDS = {
    "faces": "FaceSet or run folder",
    "images": "image, folder of images, FaceSet or run folder",
    "run": "run folder",
}

# What files and disks refuse wherever they are touched; anything else is a bug and keeps its traceback.
_NO_BUGS = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE}


@dataclasses.dataclass(frozen=True)
class _RunRecipe:
    """Run a recipe. What is done is skipped; what was cut short resumes."""

    recipe: tyro.conf.Positional[Path]
    """The recipe, a TOML file."""
    data: Path | None = None
    """A folder of photos, one sub-folder a class, for recipes that need one."""
    out: Path | None = None
    """Where the run folders go; runs/<name of the recipe> if not given (with --small, runs/<name>-small)."""
    until: str | None = None
    """Stop after this step (or after the last step of this stage)."""
    budget_minutes: float | None = None
    """Train as long as fits into this time on this machine, instead of the recipe's own lengths."""
    dry_run: bool = False
    """Print the plan with the estimated time of each step, name weights that are missing, and do nothing."""
    small: bool = False
    """The recipe's small form: the same steps on drawn faces, in minutes and without weights of others, to
    see what it does and what its report shows."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status.

    1: `verify` found faults; 2: a user's error; 3: a release was refused; 130: a stop.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _dispatch(arguments)
    except AnondermError as error:
        print(f"\nanonderm: {error}", file=sys.stderr)
        return 3 if isinstance(error, ReleaseRefused) else 2
    except OSError as error:
        if error.errno not in _NO_BUGS:
            raise
        print(f"\nanonderm: {error.filename}: {error.strerror}.", file=sys.stderr)
        print("  Mend this, then run the same command again.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nanonderm: stopped. To resume, run the same command again.", file=sys.stderr)
        return 130


def _stop(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _dispatch(arguments: list[str]) -> int:
    for argument in arguments:
        if argument.encode("utf-8", "replace").decode() != argument:
            raise AnondermError(f"{argument!a}: not UTF-8.", "Rename this file or folder.")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        print(f"anonderm {__version__}")
        return 0
    two_words = " ".join(arguments[:2])
    if two_words == "evaluate utility" and "--synthetic" in arguments:
        two_words = "evaluate data-mix"
    if two_words in STAGES:
        return _run_stage_command(STAGES[two_words], arguments[2:])
    command, rest = arguments[0], arguments[1:]
    if command == "train-gan" and "--sweep" in rest:
        command = "sweep-gan"
    if command in STAGES:
        return _run_stage_command(STAGES[command], rest)
    if command == "run":
        return _run_recipe_command(rest)
    if command == "weights":
        return _weights(rest)
    if command == "verify":
        return _verify(rest)
    if command == "import-gan":
        return _import_gan(rest)
    if command == "export-gan":
        return _export_gan(rest)
    raise AnondermError(f"no command {two_words!r}.", "`anonderm --help` lists them.")


def _help() -> str:
    tools = [stage for stage in STAGES.values() if stage.name.startswith("latents ")]
    others = [stage for stage in STAGES.values() if stage not in tools]
    return _INTRO + _listed("Single stages", others) + _listed("Latents of a generator", tools) + _EXAMPLES


def _listed(title: str, stages: list[Stage]) -> str:
    return f"\n{title}\n" + "".join(f"  {stage.name:<24} {stage.help}\n" for stage in stages)


def _run_recipe_command(arguments: list[str]) -> int:
    command = tyro.cli(_RunRecipe, prog="anonderm run", args=arguments)
    from anonderm.recipe.execute import run_recipe

    name = f"{command.recipe.stem}-small" if command.small else command.recipe.stem
    out = command.out or Path("runs") / name
    records = run_recipe(
        command.recipe,
        out,
        command.data,
        command.until,
        command.budget_minutes,
        command.dry_run,
        command.small,
    )
    for record in records[-1:]:
        _print_outputs(record)
    return 0


def _run_stage_command(stage: Stage, arguments: list[str]) -> int:
    for name, wanted in stage.inputs.items():
        arguments = _unflagged(arguments, name) if wanted.positional else arguments
    command: Any = tyro.cli(
        _stage_command(stage), prog=f"anonderm {stage.name}", description=stage.help, args=arguments
    )
    references = {name: getattr(command, name) for name in stage.inputs}
    out = command.out or _default_out(stage, command.config, references)
    record = run_stage(stage, command.config, references, out)
    if os.environ.get("RANK", "0") == "0":
        _print_outputs(record)
    return 0


def _unflagged(arguments: list[str], name: str) -> list[str]:
    """A positional input may be given with a flag as well: its values go to the front, the flag away."""
    flag = f"--{name.replace('_', '-')}"
    if flag not in arguments:
        return arguments
    before, after = arguments[: arguments.index(flag)], arguments[arguments.index(flag) + 1 :]
    values = list(itertools.takewhile(lambda each: not each.startswith("--"), after))
    return [*values, *before, *after[len(values) :]]


def _default_out(stage: Stage, config: Any, references: dict[str, Any]) -> Path:
    """A folder for this very command: the same one again resumes, another one gets another folder."""
    command = json.dumps([stage.name, to_dict(config), references], sort_keys=True)
    digest = hashlib.sha256(command.encode()).hexdigest()[:8]
    return Path("runs") / f"{stage.name.replace(' ', '-')}-{digest}"


def _stage_command(stage: Stage) -> type:
    """A dataclass for tyro: one flag an input, --out, and the flags of the stage's configuration."""
    fields: list[Any] = []
    for name, wanted in stage.inputs.items():
        kind = _KINDS.get(wanted.kind, "file or run folder")
        flag = tyro.conf.arg(
            help=f"{wanted.help} ({kind})", metavar="PATH" + (" [PATH ...]" if wanted.many else "")
        )
        annotated: Any = Annotated[tuple[str, ...] if wanted.many else str, flag]
        if wanted.positional:
            annotated = tyro.conf.Positional[annotated]  # type: ignore[misc]
        if wanted.optional:
            annotated = Annotated[tuple[str, ...] if wanted.many else str | None, flag]
            default: Any = () if wanted.many else None
            fields.append((name, annotated, dataclasses.field(default=default)))
        else:
            fields.append((name, annotated))
    out_flag = tyro.conf.arg(help=_OUT_HELP.format(stage.name.replace(" ", "-")))
    fields.append(("out", Annotated[Path | None, out_flag], dataclasses.field(default=None)))
    fields.append(("config", tyro.conf.OmitArgPrefixes[stage.load_config()]))  # type: ignore[misc]
    required = [each for each in fields if len(each) == 2]
    optional = [each for each in fields if len(each) == 3]
    return dataclasses.make_dataclass("Command", [*required, *optional], frozen=True, kw_only=True)


def _print_outputs(record: RunRecord) -> None:
    """The path of what was made goes to stdout, everything else to stderr."""
    for file in record.content["outputs"]:
        print(record.folder / file)


def _verify(arguments: list[str]) -> int:
    from anonderm.publish.release.verify.command import VerifyConfig, show, verify

    config = tyro.cli(VerifyConfig, prog="anonderm verify", args=arguments)
    checks = verify(config.release)
    show(checks)
    return 1 if any(check.faults for check in checks) else 0


def _import_gan(arguments: list[str]) -> int:
    from anonderm.models.stylegan2.third_party.config import ImportGanConfig

    config = tyro.cli(ImportGanConfig, prog="anonderm import-gan", args=arguments)
    from anonderm.models.stylegan2.third_party.importer import import_gan

    print(import_gan(config).path)
    return 0


def _export_gan(arguments: list[str]) -> int:
    from anonderm.models.stylegan2.third_party.config import ExportGanConfig

    config = tyro.cli(ExportGanConfig, prog="anonderm export-gan", args=arguments)
    from anonderm.models.stylegan2.third_party.exporter import export_gan

    print(export_gan(config, cast("Checkpoint", open_artefact("checkpoint", config.checkpoint))))
    return 0


_WEIGHTS_USAGE = """\
usage: anonderm weights                   list all that are registered, and which are here
       anonderm weights add NAME PATH     copy weights of others that you have: their file, or its folder
       anonderm weights fetch NAME        download them: the one command that uses a network"""


def _weights(arguments: list[str]) -> int:
    match arguments:
        case []:
            _list_weights()
        case ["-h" | "--help"]:
            print(_WEIGHTS_USAGE)
        case ["add", name, path]:
            print(weights.add(name, Path(path)))
        case ["fetch", name]:
            from anonderm.core.download import fetch

            print(fetch(name))
        case _:
            raise AnondermError(f"anonderm weights {' '.join(arguments)}: not understood.", _WEIGHTS_USAGE)
    return 0


def _list_weights() -> None:
    for shipped in weights.REGISTER.values():
        state = "ships" if shipped.path.exists() else "missing"
        print(f"{shipped.name:<16} {state:<8} {shipped.purpose}\n{'':26}{shipped.licence}")
    for entry in weights.others().values():
        state = "here" if entry.is_here else "absent"
        print(f"{entry.name:<16} {state:<8} {entry.purpose}\n{'':26}{entry.licence}; {entry.page}")
    print(f"Weights of others lie in {weights.users_folder()}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
