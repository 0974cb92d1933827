"""Backbones: any convolutional network of timm, or the lesion CNN; and their initial weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from anonderm.core.errors import ConfigError, MissingPath, MissingWeights
from anonderm.core.files import sha256_file
from anonderm.core.tensorfiles import read_weights, weights_of
from anonderm.models.classifier.lesion_cnn import LESION_CNN, LesionCnn
from anonderm.models.classifier.settings import WeightsName

RANDOM = "random"


@dataclass(frozen=True)
class InitialWeights:
    """A file of backbone weights; `origin` describes it in cards and results."""

    origin: str
    file: Path


def initial_weights(backbone: str, weights: WeightsName, weights_file: Path | None) -> InitialWeights | None:
    """The weights that the settings name; None for random ones.

    Raises ConfigError for an unknown backbone, MissingPath or MissingWeights for a missing file.
    """
    if weights_file is not None:
        if not weights_file.is_file():
            raise MissingPath(
                f"weights_file = {weights_file}: no such file.", "Check the path, or leave it out."
            )
        return InitialWeights(f"file sha256:{sha256_file(weights_file)}", weights_file)
    if weights == "random":
        return None
    try:
        return cached_weights(backbone)
    except MissingWeights:
        if weights == "imagenet-if-found":
            return None
        raise


def cached_weights(backbone: str) -> InitialWeights:
    """The published weights of a timm backbone in the local Hugging Face cache (safetensors only).

    Raises ConfigError for an unknown backbone, MissingWeights for a missing file.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    _check_known(backbone)
    published = _published(backbone)
    repository = published.hf_hub_id if published else None
    if repository is None:
        raise MissingWeights(f"{backbone}: timm lists no published weights.", "Set weights = random.")
    found = try_to_load_from_cache(repository, "model.safetensors", cache_dir=constants.HF_HUB_CACHE)
    if not isinstance(found, str):
        raise MissingWeights(
            f"{backbone}: its weights ({repository}) are not in {constants.HF_HUB_CACHE}.",
            f"Run `hf download {repository} model.safetensors`, or set weights_file, weights = random or "
            "weights = imagenet-if-found.",
        )
    return InitialWeights(f"imagenet ({repository})", Path(found))


def published_normalisation(backbone: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation that the backbone's published weights expect; None if it has none."""
    published = _published(backbone)
    return (tuple(published.mean), tuple(published.std)) if published else None


def _published(backbone: str) -> Any:
    """timm's entry for the backbone's published weights; None if it has none."""
    from timm.models import get_pretrained_cfg

    return get_pretrained_cfg(backbone) if backbone != LESION_CNN else None


def create_backbone(name: str, size: int, start: InitialWeights | None = None) -> nn.Module:
    """The network without its last layer: pixels [N, C, H, W] -> features [N, D].

    Raises ConfigError for an unknown backbone, BrokenArtefact for weights that do not fit.
    """
    import timm

    _check_known(name)
    if start is None:
        return LesionCnn(size) if name == LESION_CNN else timm.create_model(name, num_classes=0)
    form = "Give the backbone's state dict as .safetensors, or as a .pth file of tensors only."
    tensors = read_weights(start.file, form)
    hint = "Give the whole state dict of this backbone, including its last layer."
    with weights_of(name, start.file, hint):
        if name == LESION_CNN:
            lesion_cnn = LesionCnn(size)
            lesion_cnn.load_state_dict(tensors)
            return lesion_cnn
        # With its published last layer: without it timm accepts a file that lacks half of the weights.
        overlay = {"state_dict": tensors, "custom_load": False}
        network: Any = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    network.reset_classifier(0)
    return network


def _check_known(name: str) -> None:
    import timm

    if name != LESION_CNN and not timm.is_model(name):
        import difflib

        near = difflib.get_close_matches(name, [LESION_CNN, *timm.list_models()], n=3)
        names = ", ".join(near or ["resnet18"])
        raise ConfigError(f"backbone = {name!r}: timm has no such network.", f"Give a name such as {names}.")
