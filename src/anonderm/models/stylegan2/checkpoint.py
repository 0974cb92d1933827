"""GAN networks <-> Checkpoint.

Its tensors are `generator.*` (the moving average), `discriminator.*` and `path_length_mean`.
"""

from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BrokenArtefact, InputError
from anonderm.core.snapshot import under_prefix, with_prefix
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator

GENERATOR, DISCRIMINATOR, PATH_LENGTH_MEAN = "generator.", "discriminator.", "path_length_mean"
_AGAIN = "Train it again, or download it again."
_Network = TypeVar("_Network", bound=nn.Module)


def save_gan(
    path: Path,
    generator: Generator,
    discriminator: Discriminator,
    path_length_mean: Tensor,
    card: CheckpointCard,
    *,
    fp16_weights: bool = False,
) -> Checkpoint:
    """Write both networks, with `fp16_weights` as float16, at half the size. Loading always gives float32."""
    tensors = with_prefix(GENERATOR, generator.state_dict())
    tensors |= with_prefix(DISCRIMINATOR, discriminator.state_dict())
    tensors[PATH_LENGTH_MEAN] = path_length_mean
    if fp16_weights:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    return Checkpoint.save(path, tensors, card)


def architecture_of(checkpoint: Checkpoint) -> Architecture:
    """Raises InputError unless it is a GAN checkpoint, BrokenArtefact if its card is incomplete."""
    if checkpoint.card.kind != "gan":
        raise InputError(
            f"{checkpoint.path}: a checkpoint of kind {checkpoint.card.kind}, not a GAN.",
            "Give one that train-gan or import-gan wrote.",
        )
    card = checkpoint.card
    try:
        arch = Architecture.from_card(card.architecture)
    except Exception as error:  # of any kind, as the card may say anything
        problem = f"{checkpoint.path}: its card does not describe a StyleGAN2 ({error})."
        raise BrokenArtefact(problem, _AGAIN) from error
    for name in ("resolution", "classes"):
        if getattr(card, name) != getattr(arch, name):
            problem = f"{checkpoint.path}: its card and the architecture in it differ in {name}."
            raise BrokenArtefact(problem, _AGAIN)
    return arch


def load_generator(checkpoint: Checkpoint, device: str = "cpu") -> Generator:
    """The generator in evaluation mode. Raises InputError or BrokenArtefact."""
    return _filled(Generator(architecture_of(checkpoint)), checkpoint, GENERATOR).to(device)


def load_discriminator(checkpoint: Checkpoint, device: str = "cpu") -> Discriminator:
    """The discriminator in evaluation mode. Raises InputError (also if there is none) or BrokenArtefact."""
    if not under_prefix(DISCRIMINATOR, checkpoint.tensors()):
        raise InputError(
            f"{checkpoint.path}: holds only a generator, without a discriminator.",
            "It can generate faces; a base for training needs both networks.",
        )
    return _filled(Discriminator(architecture_of(checkpoint)), checkpoint, DISCRIMINATOR).to(device)


def _filled(network: _Network, checkpoint: Checkpoint, prefix: str) -> _Network:
    try:
        network.load_state_dict(under_prefix(prefix, checkpoint.tensors()))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise BrokenArtefact(f"{checkpoint.path}: weights and card do not fit ({reason}).", _AGAIN) from error
    return network.eval().requires_grad_(False)
