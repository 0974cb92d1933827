from __future__ import annotations

import numpy as np
import pytest

from anonderm.core.errors import TooFewImages
from anonderm.evaluate.c2st import SIZE, on_pixels
from anonderm.metrics.c2st import C2ST, c2st, deal_folds, on_embeddings


def sides(rows: int) -> np.ndarray:
    return np.arange(2 * rows) >= rows


def test_the_auc_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    scores, second = rng.integers(0, 9, 80).astype(float), rng.random(80) < 0.4
    test = C2ST(scores, second, np.zeros(80, int), range(80))
    assert test.auc() == pytest.approx(metrics.roc_auc_score(second, scores), rel=1e-6)


def test_scores_of_two_folds_are_never_compared():
    """In each fold the order is right; across folds it is not."""
    scores, second = np.array([0.1, 0.2, 5.1, 5.2]), np.array([False, True, False, True])
    assert C2ST(scores, second, np.array([0, 0, 1, 1]), range(4)).auc() == 1.0


def test_no_person_is_in_training_and_test():
    people = [row // 3 for row in range(60)]
    scored = []

    def fit_and_score(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        assert not {people[row] for row in train} & {people[row] for row in test}
        scored.append(test)
        return np.zeros(len(test))

    c2st(sides(30), people, 5, fit_and_score, np.random.default_rng(0))
    assert sorted(np.concatenate(scored)) == list(range(60))


def test_every_fold_has_people_of_both_sets():
    fold = deal_folds(sides(12), range(24), 4, np.random.default_rng(0))
    for each in range(4):
        assert {bool(second) for second in sides(12)[fold == each]} == {False, True}


def test_fewer_people_than_folds_are_refused():
    with pytest.raises(TooFewImages, match="5 people"):
        deal_folds(sides(10), [row // 5 for row in range(20)], 5, np.random.default_rng(0))


def test_samples_of_one_distribution_score_a_half_on_average():
    """With several images a person: folds that divide people would leak."""
    found = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        rows = np.repeat(rng.normal(size=(40, 8)), 3, axis=0) + 0.1 * rng.normal(size=(120, 8))
        people = (np.arange(120) // 3).tolist()
        found.append(c2st(sides(60), people, 4, on_embeddings(rows.astype(np.float32), sides(60)), rng).auc())
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(len(found))


def test_different_sets_are_separated_and_the_interval_contains_the_value():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(120, 8)).astype(np.float32)
    rows[60:] += 0.8
    test = c2st(sides(60), range(120), 5, on_embeddings(rows, sides(60)), rng)
    low, high = test.interval(np.arange(120), 200, rng)
    assert 0.8 < low <= test.auc() <= high <= 1


def test_the_cnn_detects_a_pattern_in_pixels_and_gives_the_same_scores_for_the_same_seed():
    """A checkerboard of one grey level: what a generator's upsampling may leave."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(90, 160, (96, SIZE, SIZE, 3), dtype=np.uint8)
    pixels[48:] += (np.indices((SIZE, SIZE)).sum(0) % 2 * 12).astype(np.uint8)[None, :, :, None]
    learn, score = np.r_[0:32, 48:80], np.r_[32:48, 80:96]
    fit_and_score = on_pixels(pixels, sides(48), 4, 0)
    scores = fit_and_score(learn, score)
    assert C2ST(scores, sides(16), np.zeros(32, int), range(32)).auc() > 0.9
    assert (fit_and_score(learn, score) == scores).all()
