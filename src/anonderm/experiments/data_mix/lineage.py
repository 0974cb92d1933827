"""Whether anything behind the synthetic faces saw people of the test split, as far as that can be known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet


def refuse_test_people(real: FaceSet, synthetic: FaceSet, source_models: Sequence[Checkpoint]) -> list[str]:
    """What cannot be known of the synthetic faces' origin, as sentences to warn with.

    source_models: checkpoints of the GANs and the grader, whose cards name the faces they learned from.
    Raises InputError for a synthetic face that comes from a test photo, and for a source model that learned
    from one.
    """
    test = real.where(split="test")
    _refuse_descendants(test, synthetic)
    for model in source_models:
        if model.card.data_digest in _leaks(real) - _honours(real):
            raise InputError(
                f"{model.path}: learned from the photos of {real.folder} without leaving out its test split.",
                "Train it on the FaceSet with splits, and make the synthetic faces again.",
            )
    return [*_unknown_makers(real, synthetic, source_models), *_nameless(real, synthetic)]


def _refuse_descendants(test: FaceSet, synthetic: FaceSet) -> None:
    ids, people, pictures = ({getattr(face, name) for face in test} for name in ("id", "person", "sha256"))
    for face in synthetic:
        if ids & set(face.parents) or face.subject in people or (face.sha256 and face.sha256 in pictures):
            raise InputError(
                f"{synthetic.folder}: the face {face.id} comes from a photo of the test split.",
                "Make the synthetic faces from the training split alone.",
            )


def _leaks(real: FaceSet) -> set[str]:
    """Digests of the same photos as sets from which a training would take the test people as well."""
    found = set()
    for split in ("train", None):
        every = FaceSet(real.folder, tuple(dataclasses.replace(face, split=split) for face in real))
        found |= {every.digest, *(every.where(label=label).digest for label in every.labels)}
    return found


def _honours(real: FaceSet) -> set[str]:
    """Digests of what a training that leaves the test split out learns from: a GAN's card names the faces
    it took, a classifier's the whole set."""
    train = real.where(split=("train", None))
    return {real.digest, train.digest, *(train.where(label=label).digest for label in train.labels)}


def _unknown_makers(real: FaceSet, synthetic: FaceSet, source_models: Sequence[Checkpoint]) -> Iterable[str]:
    if not source_models:
        yield (
            "nothing tells which photos the GANs and the grader learned from: that they never saw the test "
            "people is taken on trust (give them as source_models)"
        )
        return
    unnamed = {face.checkpoint for face in synthetic if face.checkpoint} - {
        each.digest for each in source_models
    }
    if unnamed:
        yield f"{len(unnamed)} GANs that generated synthetic faces are missing from source_models"
    known = _honours(real)
    for model in source_models:
        saw_photos = model.card.notes.get("trained_on") != "synthetic"
        if saw_photos and model.card.data_digest not in known:
            yield (
                f"a model ({model.card.kind} {model.digest[:8]}) learned from other faces than the real "
                "training split: whether test people are among them cannot be known"
            )


def _nameless(real: FaceSet, synthetic: FaceSet) -> Iterable[str]:
    if not any(face.subject for face in real):
        yield "nothing tells which photos show the same person: each counts as another"
    drawn = sum(face.checkpoint is not None for face in synthetic)
    if drawn < len(synthetic):
        yield f"{len(synthetic) - drawn} of the {len(synthetic)} synthetic faces name no generator"
