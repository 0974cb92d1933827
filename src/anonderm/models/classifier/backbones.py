"""Backbones: any convolutional network of timm, or the lesion CNN; and the weights they start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from anonderm.core.errors import BrokenArtefact, ConfigError, MissingPath, MissingWeights
from anonderm.core.files import sha256_file
from anonderm.core.tensorfiles import read_weights
from anonderm.models.classifier.lesion_cnn import LESION_CNN, LesionCnn
from anonderm.models.classifier.settings import WeightsName

RANDOM = "random"


@dataclass(frozen=True)
class StartWeights:
    """A file of backbone weights; `origin` says in one line what it is, as cards and scores repeat it."""

    origin: str
    file: Path

    def tensors(self) -> dict[str, Tensor]:
        """Raises BrokenArtefact; nothing in a pickle is ever run."""
        return read_weights(
            self.file, "Give the backbone's state dict as .safetensors, or as .pth that holds tensors alone."
        )


def start_weights(backbone: str, weights: WeightsName, weights_file: Path | None) -> StartWeights | None:
    """The weights that the settings ask for; None for random ones.

    Raises ConfigError for an unknown backbone, MissingPath or MissingWeights for weights that are not there.
    """
    if weights_file is not None:
        if not weights_file.is_file():
            raise MissingPath(f"weights_file = {weights_file}: no such file.")
        return StartWeights(f"file sha256:{sha256_file(weights_file)}", weights_file)
    if weights == "random":
        return None
    try:
        return cached_weights(backbone)
    except MissingWeights:
        if weights == "imagenet-if-found":
            return None
        raise


def cached_weights(backbone: str) -> StartWeights:
    """The published weights of a timm backbone in the local Hugging Face cache (safetensors only).

    Raises ConfigError for an unknown backbone, MissingWeights when the file is not there.
    """
    from huggingface_hub import constants, try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    _check_known(backbone)
    published = get_pretrained_cfg(backbone) if backbone != LESION_CNN else None
    repository = published.hf_hub_id if published else None
    if repository is None:
        raise MissingWeights(f"{backbone}: no published weights are known.", "Give weights = random.")
    found = try_to_load_from_cache(repository, "model.safetensors", cache_dir=constants.HF_HUB_CACHE)
    if not isinstance(found, str):
        raise MissingWeights(
            f"{backbone}: its weights ({repository}) are not in {constants.HF_HUB_CACHE}.",
            f"Where a network allows: `hf download {repository} model.safetensors`; or give a weights_file, "
            "weights = random, or weights = imagenet-if-found.",
        )
    return StartWeights(f"imagenet ({repository})", Path(found))


def published_normalisation(backbone: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation that the backbone's published weights expect; None where none are known."""
    from timm.models import get_pretrained_cfg

    published = get_pretrained_cfg(backbone) if backbone != LESION_CNN else None
    return (tuple(published.mean), tuple(published.std)) if published else None


def create_backbone(name: str, size: int, start: StartWeights | None = None) -> nn.Module:
    """The network without its last layer: pixels [N, C, H, W] -> features [N, D].

    Raises ConfigError for an unknown backbone, BrokenArtefact for weights that do not fit.
    """
    import timm

    _check_known(name)
    if start is None:
        return LesionCnn(size) if name == LESION_CNN else timm.create_model(name, num_classes=0)
    tensors = start.tensors()
    try:
        if name == LESION_CNN:
            lesion_cnn = LesionCnn(size)
            lesion_cnn.load_state_dict(tensors)
            return lesion_cnn
        # With its published last layer, as without it timm takes a file that lacks half of the weights.
        overlay = {"state_dict": tensors, "custom_load": False}
        network: Any = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except (RuntimeError, KeyError) as error:
        raise BrokenArtefact(
            f"{start.file}: not the published weights of {name} ({str(error).splitlines()[0]})",
            "Give the whole state dict of this very backbone, its last layer included.",
        ) from error
    network.reset_classifier(0)
    return network


def _check_known(name: str) -> None:
    import timm

    if name != LESION_CNN and not timm.is_model(name):
        import difflib

        near = difflib.get_close_matches(name, [LESION_CNN, *timm.list_models()], n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "Give a network's timm name, such as resnet18."
        raise ConfigError(f"backbone = {name!r}: timm has no such network.", hint)
