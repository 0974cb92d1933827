"""Scores of photos under the weights of a GAN: discriminator logits, and distances of projections.

Anyone with the weights can compute them. The privacy audit compares those of members and non-members.
"""

# N photos, H x W pixels, K classes

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
from anonderm.models.stylegan2.projection import StyleDistribution, image_features, project
from anonderm.models.stylegan2.projection_settings import ProjectionSettings
from anonderm.models.stylegan2.sampling import LoadedGenerator, target_images

_SAMPLES = 10_000  # latents for the mean and standard deviation of w
_BATCH = 32

Floats = NDArray[np.float64]


def has_known_class(checkpoint: Checkpoint, faces: FaceSet) -> NDArray[np.bool_]:
    """Whether each face [N] has a class of the networks; true for all faces if they are unconditional.

    Raises InputError unless it is a GAN checkpoint, BrokenArtefact.
    """
    classes = architecture_of(checkpoint).classes
    return np.array([not classes or face.label in classes for face in faces], bool)


def has_discriminator(checkpoint: Checkpoint) -> bool:
    return bool(under_prefix(DISCRIMINATOR, checkpoint.tensors()))


def discriminator_scores(checkpoint: Checkpoint, faces: FaceSet) -> Iterator[Floats]:
    """The logits of the faces, batch by batch; each is independent of the other faces.

    For the minibatch deviation, every face is a batch of its own. Raises InputError if the checkpoint has no
    discriminator, BrokenArtefact.
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
    """The distance [N] of each face from the nearest one that `steps` of projection into w find.

    It uses only colours and edges, not the features of the discriminator, which may depend on the training
    photos. With a conditional generator, all faces must be of one class. Raises InputError, BrokenArtefact.
    """
    classes = architecture_of(checkpoint).classes
    model = LoadedGenerator.of(checkpoint, faces.faces[0].label if classes else None)
    styles = StyleDistribution.of(model.sample_styles(_SAMPLES, launch.step_generator(0, 0)))
    settings = ProjectionSettings(steps=steps, distance="pyramid")
    features = image_features(settings.distance, checkpoint, model.device)
    target_N3HW = target_images(faces, checkpoint.card.resolution).to(model.device)
    found = project(model.generator, target_N3HW, features, styles, settings)
    return found.distance_N.cpu().double().numpy()


def _one_hot(faces: FaceSet, classes: tuple[str, ...], device: torch.device) -> Tensor | None:
    if not classes:
        return None
    index_N = torch.tensor([classes.index(str(face.label)) for face in faces], device=device)
    return F.one_hot(index_N, len(classes)).float()
