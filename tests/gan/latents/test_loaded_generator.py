"""Opening a generator for one class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.models.stylegan2.sampling import LoadedGenerator, draw_faces, synthesise

Save = Callable[..., Checkpoint]


def test_a_class_is_required_only_for_conditional_generators(save: Save) -> None:
    conditional, plain = save("conditional", classes=("mild", "severe")), save("plain")
    assert LoadedGenerator.of(conditional, "severe").class_index == 1
    assert LoadedGenerator.of(plain, None).class_index is None
    for checkpoint, label in ((conditional, None), (conditional, "rosacea"), (plain, "mild")):
        with pytest.raises(ConfigError, match="this generator"):
            LoadedGenerator.of(checkpoint, label)


def test_styles_and_images_are_those_of_generate(save: Save) -> None:
    model = LoadedGenerator.of(save(classes=("mild", "severe")), "severe")
    seeds = list(range(18))
    w_NLD = model.styles(seeds, 0.7, ("0-1=0.5",))
    expected = draw_faces(model.generator, seeds, (0.5, 0.5, 0.7, 0.7, 0.7, 0.7), "const", 1)
    assert np.array_equal(synthesise(model.generator, w_NLD, "const"), expected)


def test_sampled_styles_are_those_of_the_class(save: Save) -> None:
    checkpoint = save(classes=("mild", "severe"))
    mild, severe = (
        LoadedGenerator.of(checkpoint, label).sample_styles(1500, torch.Generator().manual_seed(0))
        for label in ("mild", "severe")
    )
    assert mild.shape == (1500, 10)
    assert not torch.allclose(mild.mean(dim=0), severe.mean(dim=0))
    again = LoadedGenerator.of(checkpoint, "mild").sample_styles(1500, torch.Generator().manual_seed(0))
    assert torch.equal(mild, again)
