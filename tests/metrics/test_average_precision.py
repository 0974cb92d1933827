"""Average precision against a direct implementation of its definition, box by box and level by level."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anonderm.core.records import Lesion
from anonderm.metrics.average_precision import (
    IOU_THRESHOLDS,
    Detection,
    average_precisions,
    iou,
    matches_by_kind,
    mean_average_precision,
)


def plain_iou(a: Lesion, b: Lesion) -> float:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both)


def plain_average_precision(
    found_F: list[list[Detection]], truth_F: list[list[Lesion]], least: float
) -> float:
    """From the text of the definition, with loops: highest score first, precision at 101 recalls."""
    flat = [(each.score, face, each.lesion) for face, found in enumerate(found_F) for each in found]
    flat.sort(key=lambda row: -row[0])
    taken: set[tuple[int, int]] = set()
    curve, hits = [], 0
    total = sum(map(len, truth_F))
    for rank, (_, face, box) in enumerate(flat, start=1):
        free = [i for i in range(len(truth_F[face])) if (face, i) not in taken]
        best = max(free, key=lambda i: plain_iou(box, truth_F[face][i]), default=None)
        if best is not None and plain_iou(box, truth_F[face][best]) >= least:
            taken.add((face, best))
            hits += 1
        curve.append((hits / total, hits / rank))
    levels = np.linspace(0, 1, 101).tolist()  # as in pycocotools: 0.35 is a little more than 7 / 20 there
    best_at = [max((p for r, p in curve if r >= level), default=0.0) for level in levels]
    return sum(best_at) / 101


def random_faces(seed: int, faces: int) -> tuple[list[list[Detection]], list[list[Lesion]]]:
    rng = np.random.default_rng(seed)
    truth_F, found_F = [], []
    for _ in range(faces):
        truth, found = [], []
        for _ in range(rng.integers(0, 9)):
            x, y, side = *rng.uniform(0, 40, 2), rng.uniform(3, 12)
            kind = str(rng.choice(["papule", "pustule"]))
            truth.append(Lesion(kind, x, y, x + side, y + side * rng.uniform(0.7, 1.4)))
            if rng.random() < 0.8:
                x, y = np.array([x, y]) + rng.normal(0, 0.9, 2)
                found.append(Detection(Lesion(kind, x, y, x + side, y + side), float(rng.random())))
        for _ in range(rng.integers(0, 4)):
            x, y, side = *rng.uniform(0, 40, 2), rng.uniform(3, 12)
            found.append(Detection(Lesion("papule", x, y, x + side, y + side), float(rng.random()) * 0.7))
        truth_F.append(truth)
        found_F.append(found)
    return found_F, truth_F


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_the_definition(seed: int) -> None:
    found_F, truth_F = random_faces(seed, faces=12)
    matches = matches_by_kind(found_F, truth_F, ("papule", "pustule"))
    plain = []
    for kind, of_faces in matches.items():
        found_of_kind = [[f for f in found if f.lesion.kind == kind] for found in found_F]
        truth_of_kind = [[t for t in truth if t.kind == kind] for truth in truth_F]
        expected = [plain_average_precision(found_of_kind, truth_of_kind, least) for least in IOU_THRESHOLDS]
        assert average_precisions(of_faces) == pytest.approx(expected, abs=1e-12)
        plain.append(expected)
    map50, map50_95 = mean_average_precision(matches)
    assert map50 == pytest.approx(np.mean(plain, axis=0)[0], abs=1e-12)
    assert map50_95 == pytest.approx(np.mean(plain), abs=1e-12)
    assert 0 < map50_95 < map50 < 1


def test_perfect_detections_score_one_and_none_score_zero() -> None:
    _, truth_F = random_faces(0, faces=4)
    perfect = [[Detection(lesion, 0.9) for lesion in truth] for truth in truth_F]
    assert mean_average_precision(matches_by_kind(perfect, truth_F, ("papule", "pustule"))) == (1.0, 1.0)
    nothing: list[list[Detection]] = [[] for _ in truth_F]
    assert mean_average_precision(matches_by_kind(nothing, truth_F, ("papule", "pustule"))) == (0.0, 0.0)


def test_a_second_detection_of_a_lesion_is_wrong() -> None:
    lesion = Lesion("papule", 0, 0, 10, 10)
    twice = [[Detection(lesion, 0.9), Detection(lesion, 0.8)]]
    (of_face,) = matches_by_kind(twice, [[lesion]], ("papule",))["papule"]
    assert of_face.correct_TN[0].tolist() == [True, False]


def test_kinds_without_a_true_lesion_do_not_count() -> None:
    lesion = Lesion("papule", 0, 0, 10, 10)
    matches = matches_by_kind([[Detection(lesion, 0.9)]], [[lesion]], ("papule", "nodule"))
    assert np.isnan(average_precisions(matches["nodule"])).all()
    assert mean_average_precision(matches) == (1.0, 1.0)
    assert math.isnan(mean_average_precision(matches_by_kind([[]], [[]], ("papule",)))[0])


def test_overlap_of_boxes_by_hand() -> None:
    boxes = [Lesion("papule", 0, 0, 2, 2), Lesion("papule", 1, 1, 3, 3), Lesion("papule", 5, 5, 6, 6)]
    assert iou(boxes[:1], boxes) == pytest.approx(np.array([[1.0, 1 / 7, 0.0]]))
