"""Weights of a base with other classes, or none, made to fit a network's own.

K classes, D size of w, Z of z, F features before D's logit. A conditional network has three places that know
of classes: the embedding of each class, e_k = normalise(b + W_k / sqrt(K)); G's first mapping layer, whose
input is [z, e]; and D's logit, which is the product of D numbers with the mapped embedding l_k.

The rules, each of which makes the new network begin as the base (all layers here divide by the square root of
their inputs' number, which the new weights make up for):

classes -> other classes  those with the same name keep their embedding, others start fresh
none -> classes           all classes begin with one common embedding, whose effect on G is taken back by the
                          bias; D's logit is the base's along the common l and fresh across it. What tells
                          classes apart is then learned by the embeddings, which learn 100 times as fast as
                          the mapping layers: weights that began at zero there would take thousands of kimg.
classes -> none           the effect of one class' embedding becomes part of the bias: that of the label
                          trained on, where the base knows it, or else the mean over its classes
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator
from anonderm.models.stylegan2.layers import Linear, Mapping

# Names that begin like this hold tensors that depend on the classes; the functions here fill them.
CLASS_LAYERS_G = ("mapping.embed.", "mapping.layers.0.")
CLASS_LAYERS_D = ("mapping.embed.", "logit.")


@torch.no_grad()
def fit_generator(generator: Generator, base: Generator, label: str | None) -> None:
    """Fill G's class layers from a base with other classes; `label` is the one that is trained on, if any."""
    first, first_base = (cast("Linear", network.mapping.layers[0]) for network in (generator, base))
    z, inputs, inputs_base = generator.arch.z_dim, first.weight.shape[1], first_base.weight.shape[1]
    if (z, len(first.weight)) != (base.arch.z_dim, len(first_base.weight)):
        return  # of other widths: nothing fits, the fresh weights stay
    first.bias.copy_(first_base.bias)
    first.weight[:, :z] = first_base.weight[:, :z] * math.sqrt(inputs / inputs_base)
    if base.mapping.embed is not None:
        effect_DK = first_base.weight[:, z:] @ base.mapping.embeddings().T / math.sqrt(inputs_base)
        if generator.mapping.embed is None:
            first.bias.add_(_of_label(effect_DK, base.arch.classes, label))
            return
        first.weight[:, z:] = first_base.weight[:, z:]
    _fit_embeddings(generator.mapping, base.mapping, generator.arch.classes, base.arch.classes)
    if base.mapping.embed is None:
        first.bias.sub_(first.weight[:, z:] @ generator.mapping.embeddings()[0] / math.sqrt(inputs))


@torch.no_grad()
def fit_discriminator(discriminator: Discriminator, base: Discriminator, label: str | None) -> None:
    """Fill D's class layers from a base with other classes; `label` is the one that is trained on, if any."""
    logit, logit_base = discriminator.logit, base.logit
    same_widths = discriminator.arch.label_size == base.arch.label_size
    if logit.weight.shape[1] != logit_base.weight.shape[1] or not same_widths:
        return
    root = math.sqrt(discriminator.arch.label_size)
    if discriminator.mapping is None:
        mapped_DK = base.class_vectors().T / root
        mapped_D = _of_label(mapped_DK, base.arch.classes, label)
        logit.weight.copy_(mapped_D[None] @ logit_base.weight)
        logit.bias.copy_(mapped_D[None] @ logit_base.bias)
        return
    _fit_embeddings(discriminator.mapping, base.mapping, discriminator.arch.classes, base.arch.classes)
    if base.mapping is not None:
        logit.weight.copy_(logit_base.weight)
        logit.bias.copy_(logit_base.bias)
        return
    common_D = discriminator.class_vectors()[0]
    along_D = common_D / common_D.square().sum()
    logit.weight.add_(along_D[:, None] * (root * logit_base.weight - common_D @ logit.weight))
    logit.bias.copy_(along_D * root * logit_base.bias)


def _of_label(values_DK: Tensor, classes: tuple[str, ...], label: str | None) -> Tensor:
    return values_DK[:, classes.index(label)] if label in classes else values_DK.mean(dim=1)


def _fit_embeddings(
    mapping: Mapping, base: Mapping | None, classes: tuple[str, ...], base_classes: tuple[str, ...]
) -> None:
    """The embeddings of the classes that both know; without a base's, one common embedding."""
    embed = cast("Linear", mapping.embed)
    weight, bias = embed.weight, embed.bias
    if base is None or base.embed is None:
        bias.copy_(weight[:, 0])
        weight.zero_()
        return
    bias.copy_(base.embed.bias)
    for column, name in enumerate(classes):
        if name in base_classes:
            scale = math.sqrt(len(classes) / len(base_classes))
            weight[:, column] = base.embed.weight[:, base_classes.index(name)] * scale


def told(base: tuple[str, ...], own: tuple[str, ...], label: str | None) -> str:
    """What becomes of the classes, in words for the log."""
    if not base:
        return f"classes {', '.join(own)}: all begin as the base, which knows none"
    if not own:
        source = label if label in base else f"the mean of {', '.join(base)}"
        return f"classes: none here; begins as the base's {source}"
    kept = ", ".join(name for name in own if name in base) or "none"
    fresh = ", ".join(name for name in own if name not in base) or "none"
    dropped = ", ".join(name for name in base if name not in own) or "none"
    return f"classes: embeddings kept: {kept}; fresh: {fresh}; dropped: {dropped}"
