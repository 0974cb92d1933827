"""The command of a stage: its inputs, `--out` and the settings of its configuration class as flags."""

import hashlib
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anonderm.cli.flags import REQUIRED, Flag, flags_of, parse
from anonderm.core.config import to_dict
from anonderm.core.rundir import RunRecord
from anonderm.stages import Stage, run_stage

_OUT_HELP = """\
The run folder to write or to resume. Default: runs/{}-XXXXXXXX, where XXXXXXXX is a digest of inputs and \
settings, so that the same command resumes and any other starts a new run."""
_ELSEWHERE = {"train-gan": {"sweep": "sweep-gan"}, "evaluate utility": {"synthetic": "evaluate data-mix"}}
_ACCEPTED = {
    "faces": "FaceSet or run folder",
    "images": "image, folder of images, FaceSet or run folder",
    "run": "run folder",
}


def stage_command(stage: Stage) -> Callable[[list[str]], int]:
    def run(arguments: list[str]) -> int:
        config_class = stage.load_config()
        description, elsewhere = _description(stage, config_class), _ELSEWHERE.get(stage.name, {})
        values = parse(stage.name, description, _flags(stage), arguments, elsewhere)
        inputs = {name: values.pop(name) for name in stage.inputs}
        out = values.pop("out")
        config = config_class(**values)
        record = run_stage(stage, config, inputs, out or _default_out(stage, config, inputs))
        if os.environ.get("RANK", "0") == "0":
            print_outputs(record)
        return 0

    return run


def print_outputs(record: RunRecord) -> None:
    """The path of what was made goes to stdout, everything else to stderr."""
    for file in record.content["outputs"]:
        print(record.folder / file)


def _flags(stage: Stage) -> list[Flag]:
    out = Flag("out", Path | None, _OUT_HELP.format(stage.name.replace(" ", "-")), None)
    settings = flags_of(stage.load_config(), stage.common)
    required = [flag for flag in settings if flag.default is REQUIRED]
    return [*_input_flags(stage), *required, out, *(flag for flag in settings if flag not in required)]


def _input_flags(stage: Stage) -> list[Flag]:
    flags = []
    for name, wanted in stage.inputs.items():
        kind: Any = tuple[str, ...] if wanted.many else str | None if wanted.optional else str
        text = f"{wanted.help} ({_ACCEPTED.get(wanted.kind, 'file or run folder')})"
        metavar = "PATH [PATH ...]" if wanted.many else "PATH"
        default = REQUIRED if not wanted.optional else () if wanted.many else None
        flags.append(Flag(name, kind, text, default, wanted.positional, metavar=metavar))
    return flags


def _description(stage: Stage, config_class: Any) -> str:
    """The line of the table, and what the configuration class adds to its own first line."""
    _, _, more = inspect.cleandoc(config_class.__doc__ or "").partition("\n\n")
    return f"{stage.help}\n\n{more}".strip()


def _default_out(stage: Stage, config: Any, inputs: dict[str, Any]) -> Path:
    """A folder for exactly this command: repeating it resumes, and any other command gets another folder."""
    command = json.dumps([stage.name, to_dict(config), inputs], sort_keys=True)
    digest = hashlib.sha256(command.encode()).hexdigest()[:8]
    return Path("runs") / f"{stage.name.replace(' ', '-')}-{digest}"
