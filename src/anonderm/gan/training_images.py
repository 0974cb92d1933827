"""Training images in memory, and the batch of each step. N images, H x W pixels, K classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core.errors import BadLabel, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.gan.batch_split import Share

FEWEST = 8


@dataclass(frozen=True)
class TrainingImages:
    """uint8 pixels and, for a conditional network, the class of each image."""

    pixels_N3HW: Tensor
    class_N: Tensor | None
    class_count: int

    def __len__(self) -> int:
        return self.pixels_N3HW.shape[0]

    def batch(self, share: Share, mirror: bool, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """A share of a batch: images in -1..1 and their labels, one-hot.

        The images of a batch are all different, if there are as many.
        """
        rounds = -(-share.whole // len(self))
        device = random.device
        orders = [torch.randperm(len(self), generator=random, device=device) for _ in range(rounds)]
        chosen_N = share.of(torch.cat(orders)[: share.whole])
        images_N3HW = self.pixels_N3HW[chosen_N] / 127.5 - 1
        if mirror:
            flip_N = share.of(torch.rand(share.whole, generator=random, device=device)) < 0.5
            images_N3HW = torch.where(flip_N[:, None, None, None], images_N3HW.flip(3), images_N3HW)
        return images_N3HW.contiguous(memory_format=torch.channels_last), self._one_hot(chosen_N)

    def labels(self, count: int, random: torch.Generator) -> Tensor | None:
        """Labels for `count` generated images, as frequent as among the real ones."""
        return self._one_hot(torch.randint(len(self), (count,), generator=random, device=random.device))

    def _one_hot(self, chosen_N: Tensor) -> Tensor | None:
        if self.class_N is None:
            return None
        return F.one_hot(self.class_N[chosen_N], self.class_count).to(torch.get_default_dtype())


def training_faces(faces: FaceSet, only: str | None) -> FaceSet:
    """The faces a GAN may see: split train, or none (synthetic); of one label where `only` names it.

    Raises BadLabel or TooFewImages.
    """
    if only is not None and only not in faces.labels:
        known = ", ".join(faces.labels) or "none"
        raise BadLabel(f"{faces.folder}: no face is labelled {only!r}.", f"Labels here: {known}.")
    kept = faces.where(split=("train", None), label=only)
    if len(kept) < FEWEST:
        raise TooFewImages(
            f"{faces.folder}: {len(kept)} faces to train on; a GAN needs at least {FEWEST}.",
            "Faces of the test and validation splits do not count.",
        )
    return kept


def load_images(faces: FaceSet, classes: tuple[str, ...], device: str) -> TrainingImages:
    """Read all images; `classes` are those of a conditional network.

    Raises InputError unless the images are squares of one size, BadLabel where a conditional network lacks a
    label.
    """
    pixels_N3HW = torch.from_numpy(faces.pixels()).permute(0, 3, 1, 2)
    if not classes:
        return TrainingImages(pixels_N3HW.to(device), None, 0)
    unlabelled = [face.id for face in faces if face.label not in classes]
    if unlabelled:
        known = ", ".join(classes)
        raise BadLabel(f"{faces.folder}: face {unlabelled[0]} has no label.", f"The network knows {known}.")
    class_N = torch.tensor([classes.index(face.label) for face in faces if face.label is not None])
    return TrainingImages(pixels_N3HW.to(device), class_N.to(device), len(classes))
