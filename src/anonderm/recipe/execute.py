"""Running the steps of a recipe: finished steps are skipped, an interrupted one resumes.

If a release is refused, the recipe ends with that refusal, but the report is still written: it covers the
refused release, in a run folder of its own, so that the usual folder stays free for the report of a later
release.
"""

import dataclasses
import sys
import time
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.config import Positive, typed
from anonderm.core.documents import read_json
from anonderm.core.errors import BrokenArtefact, ConfigChanged, ConfigError, MissingWeights, ReleaseRefused
from anonderm.core.files import write_json
from anonderm.core.progress import duration
from anonderm.core.rundir import RunRecord
from anonderm.recipe.budget import fit_to_budget, with_planned_lengths
from anonderm.recipe.estimate import estimate
from anonderm.recipe.needs import missing_weights
from anonderm.recipe.plan import Recipe, Step, read_recipe
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
    """Run a recipe, or its small form, into `out` with one run folder a step; returns the steps' records.

    Raises ConfigError, MissingPath or MissingWeights before the first step, whatever a stage raises, and
    ReleaseRefused after all steps that can run without the release. To resume, call it again.
    """
    recipe = read_recipe(path, data, small, without_photos=dry_run)
    recipe = _budgeted(recipe, out, budget_minutes, keep=not dry_run)
    steps = recipe.until(until)
    to_do = [step for step in steps if _state(out / step.name) != "done"]
    missing = [f"{', '.join(names)}: {problem}" for problem, names in missing_weights(to_do).items()]
    if dry_run:
        _print_plan(recipe, steps, out)
        if missing:
            _print("\n  ".join(["Missing weights and files:", *missing]))
        return []
    if missing:
        raise MissingWeights(f"{recipe.path}: needs weights or files that are missing.", "\n  ".join(missing))
    _print(f"{recipe.title}\nRun folder {out}. To resume after a stop, run the same command again.")
    return _run_steps(recipe, steps, out)


def _run_steps(recipe: Recipe, steps: tuple[Step, ...], out: Path) -> list[RunRecord]:
    """Run all steps; the refusal of a release is raised after the steps that can run without it."""
    records: list[RunRecord] = []
    refused: dict[str, ReleaseRefused] = {}
    for number, step in enumerate(steps, 1):
        if needed := _refused_input(step, refused):
            _print(f"[{number}/{len(steps)}] {step.name}: skipped, because {needed} was refused")
            continue
        try:
            records.append(_run_step(step, recipe, out, f"[{number}/{len(steps)}]", refused))
        except ReleaseRefused as refusal:
            refused[step.name] = refusal
            _print("  refused")
    for first in refused.values():
        _print(f"The release was refused. The other steps are in {out}.")
        raise first
    return records


def _refused_input(step: Step, refused: Container[str]) -> str:
    """A refused step whose output this step needs; an input of kind "run" needs no output."""
    needed = [name for name in step.inputs if step.stage.inputs[name].kind != "run"]
    return next((source for name in needed for source in step.inputs[name] if source in refused), "")


def _run_step(step: Step, recipe: Recipe, out: Path, position: str, refused: Container[str]) -> RunRecord:
    _print(f"{position} {step.name}: {step.stage.help}")
    start = time.monotonic()
    covers_refusal = any(source in refused for sources in step.inputs.values() for source in sources)
    folder = out / (f"{step.name}-refused" if covers_refusal else step.name)
    record = run_stage(step.stage, step.config, _references(step, recipe, out), folder)
    took = time.monotonic() - start
    earlier = record.content["seconds"] - took
    total = duration(record.content["seconds"])
    _print(f"  done in {duration(took)}" if earlier < 1 else f"  done ({total} in all)")
    return record


def _references(step: Step, recipe: Recipe, out: Path) -> dict[str, tuple[Reference, ...]]:
    """The run folders of earlier steps; shipped weights keep their name."""
    names = {each.name for each in recipe.steps}
    return {
        key: tuple(out / source if source in names else source for source in sources)
        for key, sources in step.inputs.items()
    }


def _budgeted(recipe: Recipe, out: Path, minutes: float | None, keep: bool) -> Recipe:
    """The recipe with training lengths that fit the budget; they are planned once and kept with the run.

    A resumed run trains as long as the first call planned, however fast the machine is now.
    """
    file = out / "budget.json"
    if file.exists():
        kept = _kept_budget(file)
        if minutes not in (None, kept.minutes):
            raise ConfigChanged(
                f"{out}: planned for a budget of {kept.minutes:g} minutes, not {minutes:g}.",
                "Choose another --out, or give the same budget.",
            )
        return with_planned_lengths(recipe, kept.kimg)
    if minutes is None:
        return recipe
    fitted = fit_to_budget(recipe, minutes)
    if keep:
        kimg = {step.name: step.config.kimg for step in fitted.steps if step.share}
        write_json(file, {"minutes": minutes, "kimg": kimg})
    return fitted


@dataclass(frozen=True)
class _Budget:
    minutes: Positive
    kimg: dict[str, Positive]


def _kept_budget(file: Path) -> _Budget:
    """Raises BrokenArtefact."""
    try:
        return typed(_Budget, read_json(file), str(file))
    except ConfigError as error:
        raise BrokenArtefact(error.message, "Delete it to plan again.") from error


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
        state, estimated = _state(out / step.name), duration(seconds[step.name])
        table.add_row(step.name, step.stage.name, shown, state, estimated)
    left = sum(seconds[step.name] for step in steps if _state(out / step.name) != "done")
    table.add_section()
    table.add_row("", "", "", "left to do", duration(left))
    Console().print(table)


def _state(folder: Path) -> str:
    if not (folder / "run.json").exists():
        return "to do"
    return "done" if RunRecord.load(folder).done else "interrupted"


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
