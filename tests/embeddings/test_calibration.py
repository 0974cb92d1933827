from __future__ import annotations

import dataclasses
import json
from statistics import NormalDist

import numpy as np
import pytest

from anonderm.core.results.audit import Calibration
from anonderm.embeddings.calibration import Pairs, calibrate, copy_pairs, photo_pairs, rate_over_people
from anonderm.embeddings.matchers.matcher import Templates


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pairs(distances, same: bool = False) -> Pairs:
    """Each pair of other people; of one person where `same`."""
    people = np.arange(2 * len(distances)).reshape(-1, 2)
    return Pairs(np.asarray(distances, float), np.repeat(people[:, :1], 2, axis=1) if same else people)


def calibrated(genuine, impostor, enrolled=(100, 100)) -> Calibration:
    return calibrate("m", pairs(genuine, same=True), pairs(impostor), "photos", enrolled, rng())


def test_thresholds_accept_exactly_the_stated_share_of_impostor_pairs():
    found = calibrated(np.linspace(0, 1, 100), np.arange(2000, 0, -1))
    assert [level.threshold for level in found.levels] == [2.0, 20.0]
    assert [level.fmr[0] for level in found.levels] == [0.001, 0.01]
    assert [level.how for level in found.levels] == ["measured", "measured"]


def test_tied_distances_do_not_exceed_the_rate():
    found = calibrated(np.zeros(20), np.repeat(5.0, 1000))
    assert found.threshold(0.01) < 5
    assert found.levels[1].fmr[0] == 0


def test_two_normal_distributions_have_the_error_rates_of_theory():
    """Means 2 apart, deviation 1: the rates are equal halfway; FNMR at FMR 1% = 1 - Phi(2 - 2.33)."""
    draw = np.random.default_rng(2).normal
    found = calibrated(draw(4, 1, 1_500), draw(6, 1, 1_500))
    assert found.eer == pytest.approx(NormalDist().cdf(-1), abs=0.02)
    missed = 1 - NormalDist().cdf(2 + NormalDist().inv_cdf(0.01))
    assert found.levels[1].fnmr[0] == pytest.approx(missed, abs=0.07)


def test_a_rate_too_small_for_the_number_of_pairs_is_extrapolated_and_marked_so():
    found = calibrated(np.zeros(20), np.random.default_rng(3).normal(10, 1, 500))
    assert [level.how for level in found.levels] == ["extrapolated", "measured"]
    assert found.threshold(0.001) == pytest.approx(10 + NormalDist().inv_cdf(0.001), abs=0.35)
    assert found.threshold(0.001) < found.threshold(0.01)


@pytest.mark.parametrize(
    ("genuine", "impostor", "enrolled", "why"),
    [
        (np.zeros(50), np.full(50, 9.0), (100, 100), "50 impostor pairs"),
        (np.zeros(9), np.linspace(5, 9, 500), (100, 100), "9 genuine pairs"),
        (np.linspace(0, 9, 50), np.linspace(0, 9, 500), (100, 100), "misses 98%"),
        (np.zeros(50), np.linspace(5, 9, 500), (49, 100), "49 of 100 pictures"),
    ],
)
def test_an_uninformative_matcher_is_reported_with_the_reason(genuine, impostor, enrolled, why):
    assert why in calibrated(genuine, impostor, enrolled).uninformative


def test_a_matcher_that_separates_people_is_informative_and_its_curve_is_plain_json():
    found = calibrated(np.linspace(0, 1, 50), np.linspace(2, 9, 1000))
    assert found.uninformative is None
    assert found.eer == 0
    curve = np.array(json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))["curve"])
    assert len(curve) <= 200
    assert (np.diff(curve[:, 0]) > 0).all()
    assert (np.diff(curve[:, 1]) >= 0).all()
    assert (np.diff(curve[:, 2]) <= 0).all()
    assert curve[-1, 1:].tolist() == [1, 0]


def test_the_interval_is_wider_where_hits_share_people():
    """400 pairs of 20 photos a side: of 200 pairs of strangers, or of two people who are all alike."""
    lone = pairs(np.arange(190))
    together = Pairs(np.arange(190.0), np.array(np.triu_indices(20, 1)).T)
    low, high = rate_over_people(lone.people_P2[:, 0] < 38, lone.people_P2, rng())[1:]
    wide_low, wide_high = rate_over_people(together.people_P2[:, 0] < 1, together.people_P2, rng())[1:]
    assert wide_low <= 0.1 <= wide_high
    assert low <= 0.1 <= high
    assert wide_high - wide_low > high - low


def test_without_hits_the_interval_still_reaches_above_zero():
    lone = pairs(np.arange(50))
    share, low, high = rate_over_people(np.zeros(50, bool), lone.people_P2, rng())
    assert (share, low) == (0, 0)
    assert 0.05 < high < 0.1


def two_photos_of_each(people: int) -> tuple[Templates, list[str]]:
    looks = np.random.default_rng(4).normal(0, 1, (people, 1, 8))
    rows = np.repeat(looks, 2, axis=0) + np.random.default_rng(5).normal(0, 0.01, (2 * people, 1, 8))
    return Templates.of(rows.astype(np.float32)), [f"p{row // 2}" for row in range(2 * people)]


def test_every_pair_counts_once_as_genuine_or_as_impostor():
    faces, people = two_photos_of_each(12)
    genuine, impostor = photo_pairs(faces, faces, people, rng())
    assert (len(genuine), genuine.people) == (12, 12)
    assert (len(impostor), impostor.people) == (24 * 23 // 2 - 12, 12)
    assert genuine.distances_P.max() < impostor.distances_P.min()


def test_of_many_photos_a_sample_is_compared(monkeypatch):
    monkeypatch.setattr("anonderm.embeddings.calibration._MAX_PHOTOS", 10)
    genuine, impostor = photo_pairs(*two_photos_of_each(12)[:1] * 2, two_photos_of_each(12)[1], rng())
    assert len(genuine) + len(impostor) == 45


def test_a_copy_that_fails_to_enrol_is_a_pair_that_no_threshold_accepts():
    faces, people = two_photos_of_each(3)
    rows = faces.rows_NVD[[4, 0]].copy()
    rows[1] = np.nan
    found = copy_pairs(Templates.of(rows), faces, np.array([4, 0]), people)
    assert found.distances_P.tolist() == [0, np.inf]
    assert found.people == 2
