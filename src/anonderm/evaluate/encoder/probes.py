"""Identity retrieval and linear probes on people who were not in the encoder's training."""

# N, M photos, D features

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


def probe(checkpoint: Checkpoint, train: FaceSet, held_out: FaceSet, run: RunDir) -> dict[str, float | int]:
    """Measures of the embedding for the checkpoint's card; empty without held-out faces."""
    if len(held_out) < 2:
        return {}
    from scipy.stats import spearmanr

    embed = embedder(checkpoint)

    def embed_all(faces: FaceSet, which: str) -> NDArray[np.float32]:
        batches = run.progress(list(faces.batches(_BATCH)), f"embedding {which} faces")
        return np.concatenate([embed(batch.pixels(RESOLUTION)) for batch in batches])

    train_ND, test_MD = embed_all(train, "training"), embed_all(held_out, "held-out")
    notes = {"held_out_photos": len(held_out), "held_out_same_person_nearest": _retrieval(test_MD, held_out)}
    truths: dict[str, Callable[[Face], float | None]] = {
        "severity": lambda face: None if face.label not in train.labels else train.labels.index(face.label),
        "lesions": lambda face: None if face.lesions is None else float(len(face.lesions)),
        "ita": lambda face: face.ita,
    }
    for name, truth in truths.items():
        target_N, true_M = (
            np.array([truth(face) for face in faces], float)  # NaN where it is unknown
            for faces in (train, held_out)
        )
        known_N, known_M = ~np.isnan(target_N), ~np.isnan(true_M)
        if known_N.sum() > 1 and len(set(true_M[known_M].tolist())) > 1:
            predicted_M = _ridge(train_ND[known_N], target_N[known_N], test_MD[known_M])
            notes[f"held_out_{name}_rank_correlation"] = round(
                float(spearmanr(predicted_M, true_M[known_M]).statistic), 3
            )
    return notes


def _retrieval(rows_ND: NDArray[np.float32], faces: FaceSet) -> float:
    """Share of the photos whose nearest other photo shows the same person, among people with two or more."""
    subjects = np.array([face.person for face in faces])
    rows = range(len(rows_ND))
    near_N = nearest(rows_ND, rows_ND, exclude=(rows, rows)).indices_M
    repeated_N = np.array([np.sum(subjects == subject) > 1 for subject in subjects])
    if not repeated_N.any():
        return 0.0
    return round(float(np.mean(subjects[near_N][repeated_N] == subjects[repeated_N])), 3)


def _ridge(
    train_ND: NDArray[np.float32], target_N: NDArray[np.float64], test_MD: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Ridge regression of a target from embeddings, applied to the test embeddings."""
    mean_D, mean = train_ND.mean(axis=0), target_N.mean()
    centred_ND = train_ND - mean_D
    gram_DD = centred_ND.T @ centred_ND + np.eye(train_ND.shape[1])
    return (test_MD - mean_D) @ np.linalg.solve(gram_DD, centred_ND.T @ (target_N - mean)) + mean
