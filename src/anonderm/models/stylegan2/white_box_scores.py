"""What a GAN's weights say about photos: the discriminator's score, and how near the generator comes.

Both could be asked by whoever has the weights: the privacy audit asks about people in training and people
kept out.
"""

# N photos, H x W pixels, K classes

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.snapshot import under_prefix
from anonderm.models.stylegan2.checkpoint import DISCRIMINATOR, architecture_of, load_discriminator
from anonderm.models.stylegan2.image_distance import image_distance
from anonderm.models.stylegan2.loaded_generator import Model, target_images
from anonderm.models.stylegan2.projection import Spread, project
from anonderm.models.stylegan2.projection_settings import ProjectionSettings

_LATENTS = 10_000  # behind the mean and the spread of w
_BATCH = 32

Floats = NDArray[np.float64]


def can_be_asked(checkpoint: Checkpoint, faces: FaceSet) -> NDArray[np.bool_]:
    """Whether each face [N] is of a class that the networks know; all are where they know none.

    Raises InputError unless it is a GAN checkpoint, BrokenArtefact.
    """
    classes = architecture_of(checkpoint).classes
    return np.array([not classes or face.label in classes for face in faces], bool)


def has_discriminator(checkpoint: Checkpoint) -> bool:
    return bool(under_prefix(DISCRIMINATOR, checkpoint.tensors()))


def discriminator_scores(checkpoint: Checkpoint, faces: FaceSet) -> Iterator[Floats]:
    """The logits of the faces, batch by batch; a face's does not depend on those beside it.

    Every face counts as a batch of its own for the minibatch deviation. Raises InputError where the
    checkpoint has no discriminator, BrokenArtefact.
    """
    discriminator = load_discriminator(checkpoint, launch.device())
    discriminator.arch = dataclasses.replace(discriminator.arch, deviation_group=1)
    device = discriminator.logit.weight.device
    size = checkpoint.card.resolution
    for batch in faces.batches(_BATCH):
        with torch.inference_mode():
            label_NK = _one_hot(batch, discriminator.arch.classes, device)
            yield discriminator(target_images(batch, size).to(device), label_NK).cpu().double().numpy()


def projection_distances(checkpoint: Checkpoint, faces: FaceSet, steps: int) -> Floats:
    """How far [N] the nearest face of the generator is that `steps` of projection into w find.

    By colours and edges alone: the discriminator's features, which may know the training photos, have no say.
    All faces are of one class, where the generator knows classes. Raises InputError, BrokenArtefact.
    """
    classes = architecture_of(checkpoint).classes
    model = Model.open(checkpoint, faces.faces[0].label if classes else None)
    device = model.generator.w_average.device
    spread = Spread.of(model.sample_styles(_LATENTS, launch.step_generator(0, 0)))
    settings = ProjectionSettings(steps=steps, distance="pyramid")
    distance = image_distance(settings.distance, checkpoint, str(device))
    found = project(
        model.generator,
        target_images(faces, checkpoint.card.resolution).to(device),
        distance,
        spread,
        settings,
    )
    return found.distance_N.cpu().double().numpy()


def _one_hot(faces: FaceSet, classes: tuple[str, ...], device: torch.device) -> Tensor | None:
    if not classes:
        return None
    index_N = torch.tensor([classes.index(str(face.label)) for face in faces], device=device)
    return F.one_hot(index_N, len(classes)).float()
