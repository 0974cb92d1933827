"""The inputs of a step: what they refer to, and whether the stage can use it."""

from __future__ import annotations

from typing import Any

from anonderm.core import weights
from anonderm.core.config import check, typed
from anonderm.core.errors import ConfigError
from anonderm.recipe.file import check_known
from anonderm.recipe.steps import Step
from anonderm.stages import Input, Stage

Groups = dict[str, tuple[Step, ...]]
"""The steps so far, by the names in the file; a repeated step has several."""

_OUTPUTS = {"faces": "faces", "checkpoint": "a checkpoint", "result": "a result", None: "other files"}


def read_inputs(where: str, stage: Stage, sources: Any, groups: Groups) -> dict[str, tuple[str, ...]]:
    """`from` of a step, repeated steps in full. Raises ConfigError for an input that does not fit."""
    given = typed(dict[str, str | list[str]], sources, f"{where}: from")
    inputs = {}
    for key, value in given.items():
        check_known(where, "input", key, stage.inputs, of=stage.name)
        references = [value] if isinstance(value, str) else value
        wanted, place = stage.inputs[key], f"{where}: {key}"
        found = [name for each in references for name in _resolved(place, each, wanted, groups)]
        check(
            wanted.many or len(found) == 1, f"{place} takes one input, not {len(found)}: {', '.join(found)}."
        )
        inputs[key] = tuple(found)
    for key, wanted in stage.inputs.items():
        if not wanted.optional and not inputs.get(key):
            raise ConfigError(f"{where}: the input {key!r} is missing from `from`.", f"It is: {wanted.help}")
    return inputs


def _resolved(where: str, reference: str, wanted: Input, groups: Groups) -> list[str]:
    """The steps or the checkpoint that a reference stands for."""
    if reference in groups:
        for step in groups[reference]:
            _check_kind(f"{where} = {reference!r}", step.stage, wanted, groups)
        return [step.name for step in groups[reference]]
    if reference in weights.SHIPPED or reference.endswith(".safetensors"):
        check(wanted.kind == "checkpoint", f"{where} = {reference!r}: a checkpoint, not {_wanted(wanted)}.")
        registered = reference in weights.SHIPPED
        return [reference if registered else str(weights.user_folder() / reference)]
    raise ConfigError(
        f"{where} = {reference!r} is neither an earlier step nor registered weights.",
        f"Earlier steps: {', '.join(groups)}; weights: {', '.join(weights.SHIPPED)}, or a file that ends in "
        ".safetensors.",
    )


def _check_kind(where: str, source: Stage, wanted: Input, groups: Groups) -> None:
    if _fits(source, wanted):
        return
    fitting = [name for name, steps in groups.items() if all(_fits(step.stage, wanted) for step in steps)]
    hint = f"Earlier steps that make {_wanted(wanted)}: {', '.join(fitting) or 'none'}."
    raise ConfigError(f"{where}: {source.name} makes {_OUTPUTS[source.output]}, not {_wanted(wanted)}.", hint)


def _fits(source: Stage, wanted: Input) -> bool:
    kind = "faces" if wanted.kind == "images" else wanted.kind
    return kind in ("run", source.output)


def _wanted(wanted: Input) -> str:
    return {"images": "faces", "run": "a run"}.get(wanted.kind) or _OUTPUTS[wanted.kind]
