"""Whether any model behind the synthetic faces was trained on people of the test split."""

import dataclasses
from collections.abc import Iterable, Sequence

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet


def refuse_test_people(real: FaceSet, synthetic: FaceSet, source_models: Sequence[Checkpoint]) -> list[str]:
    """Warnings about what is not known of the synthetic faces' origin.

    source_models: checkpoints of the GANs and the grader, whose cards name their training faces.
    Raises InputError for a synthetic face made from a test photo, and for a source model trained on one.
    """
    test = real.where(split="test")
    _refuse_descendants(test, synthetic)
    for model in source_models:
        if model.card.data_digest in _digests_with_test(real) - _digests_without_test(real):
            raise InputError(
                f"{model.path}: trained on the photos of {real.folder} including its test split.",
                "Train it on the FaceSet with splits, and make the synthetic faces again.",
            )
    return [*_unknown_models(real, synthetic, source_models), *_unidentified(real, synthetic)]


def _refuse_descendants(test: FaceSet, synthetic: FaceSet) -> None:
    ids, people, pictures = ({getattr(face, name) for face in test} for name in ("id", "person", "sha256"))
    for face in synthetic:
        if ids & set(face.parents) or face.subject in people or (face.sha256 and face.sha256 in pictures):
            raise InputError(
                f"{synthetic.folder}: the face {face.id} comes from a photo of the test split.",
                "Make the synthetic faces from the training split alone.",
            )


def _digests_with_test(real: FaceSet) -> set[str]:
    """Digests of the same photos without a test split, from which a training would take all people."""
    found = set()
    for split in ("train", None):
        whole = FaceSet(real.folder, tuple(dataclasses.replace(face, split=split) for face in real))
        found |= {whole.digest, *(whole.where(label=label).digest for label in whole.labels)}
    return found


def _digests_without_test(real: FaceSet) -> set[str]:
    """Digests on cards of trainings without test faces: a GAN's of its faces, a classifier's of the set."""
    train = real.where(split=("train", None))
    return {real.digest, train.digest, *(train.where(label=label).digest for label in train.labels)}


def _unknown_models(real: FaceSet, synthetic: FaceSet, source_models: Sequence[Checkpoint]) -> Iterable[str]:
    if not source_models:
        yield (
            "the training photos of the GANs and the grader are unknown: that no test person is among them "
            "is taken on trust (give these models as source_models)"
        )
        return
    missing = {face.checkpoint for face in synthetic} - {None, "", *(each.digest for each in source_models)}
    if missing:
        yield f"{len(missing)} GANs that generated synthetic faces are missing from source_models"
    known = _digests_without_test(real)
    for model in source_models:
        used_photos = model.card.notes.get("trained_on") != "synthetic"
        if used_photos and model.card.data_digest not in known:
            yield (
                f"a model ({model.card.kind} {model.digest[:8]}) was trained on other faces than the real "
                "training split: whether test people are among them is unknown"
            )


def _unidentified(real: FaceSet, synthetic: FaceSet) -> Iterable[str]:
    if not any(face.subject for face in real):
        yield "no photo has a subject: each counts as another person"
    generated = sum(face.checkpoint is not None for face in synthetic)
    if generated < len(synthetic):
        yield f"{len(synthetic) - generated} of the {len(synthetic)} synthetic faces name no generator"
