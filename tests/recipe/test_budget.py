from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from torch.utils.flop_counter import FlopCounterMode

from anonderm.classify import planning as classify
from anonderm.core.errors import ConfigError
from anonderm.gan import planning as gan
from anonderm.gan.config import PRESETS, TrainGanConfig, architecture
from anonderm.gan.speed import multiplications
from anonderm.recipe.budget import fit_to_budget, with_planned_lengths
from anonderm.recipe.estimate import estimate
from anonderm.recipe.plan import Recipe, read_recipe

PHANTOM = Path(__file__).parents[2] / "recipes" / "phantom.toml"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The phantom recipe on a machine that needs 20 s for a kimg."""

    def steady(config: TrainGanConfig, size: int) -> float:
        return 20.0

    monkeypatch.setattr(gan, "kimg_seconds", steady)
    monkeypatch.setattr(classify, "face_seconds", lambda config, size: 0.002)
    return read_recipe(PHANTOM)


def training_seconds(recipe: Recipe) -> float:
    return sum(step.config.kimg * 20.0 for step in recipe.steps if step.share)


def test_training_fills_the_time_that_the_other_steps_leave(recipe: Recipe) -> None:
    seconds = estimate(recipe)
    others = sum(seconds[step.name] for step in recipe.steps if not step.share)
    left = 60 * 60 * 0.95 - others
    assert training_seconds(fit_to_budget(recipe, 60)) == pytest.approx(left, rel=0.01)


def test_each_step_gets_its_share(recipe: Recipe) -> None:
    fitted = {step.name: step.config for step in fit_to_budget(recipe, 60).steps if step.share}
    shares = {step.name: step.share for step in recipe.steps if step.share}
    assert sum(shares.values()) == pytest.approx(1.0)
    whole = sum(config.kimg for config in fitted.values())
    for name, share in shares.items():
        assert fitted[name].kimg / whole == pytest.approx(share, abs=0.01)


def test_only_the_length_of_training_changes(recipe: Recipe) -> None:
    fitted = fit_to_budget(recipe, 60)
    lengths = {step.name: step.config.kimg for step in recipe.steps if step.share}
    assert with_planned_lengths(fitted, lengths) == recipe


def test_the_error_about_a_budget_too_small_names_a_sufficient_one(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="give at least") as raised:
        fit_to_budget(recipe, 2)
    enough = float(str(raised.value).rpartition("give at least ")[2].rstrip("."))
    assert fit_to_budget(recipe, enough).steps


def test_a_longer_training_is_estimated_to_take_longer(recipe: Recipe) -> None:
    shorter, longer = fit_to_budget(recipe, 30), fit_to_budget(recipe, 60)
    assert estimate(longer)["all-gan"] > estimate(shorter)["all-gan"]


def test_a_step_of_every_stage_has_an_estimate(recipe: Recipe) -> None:
    assert all(seconds > 0 for seconds in estimate(recipe).values())


PAPERS = ("acnegan", "rosacea", "skin_filtered_acne", "lesion_types")


@pytest.mark.parametrize("name", PAPERS)
def test_the_recipe_of_a_paper_is_estimated_from_its_file_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan, "kimg_seconds", lambda config, size: 20.0)
    monkeypatch.setattr(classify, "face_seconds", lambda config, size: size**2 * 1e-6)
    path = PHANTOM.with_name(f"{name}.toml")
    large = estimate(read_recipe(path, without_photos=True))
    small = estimate(read_recipe(path, small=True))
    assert all(seconds > 0 for seconds in large.values())
    assert sum(small.values()) < 0.05 * sum(large.values())


def test_a_network_for_large_images_has_more_to_compute() -> None:
    small, large = (multiplications(architecture(PRESETS["stylegan2"], size, ())) for size in (64, 1024))
    assert 2 < large / small < (1024 / 64) ** 2, "wide layers are narrower at high resolutions"


def test_a_deeper_classifier_has_more_to_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock counts operations, so that other programs on this machine change nothing."""
    with FlopCounterMode(display=False) as counter:
        clock = SimpleNamespace(perf_counter=counter.get_total_flops)
        monkeypatch.setattr(classify, "time", clock)
        tiny, deep = (
            classify._face_seconds.__wrapped__(name, 1, False, 64) for name in ("test_resnet", "resnet18")
        )
    assert 0 < tiny < deep
