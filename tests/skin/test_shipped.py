"""The shipped network segments the skin of drawn people that it was not trained on."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.core import weights
from anonderm.metrics.confusion import Agreement
from anonderm.models.skin_segmenter.segment import load_segmenter
from anonderm.phantom.condition import CLASSES, sample_condition
from anonderm.phantom.draw import draw
from anonderm.phantom.person import sample_person
from anonderm.phantom.photo import sample_photo


@pytest.mark.parametrize("size", [192, 300])
def test_it_segments_the_skin_of_held_out_phantoms(size):
    segmenter = load_segmenter(weights.load("phantom-skin"))
    agreement = Agreement(("background", "skin"))
    for index in range(8):
        rng = np.random.default_rng(700_000 + index)
        condition = sample_condition(rng, CLASSES[index % len(CLASSES)])
        drawing = draw(sample_person(rng), sample_photo(rng), condition, size)
        agreement.add(drawing.skin.astype(np.uint8), segmenter.mask(drawing.image).astype(np.uint8))
    assert agreement.dice["skin"] > 0.96


def test_it_is_small_and_its_card_states_how_it_was_trained():
    checkpoint = weights.load("phantom-skin")
    assert checkpoint.path.stat().st_size < 5e6
    assert checkpoint.card.licence == "Apache-2.0"
    assert "train-skin" in checkpoint.card.command
    assert "anonderm phantom" in checkpoint.card.notes["data"]
