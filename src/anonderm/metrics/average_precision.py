"""Average precision of found boxes, in plain numpy, as the COCO challenge defines it.

Precision is read at 101 levels of recall, each time the best one at that recall or beyond; finds are matched
to true boxes best score first, each to the free box it overlaps most. Unlike COCO's evaluation no more than
100 finds a picture is no rule here: an inflamed face can have more lesions.
Source: Lin et al. 2014, and the code of its evaluation (pycocotools).
"""

# N finds, M true boxes, T thresholds of the overlap, F faces

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Lesion

OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class Found:
    """A lesion and how sure the detector is of it, 0 to 1."""

    lesion: Lesion
    score: float


@dataclass(frozen=True, slots=True)
class Matches:
    """One kind on one face: scores [N] best first, which finds are right [T, N], how many are true."""

    scores_N: NDArray[np.float64]
    right_TN: NDArray[np.bool_]
    true: int


def match(found: Sequence[Found], truth: Sequence[Lesion], overlaps: Sequence[float] = OVERLAPS) -> Matches:
    """Which finds of one kind on one face are right, at each threshold of the overlap."""
    ordered = sorted(found, key=lambda each: -each.score)
    shared_NM = shares([each.lesion for each in ordered], truth)
    right_TN = np.zeros((len(overlaps), len(ordered)), bool)
    for right_N, least in zip(right_TN, overlaps, strict=True):
        free_M = np.ones(len(truth), bool)
        for row, shared_M in enumerate(shared_NM):
            candidates_M = np.where(free_M, shared_M, -1.0)
            if len(truth) and candidates_M.max() >= least:
                right_N[row] = True
                free_M[candidates_M.argmax()] = False
    return Matches(np.array([each.score for each in ordered]), right_TN, len(truth))


def shares(a: Sequence[Lesion], b: Sequence[Lesion]) -> NDArray[np.float64]:
    """Intersection over union [N, M] of the boxes."""
    a_N4, b_M4 = (np.array([(x.x0, x.y0, x.x1, x.y1) for x in each]).reshape(-1, 4) for each in (a, b))
    low_NM2 = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2])
    high_NM2 = np.minimum(a_N4[:, None, 2:], b_M4[None, :, 2:])
    shared_NM = np.clip(high_NM2 - low_NM2, 0, None).prod(axis=2)
    area_N, area_M = ((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a_N4, b_M4))
    return shared_NM / np.maximum(area_N[:, None] + area_M[None, :] - shared_NM, 1e-9)


def average_precisions(of_faces: Sequence[Matches]) -> NDArray[np.float64]:
    """Average precision [T] of one kind over all faces; NaN where no lesion of the kind is true."""
    true = sum(matches.true for matches in of_faces)
    count = len(of_faces[0].right_TN) if of_faces else len(OVERLAPS)
    if true == 0:
        return np.full(count, np.nan)
    order_N = np.argsort(-np.concatenate([matches.scores_N for matches in of_faces]), kind="stable")
    right_TN = np.concatenate([matches.right_TN for matches in of_faces], axis=1)[:, order_N]
    hits_TN = np.cumsum(right_TN, axis=1)
    precision_TN = hits_TN / np.arange(1, len(order_N) + 1)
    best_TN = np.maximum.accumulate(precision_TN[:, ::-1], axis=1)[:, ::-1]
    return np.array(
        [_mean_precision(hits_N / true, best_N) for hits_N, best_N in zip(hits_TN, best_TN, strict=True)]
    )


def _mean_precision(recall_N: NDArray[np.float64], best_N: NDArray[np.float64]) -> float:
    """Mean over the levels of recall; 0 where a level is not reached."""
    rows = np.searchsorted(recall_N, _RECALLS, side="left")
    reached = rows < len(recall_N)
    return float(best_N[rows[reached]].sum() / len(_RECALLS))


def matches_by_kind(
    found_F: Sequence[Sequence[Found]], truth_F: Sequence[Sequence[Lesion]], kinds: Sequence[str]
) -> dict[str, list[Matches]]:
    """For each kind, the matches of every face."""
    return {
        kind: [
            match([f for f in found if f.lesion.kind == kind], [t for t in truth if t.kind == kind])
            for found, truth in zip(found_F, truth_F, strict=True)
        ]
        for kind in kinds
    }


def mean_average_precision(of_kinds: dict[str, list[Matches]]) -> tuple[float, float]:
    """mAP50 and mAP50-95: means over the kinds that occur; NaN where none does."""
    by_kind_KT = np.array([average_precisions(of_faces) for of_faces in of_kinds.values()])
    known_KT = by_kind_KT[~np.isnan(by_kind_KT).any(axis=1)]
    if len(known_KT) == 0:
        return float("nan"), float("nan")
    return float(known_KT[:, 0].mean()), float(known_KT.mean())
