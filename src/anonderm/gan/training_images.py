"""Training images in memory, and the batches of each step. N images, H x W pixels, K classes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core.errors import BadLabel, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.gan.batch_split import BatchShare

MIN_FACES = 8


@dataclass(frozen=True)
class TrainingImages:
    """uint8 pixels and, for a conditional network, the class of each image."""

    pixels_N3HW: Tensor
    class_N: Tensor | None
    class_count: int

    def __len__(self) -> int:
        return self.pixels_N3HW.shape[0]

    def batch(self, share: BatchShare, mirror: bool, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The images of a share of a batch, in -1..1, and their one-hot labels.

        A batch contains no image twice, unless it is larger than the training set.
        """
        rounds = -(-share.batch // len(self))
        device = random.device
        orders = [torch.randperm(len(self), generator=random, device=device) for _ in range(rounds)]
        chosen_N = share.of(torch.cat(orders)[: share.batch])
        images_N3HW = self.pixels_N3HW[chosen_N] / 127.5 - 1
        if mirror:
            flip_N = share.of(torch.rand(share.batch, generator=random, device=device)) < 0.5
            images_N3HW = torch.where(flip_N[:, None, None, None], images_N3HW.flip(3), images_N3HW)
        return images_N3HW.contiguous(memory_format=torch.channels_last), self._one_hot(chosen_N)

    def labels(self, count: int, random: torch.Generator) -> Tensor | None:
        """Labels for `count` generated images, with the frequencies of the real ones."""
        return self._one_hot(torch.randint(len(self), (count,), generator=random, device=random.device))

    def _one_hot(self, chosen_N: Tensor) -> Tensor | None:
        if self.class_N is None:
            return None
        return F.one_hot(self.class_N[chosen_N], self.class_count).to(torch.get_default_dtype())


def training_faces(faces: FaceSet, label: str | None) -> FaceSet:
    """The faces of split train, or of no split (synthetic), and of this label if it is set.

    Raises BadLabel or TooFewImages.
    """
    if label is not None and label not in faces.labels:
        known = ", ".join(faces.labels) or "none"
        raise BadLabel(f"{faces.folder}: no face is labelled {label!r}.", f"Labels here: {known}.")
    kept = faces.where(split=("train", None), label=label)
    if len(kept) < MIN_FACES:
        raise TooFewImages(
            f"{faces.folder}: {len(kept)} faces to train on; a GAN needs at least {MIN_FACES}.",
            "Faces of the test and validation splits are not used.",
        )
    return kept


def load_images(faces: FaceSet, classes: tuple[str, ...], device: str) -> TrainingImages:
    """Read all images; `classes` are those of a conditional network.

    Raises InputError unless all images are squares of one size, BadLabel if a conditional network is to learn
    a face without one of its labels.
    """
    pixels_N3HW = torch.from_numpy(faces.pixels()).permute(0, 3, 1, 2)
    if not classes:
        return TrainingImages(pixels_N3HW.to(device), None, 0)
    unlabelled = [face.id for face in faces if face.label not in classes]
    if unlabelled:
        hint = f"Labels of the network: {', '.join(classes)}."
        raise BadLabel(f"{faces.folder}: face {unlabelled[0]} has no label.", hint)
    class_N = torch.tensor([classes.index(face.label) for face in faces if face.label is not None])
    return TrainingImages(pixels_N3HW.to(device), class_N.to(device), len(classes))
