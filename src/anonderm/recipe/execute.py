"""Walking through the steps of a recipe: what is done is skipped, what was cut short resumes.

A release that is refused ends the recipe with that refusal, but not before the report: steps that are told of
runs hear of the refused one too, and run in a folder of their own, so that the report of a later release has
its usual place.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from anonderm.core.errors import ConfigChanged, ReleaseRefused
from anonderm.core.files import read_json, write_json
from anonderm.core.progress import duration
from anonderm.core.rundir import RunRecord
from anonderm.recipe.budget import fit_to_budget, with_planned_lengths
from anonderm.recipe.estimate import estimate
from anonderm.recipe.needs import missing_weights, refuse_missing_weights
from anonderm.recipe.plan import read_recipe
from anonderm.recipe.steps import Recipe, Step
from anonderm.stages import Reference, run_stage


def run_recipe(
    path: Path,
    out: Path,
    data: Path | None = None,
    until: str | None = None,
    budget_minutes: float | None = None,
    dry_run: bool = False,
    small: bool = False,
) -> list[RunRecord]:
    """Run a recipe into the folder `out`, one run folder a step; returns the records of the steps.

    small: its small form. Raises ConfigError, MissingPath, MissingWeights (before the first step) or whatever
    a stage raises; ReleaseRefused after the steps that could still run. To resume, call it again.
    """
    recipe = read_recipe(path, data, small, without_photos=dry_run)
    recipe = _budgeted(recipe, out, budget_minutes, keep=not dry_run)
    steps = recipe.until(until)
    to_do = [step for step in steps if _state(out / step.name) != "done"]
    if dry_run:
        _print_plan(recipe, steps, out)
        _print_missing(to_do)
        return []
    refuse_missing_weights(recipe.path, to_do)
    _say(f"{recipe.title}\nRun folder {out}. To resume after a stop, run the same command again.")
    records: list[RunRecord] = []
    refused: dict[str, ReleaseRefused] = {}
    for number, step in enumerate(steps, 1):
        if lacking := _lacking(step, refused):
            _say(f"[{number}/{len(steps)}] {step.name}: left out, as {lacking} was refused")
            continue
        try:
            records.append(_run_step(step, recipe, out, f"[{number}/{len(steps)}]", refused))
        except ReleaseRefused as refusal:
            refused[step.name] = refusal
            _say("  refused")
    for first in refused.values():
        _say(f"The release was refused. What was made before and about it lies in {out}.")
        raise first
    return records


def _lacking(step: Step, refused: Mapping[str, object]) -> str:
    """A refused step whose release this step needs; to be told of a run, none is needed."""
    needed = [name for name in step.inputs if step.stage.inputs[name].kind != "run"]
    return next((source for name in needed for source in step.inputs[name] if source in refused), "")


def _run_step(
    step: Step, recipe: Recipe, out: Path, position: str, refused: Mapping[str, object]
) -> RunRecord:
    _say(f"{position} {step.name}: {step.stage.help}")
    start = time.monotonic()
    tells = any(source in refused for sources in step.inputs.values() for source in sources)
    folder = out / (f"{step.name}-refused" if tells else step.name)
    record = run_stage(step.stage, step.config, _references(step, recipe, out), folder)
    took = time.monotonic() - start
    earlier = record.content["seconds"] - took
    total = duration(record.content["seconds"])
    _say(f"  done in {duration(took)}" if earlier < 1 else f"  done ({total} in all)")
    return record


def _references(step: Step, recipe: Recipe, out: Path) -> dict[str, tuple[Reference, ...]]:
    """Steps become their run folders; registered weights keep their name."""
    names = {each.name for each in recipe.steps}
    return {
        key: tuple(out / source if source in names else source for source in sources)
        for key, sources in step.inputs.items()
    }


def _budgeted(recipe: Recipe, out: Path, minutes: float | None, keep: bool) -> Recipe:
    """The recipe with training lengths that fit the budget; measured once, then kept with the run.

    A resumed run must train as long as the first call planned, however fast the machine is now.
    """
    file = out / "budget.json"
    if file.exists():
        kept = read_json(file)
        if minutes not in (None, kept["minutes"]):
            raise ConfigChanged(
                f"{out}: made with a budget of {kept['minutes']:g} minutes, not {minutes:g}.",
                "Choose another --out, or give the same budget.",
            )
        return with_planned_lengths(recipe, kept["kimg"])
    if minutes is None:
        return recipe
    fitted = fit_to_budget(recipe, minutes)
    if keep:
        write_json(
            file, {"minutes": minutes, "kimg": {s.name: s.config.kimg for s in fitted.steps if s.share}}
        )
    return fitted


def _print_plan(recipe: Recipe, steps: tuple[Step, ...], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    seconds = estimate(dataclasses.replace(recipe, steps=steps))
    table = Table(title=f"{recipe.title}  ({recipe.path})")
    for column in ("step", "stage", "from", "state", "estimated"):
        table.add_column(column, justify="right" if column == "estimated" else "left")
    for step in steps:
        sources = ", ".join(source for many in step.inputs.values() for source in many)
        shown = sources if len(sources) < 45 else sources[:42] + "..."
        table.add_row(
            step.name, step.stage.name, shown, _state(out / step.name), duration(seconds[step.name])
        )
    left = sum(seconds[step.name] for step in steps if _state(out / step.name) != "done")
    table.add_section()
    table.add_row("", "", "", "left to do", duration(left))
    Console().print(table)


def _print_missing(steps: Iterable[Step]) -> None:
    missing = missing_weights(steps)
    if missing:
        _say("Weights that are not here yet:")
    for told, names in missing.items():
        _say(f"  {', '.join(names)}: {told}")


def _state(folder: Path) -> str:
    if not (folder / "run.json").exists():
        return "to do"
    record = RunRecord.load(folder)
    return "done" if record.done else "cut short"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
