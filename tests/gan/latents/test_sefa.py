"""Closed-form factorisation, against brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from anonderm.core.errors import ConfigError
from anonderm.core.images import read_image
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import SefaConfig
from anonderm.gan.latents.directions import moved
from anonderm.gan.latents.sefa import affines, factorise, sefa
from anonderm.models.stylegan2.sampling import LoadedGenerator, synthesise


def style_change(model: LoadedGenerator, layers: range, direction_D: torch.Tensor) -> float:
    """Squared change of all styles that the layers' w make, when it moves by the direction."""
    w = torch.randn(1, 10, generator=torch.Generator().manual_seed(5))
    total = 0.0
    for layer in layers:
        for affine in affines(model.generator)[layer]:
            # The layers scale their weights by 1 / sqrt(D) on the fly; here the plain weights count.
            total += 10 * float((affine(w + direction_D) - affine(w)).square().sum())
    return total


@pytest.mark.parametrize("layers", [range(6), range(2), range(5, 6)])
def test_directions_are_orthonormal_and_their_strengths_are_the_changes_of_the_styles(
    model: LoadedGenerator, layers: range
) -> None:
    unit_KD, strength_K = factorise(model.generator, layers, 10)
    assert torch.allclose(unit_KD @ unit_KD.T, torch.eye(10), atol=1e-5)
    assert (strength_K.diff() <= 1e-4).all()
    for direction, strength in zip(unit_KD, strength_K, strict=True):
        assert style_change(model, layers, direction) == pytest.approx(float(strength), rel=1e-3, abs=1e-3)


def test_no_other_direction_changes_the_styles_more(model: LoadedGenerator) -> None:
    layers = range(1, 4)
    unit_KD, strength_K = factorise(model.generator, layers, 2)
    tried = torch.nn.functional.normalize(
        torch.randn(300, 10, generator=torch.Generator().manual_seed(1)), dim=1
    )
    best = max(style_change(model, layers, each) for each in tried)
    assert best <= float(strength_K[0])
    without_first = torch.nn.functional.normalize(tried - (tried @ unit_KD[0])[:, None] * unit_KD[0], dim=1)
    second = max(style_change(model, layers, each) for each in without_first)
    assert second <= float(strength_K[1]) * 1.001


def test_climbing_the_change_of_styles_ends_at_the_first_direction(model: LoadedGenerator) -> None:
    layers = range(6)
    first = factorise(model.generator, layers, 1)[0][0]
    rows = torch.cat([affine.weight for layer in layers for affine in affines(model.generator)[layer]])
    climber = torch.ones(10)
    for _ in range(3000):  # power iteration
        climber = torch.nn.functional.normalize(rows.T @ (rows @ climber), dim=0)
    assert abs(float(climber @ first)) == pytest.approx(1, abs=1e-3)


def test_each_affine_belongs_to_the_layer_whose_w_it_reads(model: LoadedGenerator) -> None:
    generator = model.generator
    w = torch.zeros(1, 6, 10)
    for layer, own in enumerate(affines(generator)):
        received: list[torch.Tensor] = []
        hooks = [
            affine.register_forward_hook(lambda _m, inputs, _o, received=received: received.append(inputs[0]))
            for affine in own
        ]
        marked = w.clone()
        marked[:, layer] = 1
        generator.synthesise(marked, None)
        for hook in hooks:
            hook.remove()
        assert len(received) == len(own)
        assert all(bool((x == 1).all()) for x in received)
    count = sum(len(own) for own in affines(generator))
    assert count == len(generator.layers()) + 3, "every convolution and every to-RGB, once"


def test_the_middle_of_a_row_is_the_face_itself_and_other_layers_stay(model: LoadedGenerator) -> None:
    w = model.styles([0, 1], 0.7)
    ways = moved(w, torch.ones(10), (-2.0, 0.0, 2.0), range(2, 4))
    assert ways.shape == (2, 3, 6, 10)
    assert torch.equal(ways[:, 1], w)
    assert torch.equal(ways[:, 0, :2], w[:, :2])
    assert torch.equal(ways[:, 2, 4:], w[:, 4:])
    assert torch.allclose(ways[1, 2, 2:4], w[1, 2:4] + 2)


def test_the_run_writes_directions_and_a_sheet(save, tmp_path: Path) -> None:
    checkpoint = save()
    config = SefaConfig(directions=2, layers="1-3", columns=3, seeds="4,6", alpha=1.5)
    with RunDir.open(tmp_path / "run", "latents sefa", config, {}) as run:
        saved, picture = sefa(config, checkpoint, run)
    with safe_open(saved, framework="pt") as file:
        directions_KD, metadata = file.get_tensor("directions"), file.metadata()
    assert directions_KD.shape == (2, 10)
    assert (metadata["layers"], metadata["checkpoint"]) == ("1-3", checkpoint.digest)
    model = LoadedGenerator.of(checkpoint, None)
    sample = model.sample_styles(4000, torch.Generator().manual_seed(9))
    length = directions_KD.norm(dim=1)
    along = (sample @ (directions_KD / length[:, None]).T).std(dim=0)
    assert torch.allclose(length, along, rtol=0.1), "alpha counts standard deviations of w"
    last = moved(model.styles([6], 0.7), directions_KD[1], [1.5], range(1, 4))[0]
    sheet = read_image(picture)
    shown = sheet[-100:-4:6, -100:-4:6]
    assert np.array_equal(shown, synthesise(model.generator, last, "const")[0])


def test_more_directions_than_w_has_are_refused(save, tmp_path: Path) -> None:
    config = SefaConfig(directions=11)
    with (
        RunDir.open(tmp_path / "run", "latents sefa", config, {}) as run,
        pytest.raises(ConfigError, match="10 dimensions"),
    ):
        sefa(config, save(), run)
