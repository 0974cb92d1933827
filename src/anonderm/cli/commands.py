"""The table of commands, by what a user wants to do, the help that lists them, and the exit status."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from anonderm import __version__
from anonderm.cli import tools
from anonderm.cli.stage_command import stage_command
from anonderm.core.errors import AnondermError, ReleaseRefused
from anonderm.core.names import nearest
from anonderm.stages.table import STAGES_BY_TASK

_INTRO = """\
anonderm turns a small private set of labelled face photos into a large anonymous synthetic one,
and shows with numbers how faithful, useful and anonymous it is.

usage: anonderm COMMAND [OPTIONS]           `anonderm COMMAND --help` explains a command
"""
_EXAMPLES = """
Examples
  anonderm run recipes/phantom.toml                            the embedded default; needs no photos
  anonderm run recipes/folder.toml --data photos/ --dry-run    the plan for your photos, with times
  anonderm run recipes/acnegan.toml --small                    a paper's pipeline on phantom faces
  anonderm train-gan --faces runs/phantom/photos --base phantom-64 --out runs/mine --kimg 5
  anonderm generate runs/mine --seeds 0-99 --psi 0.7 --out runs/faces
"""
_HELP = ("-h", "--help")


@dataclass(frozen=True)
class Command:
    """`run` takes the arguments after the name and returns the exit status."""

    name: str
    help: str
    run: Callable[[list[str]], int]


_TOOLS = (
    Command(
        "weights list", "List all weights: shipped and third-party, present and absent.", tools.list_weights
    ),
    Command("weights add", "Copy third-party weights that you have downloaded.", tools.add_weights),
    Command("weights fetch", "Download third-party weights.", tools.fetch_weights),
    Command("import-gan", "Convert a StyleGAN2 pickle of NVIDIA's code into a checkpoint.", tools.import_gan),
    Command("export-gan", "Write a checkpoint's generator as TorchScript or ONNX.", tools.export_gan),
)
_VERIFY = Command("verify", "Check a release: checksums, watermarks, card and evidence.", tools.verify)
_RUN = Command("run", "Run a recipe: every stage in order, resumable, up to the report.", tools.run)

BY_TASK: dict[str, tuple[Command, ...]] = {
    "Run a recipe": (_RUN,),
    **{
        task: tuple(Command(stage.name, stage.help, stage_command(stage)) for stage in stages)
        for task, stages in STAGES_BY_TASK.items()
    },
    "Weights and conversion": _TOOLS,
}
BY_TASK["Report and release"] += (_VERIFY,)
COMMANDS = {command.name: command for commands in BY_TASK.values() for command in commands}
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}


def overview() -> str:
    lists = (f"\n{task}\n{_listed(commands)}" for task, commands in BY_TASK.items())
    return _INTRO + "".join(lists) + _EXAMPLES


def run_command(arguments: list[str]) -> int:
    """Run the command that the arguments name. Raises AnondermError for an unknown one, with the nearest."""
    for words in (2, 1):
        if command := COMMANDS.get(" ".join(arguments[:words])):
            return command.run(arguments[words:])
    first, rest = arguments[0], arguments[1:]
    if first in GROUPS and (not rest or rest[0] in _HELP):
        members = [command for name, command in COMMANDS.items() if name.split()[0] == first]
        print(f"usage: anonderm {first} COMMAND [OPTIONS]\n\n{_listed(members)}", end="")
        return 0
    raise _unknown(first, rest)


def _listed(commands: Iterable[Command]) -> str:
    return "".join(f"  {command.name:<24} {command.help}\n" for command in commands)


def _unknown(first: str, rest: list[str]) -> AnondermError:
    if first in GROUPS and rest[0].startswith("-"):
        return AnondermError(f"{first}: a command must follow.", f"`anonderm {first}` lists them.")
    second = rest[0] if rest and not rest[0].startswith("-") else ""
    written = f"{first} {second}" if first in GROUPS else first
    known = [*COMMANDS, *GROUPS]
    near = nearest(f"{first} {second}".strip(), known) or nearest(first, known) or _member(first)
    meant = f"Did you mean `anonderm {near}`? " if near else ""
    place = f"anonderm {first}" if first in GROUPS else "anonderm --help"
    return AnondermError(f"unknown command {written!r}.", f"{meant}`{place}` lists all commands.")


def _member(word: str) -> str | None:
    """The full name of a group's command that was given without the group."""
    names = {name.split()[1]: name for name in COMMANDS if " " in name}
    return names.get(nearest(word, names) or "")


_LONGEST_SHOWN = 300  # characters of a path
# What an operating system refuses for reasons that the user can remove; any other OSError is a bug, and keeps
# its traceback.
_REFUSALS = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status.

    1: `verify` found faults; 2: an error of the user's; 3: a release was refused; 130: stopped by a signal;
    141: whoever read the output has closed it, as `| head` does.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _reported(arguments)
    except (BrokenPipeError, SystemExit) as error:
        # rich answers a closed pipe with SystemExit(1).
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # Python flushes both once more at exit.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.dup2(nothing, sys.stderr.fileno())
        return 141


def _reported(arguments: list[str]) -> int:
    """The exit status of a command, whose errors are printed. Raises BrokenPipeError."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        raise
    except AnondermError as error:
        print(f"\nanonderm: {error}", file=sys.stderr)
        return 3 if isinstance(error, ReleaseRefused) else 2
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        print(f"\nanonderm: {str(error.filename)[:_LONGEST_SHOWN]}: {error.strerror}.", file=sys.stderr)
        print("  Fix this, then run the same command again.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nanonderm: stopped. To resume, run the same command again.", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    for argument in arguments:
        if argument.encode("utf-8", "replace").decode() != argument:
            raise AnondermError(f"{argument!a}: not UTF-8.", "Rename this file or folder.")
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(overview(), end="")
            return 0
        if arguments[0] == "--version":
            print(f"anonderm {__version__}")
            return 0
        return run_command(arguments)
    finally:
        sys.stdout.flush()
