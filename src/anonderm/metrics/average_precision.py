"""Average precision of detected boxes as the COCO challenge defines it.

Precision is read at 101 levels of recall, each time the highest one at that recall or beyond; detections are
matched to true boxes in order of their score, each to the free box with the highest IoU. Unlike COCO's
evaluation, more than 100 detections an image are allowed: an inflamed face can have more lesions.
Source: Lin et al. 2014, and the code of its evaluation (pycocotools).
"""

# N detections, M true boxes, T thresholds of the IoU, F faces

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Lesion

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected lesion and its score, 0 to 1."""

    lesion: Lesion
    score: float


@dataclass(frozen=True, slots=True)
class Matches:
    """One kind on one face: scores [N], highest first, correct detections [T, N], number of true lesions."""

    scores_N: NDArray[np.float64]
    correct_TN: NDArray[np.bool_]
    lesions: int


def match(
    detections: Sequence[Detection], truth: Sequence[Lesion], thresholds: Sequence[float] = IOU_THRESHOLDS
) -> Matches:
    """Match the detections of one kind on one face to its true boxes, at each threshold of the IoU."""
    ordered = sorted(detections, key=lambda each: -each.score)
    iou_NM = iou([each.lesion for each in ordered], truth)
    correct_TN = np.zeros((len(thresholds), len(ordered)), bool)
    for correct_N, threshold in zip(correct_TN, thresholds, strict=True):
        free_M = np.ones(len(truth), bool)
        for row, iou_M in enumerate(iou_NM):
            candidates_M = np.where(free_M, iou_M, -1.0)
            if len(truth) and candidates_M.max() >= threshold:
                correct_N[row] = True
                free_M[candidates_M.argmax()] = False
    return Matches(np.array([each.score for each in ordered]), correct_TN, len(truth))


def iou(a: Sequence[Lesion], b: Sequence[Lesion]) -> NDArray[np.float64]:
    """Intersection over union [N, M] of the boxes; 0 for two boxes without an area."""
    import torch
    from torchvision.ops import box_iou

    a_N4, b_M4 = (
        torch.tensor([(x.x0, x.y0, x.x1, x.y1) for x in each], dtype=torch.float64).view(-1, 4)
        for each in (a, b)
    )
    return box_iou(a_N4, b_M4).nan_to_num(0.0).numpy()


def average_precisions(of_faces: Sequence[Matches]) -> NDArray[np.float64]:
    """Average precision [T] of one kind over all faces; NaN if there is no true lesion of the kind."""
    lesions = sum(matches.lesions for matches in of_faces)
    count = len(of_faces[0].correct_TN) if of_faces else len(IOU_THRESHOLDS)
    if lesions == 0:
        return np.full(count, np.nan)
    order_N = np.argsort(-np.concatenate([matches.scores_N for matches in of_faces]), kind="stable")
    correct_TN = np.concatenate([matches.correct_TN for matches in of_faces], axis=1)[:, order_N]
    hits_TN = np.cumsum(correct_TN, axis=1)
    precision_TN = hits_TN / np.arange(1, len(order_N) + 1)
    best_TN = np.maximum.accumulate(precision_TN[:, ::-1], axis=1)[:, ::-1]
    found_T = np.zeros(count)
    for threshold, recall_N in enumerate(hits_TN / lesions):
        rows = np.searchsorted(recall_N, _RECALLS)
        reached = rows[rows < len(recall_N)]  # the precision of a recall that is not reached is 0
        found_T[threshold] = best_TN[threshold, reached].sum() / len(_RECALLS)
    return found_T


def matches_by_kind(
    detections_F: Sequence[Sequence[Detection]], truth_F: Sequence[Sequence[Lesion]], kinds: Sequence[str]
) -> dict[str, list[Matches]]:
    """For each kind, the matches of every face."""
    return {
        kind: [
            match([d for d in detections if d.lesion.kind == kind], [t for t in truth if t.kind == kind])
            for detections, truth in zip(detections_F, truth_F, strict=True)
        ]
        for kind in kinds
    }


def mean_average_precision(of_kinds: dict[str, list[Matches]]) -> tuple[float, float]:
    """mAP50 and mAP50-95: means over the kinds that occur; NaN if none does."""
    by_kind_KT = np.array([average_precisions(of_faces) for of_faces in of_kinds.values()])
    known_KT = by_kind_KT[~np.isnan(by_kind_KT).any(axis=1)]
    if len(known_KT) == 0:
        return float("nan"), float("nan")
    return float(known_KT[:, 0].mean()), float(known_KT.mean())
