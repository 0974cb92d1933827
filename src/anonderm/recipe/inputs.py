"""The inputs of a step: what they refer to, and whether the stage can use it."""

from __future__ import annotations

from typing import Any

from anonderm.core import weights
from anonderm.core.config import check, typed
from anonderm.core.errors import ConfigError
from anonderm.core.names import nearest
from anonderm.recipe.file import check_known
from anonderm.recipe.steps import Step
from anonderm.stages import STAGES, Input, Stage

Groups = dict[str, tuple[Step, ...]]
"""The steps so far, by the names in the file; a repeated step has several."""


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
    where = f"{where} = {reference!r}"
    if reference in groups:
        stages = {step.stage.name for step in groups[reference]}
        check(
            all(_fits(stage, wanted) for stage in stages),
            f"{where} is from {', '.join(stages)}; it must be {_described(wanted)}.",
            f"Earlier steps that fit: {', '.join(_fitting(wanted, groups)) or 'none'}.",
        )
        return [step.name for step in groups[reference]]
    if reference in weights.SHIPPED:
        made_by = weights.SHIPPED[reference].made_by
        check(_fits(made_by, wanted), f"{where} is from {made_by}; it must be {_described(wanted)}.")
        return [reference]
    if reference.endswith(".safetensors"):
        check(wanted.kind == "checkpoint", f"{where} is a checkpoint; it must be {_described(wanted)}.")
        return [str(weights.user_folder() / reference)]
    near = nearest(reference, [*groups, *weights.SHIPPED])
    known = f"Earlier steps: {', '.join(groups)}; shipped weights: {', '.join(weights.SHIPPED)}."
    raise ConfigError(
        f"{where} is not an earlier step, shipped weights or a .safetensors file.",
        f"Did you mean {near!r}?" if near else known,
    )


def _fits(stage: str, wanted: Input) -> bool:
    kind = "faces" if wanted.kind == "images" else wanted.kind
    return kind in ("run", STAGES[stage].output) and (not wanted.made_by or stage in wanted.made_by)


def _fitting(wanted: Input, groups: Groups) -> list[str]:
    return [name for name, steps in groups.items() if all(_fits(each.stage.name, wanted) for each in steps)]


def _described(wanted: Input) -> str:
    kind = {"faces": "faces", "images": "faces", "run": "a run"}.get(wanted.kind, f"a {wanted.kind}")
    return f"{kind} from {' or '.join(wanted.made_by)}" if wanted.made_by else kind
