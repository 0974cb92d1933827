"""The command `import-gan`: a pickle of NVIDIA's programs -> Checkpoint."""

from typing import Any

from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import InputError
from anonderm.core.files import sha256_file
from anonderm.core.snapshot import with_prefix
from anonderm.models.stylegan2.checkpoint import DISCRIMINATOR, GENERATOR
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator
from anonderm.models.stylegan2.third_party import imported_networks, pytorch_networks, tensorflow_networks
from anonderm.models.stylegan2.third_party.config import ImportGanConfig
from anonderm.models.stylegan2.third_party.safe_pickle import Stored, TensorFlowNetwork, read_pickle


def import_gan(config: ImportGanConfig) -> Checkpoint:
    """Write the moving average of the generator, and the discriminator if the pickle has one.

    Raises UnsafePickle, MissingPath, InputError (another kind of file or network), BrokenArtefact.
    """
    try:
        found, origin = _find(read_pickle(config.pickle))
        arch = imported_networks.architecture(found, config.classes)
        _check(Generator(arch), found.generator, "generator")
        if found.discriminator:
            _check(Discriminator(arch), found.discriminator, "discriminator")
    except InputError as error:
        named = error.message.startswith(str(config.pickle))
        raise type(error)(
            error.message if named else f"{config.pickle}: {error.message}", error.hint
        ) from error
    tensors = with_prefix(GENERATOR, found.generator) | with_prefix(DISCRIMINATOR, found.discriminator)
    card = CheckpointCard(
        kind="gan",
        architecture=arch.to_card(),
        resolution=arch.resolution,
        classes=arch.classes,
        label=config.label,
        licence=config.licence,
        command="anonderm import-gan",
        notes={
            "imported_from": origin,
            "sha256": sha256_file(config.pickle),
            "discriminator": bool(found.discriminator),
        },
    )
    return Checkpoint.save(config.out, tensors, card)


def _find(content: Any) -> tuple[imported_networks.ImportedNetworks, str]:
    if isinstance(content, dict) and isinstance(content.get("G_ema"), Stored):
        return pytorch_networks.find(content), "a PyTorch pickle"
    networks = content if isinstance(content, tuple) else ()
    if len(networks) == 3 and all(isinstance(network, TensorFlowNetwork) for network in networks):
        return tensorflow_networks.find(networks), "a TensorFlow pickle"
    held = (
        f"a dict of {', '.join(map(str, list(content)[:8]))}"
        if isinstance(content, dict)
        else (f"a {getattr(content, 'class_name', type(content).__name__)}")
    )
    raise InputError(
        f"a pickle of {held}, not of the networks of a GAN.",
        "Give one that holds G_ema and D (PyTorch), or G, D and Gs (TensorFlow).",
    )


def _check(network: nn.Module, tensors: dict[str, Tensor], name: str) -> None:
    """Raise InputError unless the tensors fit the network exactly."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise imported_networks.unsupported(f"not a StyleGAN2 {name} ({reason[:400]})") from error
