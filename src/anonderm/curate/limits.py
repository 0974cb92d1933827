"""Limits for synthetic faces, measured on the training faces."""

# N training faces, S statistics

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.curate.config import ScreenConfig
from anonderm.curate.facespace import cross_validated_distances
from anonderm.curate.statistics import STATISTICS, measure
from anonderm.embeddings.extractors import embed_both_sides
from anonderm.metrics.pairwise import nearest

_PIXELS_A_BATCH = 2**22
_LEAST_COPY = 0.02  # between thumbnails: visually the same picture
_LEAST_SLACK = 0.2  # of a logarithm: limits are at least 22% beyond those of the training faces


@dataclass(frozen=True)
class Limits:
    """`low` and `high` hold log(floor + value) of each image statistic; distances are of thumbnails.

    low, high   a face with an image statistic outside is an artefact
    deformed    a face farther than this from the face space of the training faces is deformed
    copy        a face nearer than this to a training face, or to its mirror image, is a near-copy
    duplicate   two synthetic faces nearer than this are duplicates
    """

    low: dict[str, float | None]
    high: dict[str, float]
    deformed: float
    copy: float
    duplicate: float
    training_faces: int
    size: int


def calibrate(training: FaceSet, size: int, config: ScreenConfig) -> Limits:
    """Limits from these faces, with image statistics at `size` x `size` pixels. Raises TooFewImages."""
    if not len(training):
        reason = f"{training.folder}: no face of split train to screen against."
        raise TooFewImages(reason, "Give a FaceSet that ingest made.")
    subjects = [face.person for face in training]
    if len(set(subjects)) < 2:
        reason = "screening needs training faces of at least two people; there is one."
        raise TooFewImages(reason, "Ingest photos of more people.")
    views_N2D = embed_both_sides(training, "thumbnail")
    faces_ND = views_N2D[:, 0]
    apart_N = nearest(faces_ND, views_N2D, exclude=(subjects, subjects)).distances_M
    copy = max(float(np.quantile(apart_N, config.copy_quantile)), _LEAST_COPY)
    distances_N = cross_validated_distances(faces_ND, subjects, config.pca_components)
    low, high = _statistic_limits(statistics(training, size), config)
    return Limits(
        low=low,
        high=high,
        deformed=float(np.quantile(distances_N, config.deformed_quantile)) * config.deformed_factor,
        copy=copy,
        duplicate=copy * config.duplicate_factor,
        training_faces=len(training),
        size=size,
    )


def statistics(faces: FaceSet, size: int) -> NDArray[np.float64]:
    """Image statistics [N, S] of a FaceSet at `size` x `size` pixels."""
    batches = faces.batches(max(1, _PIXELS_A_BATCH // size**2))
    return np.concatenate([measure(batch.pixels(size)) for batch in batches])


def _statistic_limits(
    values_NS: NDArray[np.float64], config: ScreenConfig
) -> tuple[dict[str, float | None], dict[str, float]]:
    low_S = np.quantile(values_NS, 1 - config.artefact_quantile, axis=0)
    high_S = np.quantile(values_NS, config.artefact_quantile, axis=0)
    slack_S = np.maximum(config.artefact_margin * (high_S - low_S), _LEAST_SLACK)
    ranges = zip(STATISTICS, (low_S - slack_S).tolist(), (high_S + slack_S).tolist(), strict=True)
    limits = [(each.name, low if each.two_sided else None, high) for each, low, high in ranges]
    return {name: low for name, low, _ in limits}, {name: high for name, _, high in limits}
