"""What an embedding knows of people whom the encoder has not seen."""

# N, M photos, D features

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.encoder import RESOLUTION, embedder
from anonderm.metrics.pairwise import nearest

_BATCH = 256


def knowledge(
    checkpoint: Checkpoint, learn: FaceSet, held_out: FaceSet, run: RunDir
) -> dict[str, float | int]:
    """What the embedding knows of people it was not trained on; empty without a test split."""
    if len(held_out) < 2:
        return {}
    embed = embedder(checkpoint)

    def embed_all(faces: FaceSet, whose: str) -> NDArray[np.float32]:
        batches = run.progress(list(faces.batches(_BATCH)), f"embedding {whose}")
        return np.concatenate([embed(batch.pixels(RESOLUTION)) for batch in batches])

    known_ND, new_MD = (
        embed_all(learn, "people it learned from"),
        embed_all(held_out, "people it has not seen"),
    )
    notes = {"held_out_photos": len(held_out), "held_out_same_person_nearest": _retrieval(new_MD, held_out)}
    truths: dict[str, Callable[[Face], float | None]] = {
        "severity": lambda face: None if face.label not in learn.labels else learn.labels.index(face.label),
        "lesions": lambda face: float(len(face.lesions)),
        "ita": lambda face: face.ita,
    }
    for name, truth in truths.items():
        known, new = [truth(face) for face in learn], [truth(face) for face in held_out]
        if None not in (*known, *new) and len(set(new)) > 1:
            guess_M = _linear_guess(known_ND, np.array(known, float), new_MD)
            notes[f"held_out_{name}_rank_correlation"] = round(_rank_correlation(guess_M, new), 3)
    return notes


def _retrieval(rows_ND: NDArray[np.float32], faces: FaceSet) -> float:
    """Share of the photos whose nearest other photo shows the same person, among people with two or more."""
    subjects = np.array([face.person for face in faces])
    rows = range(len(rows_ND))
    near_N = nearest(rows_ND, rows_ND, exclude=(rows, rows)).indices_M
    again_N = np.array([np.sum(subjects == subject) > 1 for subject in subjects])
    return round(float(np.mean(subjects[near_N][again_N] == subjects[again_N])), 3) if again_N.any() else 0.0


def _linear_guess(
    known_ND: NDArray[np.float32], truth_N: NDArray[np.float64], new_MD: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Ridge regression of a truth from embeddings, applied to new ones."""
    mean_D, mean = known_ND.mean(axis=0), truth_N.mean()
    centred_ND = known_ND - mean_D
    gram_DD = centred_ND.T @ centred_ND + np.eye(known_ND.shape[1])
    return (new_MD - mean_D) @ np.linalg.solve(gram_DD, centred_ND.T @ (truth_N - mean)) + mean


def _rank_correlation(guess: NDArray[np.float64], truth: list[float | None]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(guess, truth).statistic)
