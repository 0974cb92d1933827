"""The commands that run no single stage: recipes, weights, checks of a release, conversion of GANs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import tyro

from anonderm.cli.flags import flags_of, parse
from anonderm.cli.stage_command import print_outputs
from anonderm.core import weights
from anonderm.core.config import Positive, Settings

if TYPE_CHECKING:
    from anonderm.core.checkpoint import Checkpoint


@dataclass(frozen=True)
class RunRecipeConfig(Settings):
    """Run a recipe: all its steps in order. Finished steps are skipped, an interrupted one resumes."""

    recipe: tyro.conf.Positional[Path]
    """The recipe, a TOML file."""
    data: Path | None = None
    """A folder of photos, for recipes that start from photos."""
    out: Path | None = None
    """The folder for the run folders of the steps. Default: runs/NAME, where NAME is that of the recipe
    (with --small: runs/NAME-small)."""
    until: str | None = None
    """Stop after this step, or after the last step of this stage."""
    budget_minutes: Positive | None = None
    """Set the lengths of training so that the recipe takes this many minutes on this machine."""
    dry_run: bool = False
    """Print the plan, with the estimated time of each step and all missing weights, and run nothing."""
    small: bool = False
    """Run the small form of the recipe: the same steps on phantom faces, in minutes and without third-party
    weights. It shows what the recipe does and what its report contains."""


def run(arguments: list[str]) -> int:
    config = _parse("run", RunRecipeConfig, arguments)
    from anonderm.recipe.execute import run_recipe

    name = f"{config.recipe.stem}-small" if config.small else config.recipe.stem
    records = run_recipe(
        config.recipe,
        config.out or Path("runs") / name,
        config.data,
        config.until,
        config.budget_minutes,
        config.dry_run,
        config.small,
    )
    for record in records[-1:]:
        print_outputs(record)
    return 0


def verify(arguments: list[str]) -> int:
    """Returns 1 if the release has faults."""
    from anonderm.publish.release.verify.command import VerifyConfig, show, verify

    checks = verify(_parse("verify", VerifyConfig, arguments).release)
    show(checks)
    return 1 if any(check.faults for check in checks) else 0


def import_gan(arguments: list[str]) -> int:
    from anonderm.models.stylegan2.third_party.config import ImportGanConfig

    config = _parse("import-gan", ImportGanConfig, arguments)
    from anonderm.models.stylegan2.third_party.importer import import_gan

    print(import_gan(config).path)
    return 0


def export_gan(arguments: list[str]) -> int:
    from anonderm.models.stylegan2.third_party.config import ExportGanConfig

    config = _parse("export-gan", ExportGanConfig, arguments)
    from anonderm.models.stylegan2.third_party.exporter import export_gan
    from anonderm.stages import open_artefact

    print(export_gan(config, cast("Checkpoint", open_artefact("checkpoint", config.checkpoint))))
    return 0


def _parse(command: str, cls: Callable[..., Any], arguments: list[str]) -> Any:
    return cls(**parse(command, cls.__doc__ or "", flags_of(cls), arguments))


@dataclass(frozen=True)
class FetchConfig:
    """Download third-party weights. This is the only command that uses a network."""

    name: tyro.conf.Positional[str]
    """A name from `anonderm weights list`."""


@dataclass(frozen=True)
class AddConfig(FetchConfig):
    """Copy third-party weights that you have downloaded to where anonderm looks for them."""

    path: tyro.conf.Positional[Path]
    """Their file, or the folder that holds their files."""


def list_weights(arguments: list[str]) -> int:
    parse("weights list", "List all registered weights.", [], arguments)
    for shipped in weights.SHIPPED.values():
        state = "ships" if shipped.path.exists() else "missing"
        print(f"{shipped.name:<16} {state:<8} {shipped.purpose}\n{'':26}{shipped.licence}")
    for entry in weights.third_party().values():
        state = "present" if entry.is_present else "absent"
        print(f"{entry.name:<16} {state:<8} {entry.purpose}\n{'':26}{entry.licence}; {entry.page}")
    print(f"Third-party weights are kept in {weights.user_folder()}.", file=sys.stderr)
    return 0


def add_weights(arguments: list[str]) -> int:
    config = _parse("weights add", AddConfig, arguments)
    print(weights.add(config.name, config.path))
    return 0


def fetch_weights(arguments: list[str]) -> int:
    config = _parse("weights fetch", FetchConfig, arguments)
    from anonderm.core.download import fetch

    print(fetch(config.name))
    return 0
